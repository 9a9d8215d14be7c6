#!/usr/bin/env python3
"""Makes the golden files that sweep over sizes: what frameworks compute for every pair of an input size n and an output size m.

    python make_sweeps.py nearest_maps onnx_antialias bytes_once box_weights        # or any of them

nearest_maps: which input pixel each output pixel copies, for n, m = 1..64, as one array of bytes for each framework.
onnx_antialias: ONNX Resize with antialias by the reference implementation, one axis. A case holds the outputs of every n with every m
(or every scale), joined, less the pairs that are skipped.
bytes_once: pictures of bytes, enlarged and shrunk, the framework's output in the type that it gives.
box_weights: the weights of Pillow's box filter when shrinking.

Written as make_golden.py writes: NAME.npz and NAME.json, the same numbers giving the same files.
"""

import itertools
import os
import sys

import numpy as np

from make_golden import Golden, HERE

os.environ.setdefault("JAX_PLATFORMS", "cpu")
SIZES = range(1, 65)
ORDER = "n = 1..64, m = 1..64, o = 0..m-1"


class Maps(Golden):
    """One array for each framework, without cases."""

    def save(self):
        import json

        super().save()
        described = {"source": self.source, "order": ORDER, "maps": list(self.arrays)}
        (HERE / f"{self.name}.json").write_text(json.dumps(described, indent=1) + "\n")


def jax_nearest():
    import jax
    import jax.numpy as jnp

    maps = {}
    for n in SIZES:
        # All sizes in one program, which compiles sooner, as does a low level of optimisation.
        # Neither changes the positions: they are folded before, as when each size is compiled alone.
        together = jax.jit(
            lambda x: tuple(jax.image.resize(x, (m,), "nearest") for m in SIZES),
            compiler_options={"xla_backend_optimization_level": 0},
        )
        maps |= {(n, m): np.asarray(y) for m, y in zip(SIZES, together(jnp.arange(n, dtype=jnp.int32)))}
        jax.clear_caches()
    return maps


def nearest_maps():
    import cv2
    import jax
    import PIL
    import tensorflow as tf
    import torch
    import torch.nn.functional as F
    from PIL import Image

    sources = [
        f"OpenCV {cv2.__version__}",
        f"JAX {jax.__version__}",
        f"TensorFlow {tf.__version__}",
        f"Pillow {PIL.__version__}",
        f"PyTorch {torch.__version__}",
    ]
    golden = Maps("nearest_maps", ", ".join(sources), 0)
    torch.set_num_threads(1)

    def add(name, index):
        parts = [np.asarray(index(n, m)).reshape(m) for n, m in itertools.product(SIZES, SIZES)]
        golden.arrays[name] = np.concatenate(parts).astype(np.uint8)

    def column(n, dtype=np.uint8):
        return np.arange(n).astype(dtype).reshape(n, 1)

    add("opencv_nearest", lambda n, m: cv2.resize(column(n), (1, m), interpolation=cv2.INTER_NEAREST))
    add("opencv_nearest_exact", lambda n, m: cv2.resize(column(n), (1, m), interpolation=cv2.INTER_NEAREST_EXACT))
    add("pillow_nearest", lambda n, m: Image.fromarray(column(n)).resize((1, m), Image.Resampling.NEAREST))
    add("tensorflow_nearest", lambda n, m: tf.image.resize(column(n)[None, :, :, None], (m, 1), method="nearest").numpy())
    for mode, dtype in itertools.product(["nearest", "nearest-exact"], ["float32", "float64"]):
        name = f"torch_{mode.replace('-', '_')}_{dtype}"
        add(name + "_1d", lambda n, m: F.interpolate(torch.from_numpy(column(n, dtype).reshape(1, 1, n)), m, mode=mode))
        # An axis of a picture of few output pixels, which PyTorch sends through another loop.
        add(name + "_2d", lambda n, m: F.interpolate(torch.from_numpy(column(n, dtype)[None, None]), (m, 1), mode=mode))
    jax_maps = jax_nearest()
    add("jax_nearest", lambda n, m: jax_maps[n, m])
    return golden


