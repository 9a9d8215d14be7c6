"""The peers that are Python packages. Each gives, for a case, a call into a new output, a call into a reused one, and its output."""

import dataclasses
import time
import typing

import numpy as np

from cases import ONNX, OPENCV, PILLOW, PYTORCH

# A call that takes longer needs no call before it to warm caches up.
LONG = 50_000_000


class Skip(Exception):
    """Why an engine does not run a case."""


@dataclasses.dataclass
class Calls:
    """One operator of one library, ready to run."""

    output: typing.Callable  # -> the output, N×C×.. or N×..×C as the case's layout is
    allocated: typing.Callable | None = None
    reused: typing.Callable | None = None

    def round(self, into, budget):
        """Nanoseconds of one call: the median of those that fit into the budget, at least one."""
        call = getattr(self, into)
        first = elapsed(call)
        if first > LONG:
            return first
        times, start = [], time.perf_counter_ns()
        while not times or time.perf_counter_ns() - start < budget:
            times.append(elapsed(call))
        return sorted(times)[len(times) // 2]


def elapsed(call):
    start = time.perf_counter_ns()
    call()
    return time.perf_counter_ns() - start


class PyTorch:
    """Autograd stays out: the operators that it would call are called."""

    def __init__(self):
        import torch

        self.torch, self.version = torch, torch.__version__

    def prepare(self, case, arrays, threads):
        torch = self.torch
        torch.set_num_threads(threads)
        if case.method == "lanczos" or case.linear_light or (case.picture and case.input[1] == 4):
            raise Skip("has no such resize")
        if case.dtype != "f32" and not case.picture:
            raise Skip("f32 only")
        calls = self.resize(case, arrays) if case.operator == "resize" else self.convolution(case, arrays)

        def without_autograd(call):
            def run():
                with torch.inference_mode():
                    return call()

            return call and run

        return Calls(lambda: self.stored(case, without_autograd(calls[0])()), *map(without_autograd, calls))

    def logical(self, case, array):
        """N×C×.. with the memory of the case's layout."""
        tensor = self.torch.from_numpy(array)
        return tensor.movedim(-1, 1) if case.layout == "channels_last" else tensor

    def stored(self, case, tensor):
        return (tensor.movedim(1, -1) if case.layout == "channels_last" else tensor).contiguous().numpy()

    def resize(self, case, arrays):
        torch, aten = self.torch, self.torch.ops.aten
        rank = len(case.input) - 2
        mode = {"nearest": "nearest", "cubic": "bicubic"}.get(case.method, ["linear", "bilinear", "trilinear"][rank - 1])
        aligned = () if mode == "nearest" else (case.align_corners,)
        packet = f"upsample_{mode}{rank}d" if mode == "nearest" else f"_upsample_{mode}{rank}d_aa" if case.antialias else f"upsample_{mode}{rank}d"
        size, scales = case.output[2:], (None,) * rank
        if case.operation == "input_gradient":
            dy = self.logical(case, arrays["dy"])
            operator, arguments = getattr(aten, f"{packet}_backward"), (dy, size, case.input, *aligned, *scales)
            dx = operator.default(*arguments)
            return lambda: operator.default(*arguments), lambda: operator.grad_input(*arguments, grad_input=dx)
        x = self.logical(case, arrays["x"])
        options = {"align_corners": case.align_corners, "antialias": case.antialias} if aligned else {}
        interpolate = torch.nn.functional.interpolate
        y = interpolate(x, size, mode=mode, **options)
        operator = getattr(aten, packet).out
        return lambda: interpolate(x, size, mode=mode, **options), lambda: operator(x, size, *aligned, *scales, out=y)

    def convolution(self, case, arrays):
        x, weight, bias, dy = (self.torch.from_numpy(arrays[name]) for name in ("x", "weight", "bias", "dy"))
        parameters = ([case.stride] * 2, [case.padding] * 2, [case.output_padding] * 2)
        if case.operation == "forward":
            forward = self.torch.nn.functional.conv_transpose2d
            return lambda: forward(x, weight, bias, *parameters, case.groups), None
        stride, padding, output_padding = parameters
        wanted = [case.operation == "input_gradient", case.operation == "weight_gradient", False]
        backward = self.torch.ops.aten.convolution_backward
        arguments = (dy, x, weight, [case.output[1]], stride, padding, [1, 1], True, output_padding, case.groups, wanted)
        return lambda: backward(*arguments)[wanted.index(True)], None


class OnnxRuntime:
    def __init__(self):
        import onnx
        import onnxruntime

        self.onnx, self.runtime, self.version = onnx, onnxruntime, onnxruntime.__version__

    def prepare(self, case, arrays, threads):
        if case.operation != "forward" or case.dtype != "f32" or case.layout != "channels_first":
            raise Skip("forward, f32, channels first only")
        options = self.runtime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads, options.log_severity_level = threads, 1, 3
        # Threads that spin after a call would be measured in the next engine's.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        model = self.model(case, arrays).SerializeToString()
        session = self.runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        value = self.runtime.OrtValue.ortvalue_from_numpy
        x, y = value(arrays["x"]), value(np.zeros(case.output, np.float32))

        def bound(output):
            binding = session.io_binding()
            binding.bind_ortvalue_input("x", x)
            binding.bind_ortvalue_output("y", output) if output else binding.bind_output("y", "cpu")
            return binding

        reused = bound(y)

        def run_reused():
            session.run_with_iobinding(reused)

        def run_allocated():
            # A fresh binding: a used one would keep its output.
            session.run_with_iobinding(bound(None))

        return Calls(lambda: session.run(["y"], {"x": arrays["x"]})[0], run_allocated, run_reused)

    def model(self, case, arrays):
        helper, tensor = self.onnx.helper, self.onnx.numpy_helper.from_array
        if case.operator == "resize":
            constants = [tensor(np.array(case.output, np.int64), "sizes")]
            mode = {"nearest": "nearest", "linear": "linear", "cubic": "cubic"}[case.method]
            coordinates = "align_corners" if case.align_corners else "asymmetric" if mode == "nearest" else "half_pixel"
            nearest = {"nearest_mode": "floor"} if mode == "nearest" else {}
            node = helper.make_node(
                "Resize", ["x", "", "", "sizes"], ["y"], mode=mode, coordinate_transformation_mode=coordinates, cubic_coeff_a=-0.75,
                antialias=int(case.antialias), **nearest,
            )  # fmt: skip
        else:
            constants = [tensor(arrays["weight"], "weight"), tensor(arrays["bias"], "bias")]
            node = helper.make_node(
                "ConvTranspose", ["x", "weight", "bias"], ["y"], strides=[case.stride] * 2, pads=[case.padding] * 4,
                output_padding=[case.output_padding] * 2, group=case.groups, kernel_shape=[case.kernel] * 2,
            )  # fmt: skip
        floats = self.onnx.TensorProto.FLOAT
        ends = [[helper.make_tensor_value_info(name, floats, shape)] for name, shape in (("x", case.input), ("y", case.output))]
        graph = helper.make_graph([node], case.name, *ends, constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)


class OpenCv:
    def __init__(self):
        import cv2

        self.cv2, self.version = cv2, cv2.__version__

    def prepare(self, case, arrays, threads):
        cv2 = self.cv2
        cv2.setNumThreads(threads)
        methods = {"nearest": cv2.INTER_NEAREST, "linear": cv2.INTER_LINEAR, "cubic": cv2.INTER_CUBIC, "lanczos": cv2.INTER_LANCZOS4}
        x, size, method = arrays["x"][0], case.output[:1:-1], methods[case.method]
        y = cv2.resize(x, size, interpolation=method)
        return Calls(
            lambda: cv2.resize(x, size, interpolation=method).reshape(1, *case.output[2:], case.output[1]),
            lambda: cv2.resize(x, size, interpolation=method),
            lambda: cv2.resize(x, size, y, interpolation=method),
        )


class Pillow:
    def __init__(self):
        import PIL
        from PIL import Image

        self.Image, self.version = Image, PIL.__version__

    def prepare(self, case, arrays, threads):
        if threads > 1:
            raise Skip("has one thread")
        if case.dtype != "u8" and case.input[1] > 1 or case.linear_light:
            raise Skip("has no such resize")
        method = {"nearest": "NEAREST", "linear": "BILINEAR", "cubic": "BICUBIC", "lanczos": "LANCZOS"}[case.method]
        picture = self.Image.fromarray(arrays["x"][0, ..., 0] if case.input[1] == 1 else arrays["x"][0])
        resize, size, method = picture.resize, case.output[:1:-1], self.Image.Resampling[method]
        return Calls(lambda: np.asarray(resize(size, method)).reshape(1, *case.output[2:], case.output[1]), lambda: resize(size, method))


def installed():
    """The engines that are there, and why the others are not: ({name: engine}, {name: why})."""
    found, missing = {}, {}
    for name, engine in {PYTORCH: PyTorch, ONNX: OnnxRuntime, OPENCV: OpenCv, PILLOW: Pillow}.items():
        try:
            found[name] = engine()
        except ImportError as error:
            missing[name] = str(error)
    return found, missing