def onnx_resize(x, attributes, roi=None, scales=None, sizes=None):
    """The reference implementation on a model of one node; x has one axis."""
    from onnx import TensorProto, helper
    from onnx.reference import ReferenceEvaluator

    kind = helper.np_dtype_to_tensor_dtype(x.dtype)
    given = {"roi": (kind, roi), "scales": (TensorProto.FLOAT, scales), "sizes": (TensorProto.INT64, sizes)}
    initial = [helper.make_tensor(name, type, [len(v)], v) for name, (type, v) in given.items() if v is not None]
    inputs = ["x"] + [name if v is not None else "" for name, (_, v) in given.items()]
    while not inputs[-1]:
        inputs.pop()
    node = helper.make_node("Resize", inputs, ["y"], **attributes)
    described = [helper.make_tensor_value_info(name, kind, shape) for name, shape in [("x", list(x.shape)), ("y", None)]]
    graph = helper.make_graph([node], "resize", described[:1], described[1:], initial)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
    return ReferenceEvaluator(model).run(None, {"x": x})[0]


def misplaced(attributes, n, m, scale, roi=None):
    """Whether rounding in the reference decides more than a last digit.

    A position one step above a whole number becomes whole when the padding is added, and the taps are then one pixel off;
    a position one step outside the input is extrapolated. Neither is what the standard says.
    """
    from onnx.reference.ops import op_resize

    x, _ = op_resize._compute_x_ori(attributes.get("coordinate_transformation_mode", "half_pixel"), np.arange(m * 1.0), scale, n, scale * n, m, roi)
    suffix = "_antialias" if attributes["antialias"] else ""
    padding = (len(getattr(op_resize, f"_{attributes['mode']}_coeffs{suffix}")(0.5, scale)) + 1) // 2
    shifted = (x != np.floor(x)) & (x + padding == np.floor(x + padding))
    outside = ((x < 0) & (x > -1e-9)) | ((x > n - 1) & (x < n - 1 + 1e-9))
    return shifted.any() or (roi is not None and outside.any())


def onnx_antialias():
    import onnx

    golden = Golden("onnx_antialias", f"ONNX {onnx.__version__}, reference implementation", 6)
    # The input of n pixels is the first n of these.
    x = golden.input("x", golden.random.integers(-64, 65, 64) / 16)
    every, some = list(range(1, 25)), [1, 2, 3, 4, 5, 7, 8, 13, 19, 24, 37, 64]
    kernels = [("linear", 0), ("linear", 1), ("cubic", 0), ("cubic", 1)]
    halves = ["half_pixel", "half_pixel_symmetric", "pytorch_half_pixel"]
    rois = [(0.0, 0.5), (0.2, 0.9), (1.0, 0.0), (0.75, 0.25), (-0.3, 0.6), (0.4, 1.5)]

    def add(mode, exclude_outside, coordinates, ns, ms=None, scales=None, roi=None):
        attributes = {"mode": mode, "antialias": 1, "coordinate_transformation_mode": coordinates, "exclude_outside": exclude_outside}
        if roi:
            attributes["extrapolation_value"] = -9.0
        outputs, skipped = [], []
        for n, wanted in itertools.product(ns, ms or scales):
            scale = wanted / n if ms else float(np.float32(wanted))
            m = wanted if ms else int(scale * n)
            if m == 0 or misplaced(attributes, n, m, scale, roi):
                skipped.append((n, wanted))
                continue
            given = {"sizes": [wanted]} if ms else {"scales": [wanted]}
            outputs.append(onnx_resize(x[:n], attributes, roi=roi, **given))
        asked = {"m": ms} if ms else {"scales": scales}
        golden.case({**attributes, **({"roi": roi} if roi else {}), "n": ns, **asked, "skipped": skipped}, y=np.concatenate(outputs).astype(np.float32))

    # pytorch_half_pixel with two or more output pixels: a single one the reference places otherwise than the text of the standard.
    for (mode, exclude), coordinates in itertools.product([("linear", 0), ("cubic", 0)], ["half_pixel", "align_corners"]):
        add(mode, exclude, coordinates, every, every)
    for (mode, exclude), coordinates in itertools.product(kernels, halves + ["align_corners", "asymmetric"]):
        add(mode, exclude, coordinates, some, some[coordinates == "pytorch_half_pixel" :])
    for (mode, exclude), roi in itertools.product(kernels, rois):
        add(mode, exclude, "tf_crop_and_resize", some[:10], some[:10], roi=roi)
    # Scales, whose output is not a whole number of pixels before it is rounded down.
    scales = [0.3125, 0.37, 0.61, 0.8, 0.9375, 1.3, 1.9, 2.5, 3.0]
    for (mode, exclude), coordinates in itertools.product(kernels, ["half_pixel", "half_pixel_symmetric", "asymmetric"]):
        add(mode, exclude, coordinates, [3, 4, 5, 7, 10, 13, 19, 24], scales=scales)
    return golden


def bytes_once():
    import jax
    import jax.numpy as jnp
    import onnx
    import tensorflow as tf

    versions = f"ONNX {onnx.__version__}, JAX {jax.__version__}, TensorFlow {tf.__version__}"
    golden = Golden("bytes_once", versions, 7)
    sizes = [1, 2, 3, 5, 8, 13, 21, 34]
    inputs = {}
    for n in sizes:
        # Mostly the ends of the range, so that overshoot saturates; the rest is anything.
        height, width = n, max(1, n - n // 4)
        ends = golden.random.integers(0, 2, (height, width)) * 255
        noise = golden.random.integers(0, 256, (height, width))
        inputs[n] = golden.input(str(n), np.where(golden.random.random((height, width)) < 0.7, ends, noise).astype(np.uint8))
    issue = golden.input("issue", np.array([[0, 255], [0, 0]], np.uint8))

    def pairs(limit):
        yield "issue", issue, (4, 4)
        for n, m in itertools.product(sizes, sizes):
            if m <= limit:
                yield str(n), inputs[n], (m, max(1, m - m // 3))

    for mode, antialias, exclude in [("linear", 0, 0), ("linear", 1, 0), ("cubic", 0, 0), ("cubic", 1, 0), ("cubic", 1, 1)]:
        for name, x, size in pairs(34):
            attributes = {"mode": mode, "antialias": antialias, "exclude_outside": exclude}
            if any(misplaced(attributes, n, m, m / n) for n, m in zip(x.shape, size)):
                continue
            y = onnx_resize(x, attributes, sizes=list(size))
            golden.case({"framework": "onnx", "input": name, "size": size, **attributes}, y=y)
    for method, (name, x, size) in itertools.product(["linear", "cubic", "lanczos3"], pairs(21)):
        y = np.asarray(jax.image.resize(jnp.asarray(x), size, method, antialias=True, precision="highest"))
        golden.case({"framework": "jax", "input": name, "size": size, "method": method, "antialias": True}, y=y)
    for method, antialias in [(m, a) for m in ["bilinear", "bicubic"] for a in (False, True)] + [(m, True) for m in ["lanczos3", "mitchellcubic", "gaussian"]]:
        for name, x, size in pairs(13):
            y = tf.image.resize(x[None, :, :, None], size, method, antialias=antialias).numpy()[0, :, :, 0]
            golden.case({"framework": "tensorflow", "input": name, "size": size, "method": method, "antialias": antialias}, y=y)
    return golden


def box_weights():
    import PIL
    from PIL import Image

    golden = Golden("box_weights", f"Pillow {PIL.__version__}", 0)
    parts = []
    for n in range(2, 65):
        one_hot = Image.fromarray(np.eye(n, dtype=np.float32))
        for m in range(1, n):
            # Row o, column i: the weight of input pixel i in output pixel o.
            parts.append(np.asarray(one_hot.resize((n, m), Image.Resampling.BOX)))
    for p in parts:
        for row in p:
            taps = np.flatnonzero(row)
            assert np.array_equal(taps, np.arange(taps[0], taps[-1] + 1)) and np.ptp(row[taps]) == 0
    # All taps of an output pixel weigh the same: the first, their number and the weight say all.
    first = np.concatenate([np.argmax(p != 0, axis=1) for p in parts])
    count = np.concatenate([(p != 0).sum(axis=1) for p in parts])
    weight = np.concatenate([p.max(axis=1) for p in parts])
    golden.case(
        {"filter": "box", "order": "n = 2..64, m = 1..n-1, o = 0..m-1"},
        first=first.astype(np.uint8),
        count=count.astype(np.uint8),
        weight=weight.astype(np.float32),
    )
    return golden


if __name__ == "__main__":
    made = {"nearest_maps": nearest_maps, "onnx_antialias": onnx_antialias, "bytes_once": bytes_once, "box_weights": box_weights}
    for wanted in sys.argv[1:] or sys.exit(__doc__):
        made[wanted]().save()
