#!/usr/bin/env python3
"""Makes the golden files beside it: what PyTorch, Pillow, OpenCV, JAX and TensorFlow compute, on small random pictures.

    python make_golden.py pillow opencv torch        # or any of: pillow opencv torch jax tensorflow

writes NAME.npz (arrays) and NAME.json (the arguments of each case) for every name. Inputs that cases share are stored once,
as `in/<input>`; case number `id` has its output as `<id>/y`, and where there is a gradient also `<id>/dy` and `<id>/dx`.
Heights and rows come first in every `size` and `scale`.
"""

import io
import itertools
import json
import pathlib
import sys
import zipfile

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent


class Golden:
    """The arrays and the case list of one library."""

    def __init__(self, name, source, seed):
        self.name, self.source = name, source
        self.random = np.random.default_rng(seed)
        self.arrays, self.cases = {}, []

    def input(self, name, array):
        self.arrays.setdefault(f"in/{name}", np.ascontiguousarray(array))
        return self.arrays[f"in/{name}"]

    def case(self, arguments, **arrays):
        identifier = len(self.cases)
        self.cases.append({"id": identifier, **arguments})
        for name, array in arrays.items():
            self.arrays[f"{identifier}/{name}"] = np.ascontiguousarray(array)

    def save(self):
        # As np.savez_compressed, with the strongest deflate and no time stamps: the same numbers give the same file.
        path = HERE / f"{self.name}.npz"
        with zipfile.ZipFile(path, "w") as archive:
            for name, array in self.arrays.items():
                buffer = io.BytesIO()
                np.lib.format.write_array(buffer, array, allow_pickle=False)
                entry = zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))
                entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
                archive.writestr(entry, buffer.getvalue(), compresslevel=9)
        lines = ",\n".join("  " + json.dumps(case) for case in self.cases)
        (HERE / f"{self.name}.json").write_text(f'{{"source": {json.dumps(self.source)}, "cases": [\n{lines}\n]}}\n')
        print(f"{self.name}: {len(self.cases)} cases, {path.stat().st_size / 1024:.0f} KiB, {self.source}")


def picture(random, height, width, channels, dtype=np.uint8):
    """A slope, a hard edge and noise up to both ends of the range, so that overshoot saturates somewhere."""
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(max(channels, 1)), indexing="ij")
    slope = 255 * (x + y + 3 * c) / (height + width + 6)
    edges = np.where((x // 3 + y // 4 + c) % 2 == 0, 255, 0)
    noise = random.integers(0, 256, slope.shape)
    kind = random.integers(0, 3, slope.shape[:2])[..., None]
    mixed = np.where(kind == 0, slope, np.where(kind == 1, edges, noise)).round().astype(np.uint8)
    if channels == 0:
        mixed = mixed[..., 0]
    return mixed if dtype == np.uint8 else (mixed.astype(np.float64) * (257 if dtype == np.uint16 else 1 / 255)).astype(dtype)


# From 13×17 and 40×31: exactly twice, odd enlarging, shrinking, one axis up and one down (both ways), one axis only, the same, a single pixel.
SMALL = [(26, 34), (31, 29), (5, 7), (29, 7), (6, 40), (13, 30), (21, 17), (13, 17), (1, 1), (1, 20)]
LARGE = [(9, 11), (53, 47), (57, 12), (3, 45)]


def pictures(golden, kinds, dtype=np.uint8):
    """(name, picture, sizes) for each kind (name, channels), channels 0 for a picture without a channel axis."""
    tag = {np.uint8: "", np.uint16: "_u16", np.float32: "_f32"}[dtype]
    for (kind, channels), (height, width, sizes) in itertools.product(
        kinds, [(13, 17, SMALL), (40, 31, LARGE), (1, 1, [(4, 5)]), (1, 9, [(3, 20), (2, 4)])]
    ):
        name = f"{kind}{tag}_{height}x{width}"
        yield name, golden.input(name, picture(golden.random, height, width, channels, dtype)), sizes


def pillow():
    import PIL
    from PIL import Image

    golden = Golden("pillow", f"Pillow {PIL.__version__}", 1)
    filters = ["NEAREST", "BOX", "BILINEAR", "HAMMING", "BICUBIC", "LANCZOS"]
    for name, array, sizes in pictures(golden, [("L", 0), ("RGB", 3)]):
        for size, filter in itertools.product(sizes, filters):
            y = Image.fromarray(array).resize(size[::-1], Image.Resampling[filter])
            golden.case({"input": name, "mode": name[: name.index("_")], "filter": filter.lower(), "size": size}, y=np.asarray(y))
    # A part of the picture, in pixels: left, top, right, bottom.
    name, box = "L_40x31", (3.25, 10.5, 29.0, 33.75)
    for filter, size in itertools.product(filters, [(50, 21), (11, 60)]):
        y = Image.fromarray(golden.arrays[f"in/{name}"]).resize(size[::-1], Image.Resampling[filter], box=box)
        golden.case({"input": name, "mode": "L", "filter": filter.lower(), "size": size, "box": box}, y=np.asarray(y))
    # Transparent pictures: Pillow multiplies by alpha, resizes, divides.
    rgba = golden.input("RGBA_13x17", picture(golden.random, 13, 17, 4))
    for filter, size in itertools.product(["BILINEAR", "LANCZOS"], [(26, 34), (7, 30)]):
        y = Image.fromarray(rgba).resize(size[::-1], Image.Resampling[filter])
        golden.case({"input": "RGBA_13x17", "mode": "RGBA", "filter": filter.lower(), "size": size}, y=np.asarray(y))
    # Mode F keeps its sums in double precision and rounds to f32 after each pass.
    plane = golden.input("F_13x17", picture(golden.random, 13, 17, 0, np.float32))
    for filter, size in itertools.product(filters, [(26, 34), (5, 7), (29, 7)]):
        y = Image.fromarray(plane).resize(size[::-1], Image.Resampling[filter])
        golden.case({"input": "F_13x17", "mode": "F", "filter": filter.lower(), "size": size}, y=np.asarray(y))
    return golden


def opencv():
    import cv2

    golden = Golden("opencv", f"OpenCV {cv2.__version__}", 2)
    cv2.setNumThreads(1)
    every = ["NEAREST", "NEAREST_EXACT", "LINEAR", "LINEAR_EXACT", "CUBIC", "AREA", "LANCZOS4"]

    def add(name, array, sizes, filters):
        for size, filter in itertools.product(sizes, filters):
            y = cv2.resize(array, size[::-1], interpolation=getattr(cv2, f"INTER_{filter}"))
            golden.case({"input": name, "dtype": str(array.dtype), "filter": filter.lower(), "size": size}, y=y)

    def add_scales(name, array, filters):
        # With scales given the ratio of the coordinates is 1 / scale, not in / out.
        for scale, filter in itertools.product([(1.37, 2.2), (0.61, 0.43), (2.5, 0.5)], filters):
            y = cv2.resize(array, None, fx=scale[1], fy=scale[0], interpolation=getattr(cv2, f"INTER_{filter}"))
            golden.case({"input": name, "dtype": str(array.dtype), "filter": filter.lower(), "scale": scale, "size": y.shape[:2]}, y=y)

    for name, array, sizes in pictures(golden, [("gray", 0), ("rgb", 3)]):
        add(name, array, sizes, every)
        if "13x17" in name:
            add_scales(name, array, every)
    for dtype in (np.float32, np.uint16):
        for name, array, sizes in pictures(golden, [("gray", 0)], dtype):
            add(name, array, [s for s in sizes if max(s) < 50], ["NEAREST", "LINEAR", "CUBIC", "AREA", "LANCZOS4"])
    return golden


def float_pictures(golden):
    """N×H×W×C, values of few digits (they pack well)."""
    for name, shape, sizes in [
        ("a", (1, 9, 7, 1), [(18, 14), (20, 9), (4, 3), (17, 3), (2, 16), (9, 12), (1, 1), (9, 7)]),
        ("b", (2, 21, 11, 2), [(25, 6), (7, 13)]),
        ("c", (1, 1, 6, 1), [(3, 13), (1, 2)]),
    ]:
        yield name, golden.input(name, golden.random.integers(-64, 65, shape).astype(np.float32) / 16), sizes


def jax():
    import jax as library
    import jax.numpy as jnp

    library.config.update("jax_platforms", "cpu")
    golden = Golden("jax", f"JAX {library.__version__}", 3)
    for name, x, sizes in float_pictures(golden):
        for size, method, antialias in itertools.product(sizes, ["nearest", "linear", "cubic", "lanczos3", "lanczos5"], [True, False]):
            if method == "nearest" and antialias:
                continue  # has no effect on nearest

            def resize(x):
                return library.image.resize(x, (x.shape[0], *size, x.shape[3]), method, antialias=antialias, precision="highest")

            y, adjoint = library.vjp(resize, jnp.asarray(x))
            dy = golden.random.integers(-8, 9, y.shape).astype(np.float32) / 4
            arguments = {"input": name, "method": method, "antialias": antialias, "size": size}
            golden.case(arguments, y=np.asarray(y), dy=dy, dx=np.asarray(adjoint(jnp.asarray(dy))[0]))
    return golden


def tensorflow():
    import tensorflow as tf

    golden = Golden("tensorflow", f"TensorFlow {tf.__version__}", 4)
    methods = ["nearest", "bilinear", "bicubic", "area", "lanczos3", "lanczos5", "gaussian", "mitchellcubic"]
    for name, x, sizes in float_pictures(golden):
        for size, method, antialias in itertools.product(sizes, methods, [False, True]):
            if method in ("nearest", "area") and antialias:
                continue  # has no effect on these
            y = tf.image.resize(x, size, method, antialias=antialias).numpy()
            golden.case({"function": "tf.image.resize", "input": name, "method": method, "antialias": antialias, "size": size}, y=y)
        # TensorFlow 1: pixel corners as positions, or the corners aligned.
        for size, method, align in itertools.product(sizes[:4], ["nearest_neighbor", "bilinear", "bicubic"], [False, True]):
            y = getattr(tf.compat.v1.image, f"resize_{method}")(x, size, align_corners=align).numpy()
            arguments = {"function": "tf.compat.v1.image.resize", "input": name, "method": method, "align_corners": align, "size": size}
            golden.case(arguments, y=y)
    return golden


def torch():
    import torch as library
    import torch.nn.functional as F

    library.set_num_threads(1)
    golden = Golden("torch", f"PyTorch {library.__version__}", 5)
    random = golden.random
    modes = {1: ["linear"], 2: ["bilinear", "bicubic"], 3: ["trilinear"]}

    def stored(tensor):
        # NumPy has no bfloat16 and readers often no float16: both are kept as the 16 bits they are.
        tensor = tensor.detach().contiguous()
        return tensor.view(library.int16).numpy().view(np.uint16) if tensor.dtype.itemsize == 2 else tensor.numpy()

    def add(shape, mode, dtype="float32", layout="contiguous", why=None, **arguments):
        kind = getattr(library, dtype)
        floating = kind.is_floating_point
        if floating:
            x = library.from_numpy(random.integers(-64, 65, shape) / 16).to(kind)
        else:
            x = library.from_numpy(picture(random, shape[2], shape[3], shape[0] * shape[1]).transpose(2, 0, 1).reshape(shape).copy())
        if layout == "channels_last":
            x = x.to(memory_format=library.channels_last if len(shape) == 4 else library.channels_last_3d)
        x.requires_grad_(floating)
        if mode in ("linear", "bilinear", "bicubic", "trilinear"):
            arguments.setdefault("align_corners", False)
        rank = len(shape) - 2
        try:
            y = F.interpolate(x, mode=mode, **arguments)
        except (NotImplementedError, RuntimeError) as error:
            print("PyTorch cannot:", dtype, mode, arguments, "-", str(error).splitlines()[0], file=sys.stderr)
            return
        described = {"op": "interpolate", "rank": rank, "dtype": dtype, "layout": layout, "mode": mode, **arguments}
        if why:
            described["why"] = why
        arrays = {"x": stored(x), "y": stored(y)}
        if floating:
            dy = library.from_numpy(random.integers(-8, 9, tuple(y.shape)) / 4).to(kind)
            y.backward(dy)
            arrays |= {"dy": stored(dy), "dx": stored(x.grad)}
        golden.case(described, **arrays)

    def every_mode(rank):
        for mode in ["nearest", "nearest-exact", "area"]:
            yield mode, {}
        for mode, align in itertools.product(modes[rank], [False, True]):
            yield mode, {"align_corners": align}

    # Antialias: aligned corners, a scale instead of a size, both; enlarging, shrinking, mixed; every type.
    for mode, align, layout in itertools.product(["bilinear", "bicubic"], [False, True], ["contiguous", "channels_last"]):
        common = {"mode": mode, "align_corners": align, "antialias": True, "layout": layout}
        for shape, size in [((1, 1, 13, 17), (5, 7)), ((2, 1, 7, 6), (15, 11)), ((1, 2, 8, 5), (3, 14)), ((1, 1, 9, 8), (1, 1)), ((1, 1, 6, 8), (6, 3))]:
            add(shape, size=size, why="antialias", **common)
        for shape, scale in [((1, 1, 13, 17), (0.4, 0.37)), ((1, 1, 7, 9), (2.3, 1.9)), ((1, 1, 12, 5), (0.3, 2.5))]:
            add(shape, scale_factor=scale, why="antialias with a scale", **common)
        add((1, 1, 13, 17), scale_factor=(0.4, 2.2), recompute_scale_factor=True, why="antialias with a scale", **common)
    for mode, dtype in itertools.product(["bilinear", "bicubic"], ["float64", "float16", "bfloat16"]):
        add((1, 2, 13, 17), mode, dtype, antialias=True, size=(5, 30), why="antialias")

    # uint8: nearest is a copy; bilinear and bicubic have integer arithmetic of their own.
    for mode, layout in itertools.product(["nearest", "nearest-exact"], ["contiguous", "channels_last"]):
        for shape, size in [((1, 3, 13, 17), (26, 34)), ((2, 2, 13, 17), (30, 9)), ((1, 1, 5, 6), (13, 6))]:
            add(shape, mode, "uint8", layout, size=size, why="uint8")
        add((1, 3, 13, 17), mode, "uint8", layout, scale_factor=(1.7, 0.6), why="uint8")
    for mode, layout, antialias in itertools.product(["bilinear", "bicubic"], ["contiguous", "channels_last"], [False, True]):
        for shape, size in [((1, 3, 13, 17), (26, 34)), ((1, 1, 13, 17), (30, 9)), ((2, 2, 13, 17), (5, 7))]:
            add(shape, mode, "uint8", layout, antialias=antialias, size=size, why="uint8")

    # One output pixel, one input pixel, the same size, in every mode, rank and type.
    for rank in (1, 2, 3):
        for mode, arguments in every_mode(rank):
            for dtype in ("float32", "float64"):
                add((2, 1) + (7, 5, 6)[:rank], mode, dtype, size=(1,) * rank, why="one output pixel", **arguments)
                add((1, 2) + (1,) * rank, mode, dtype, size=(4, 3, 2)[:rank], why="one input pixel", **arguments)
            add((1, 2) + (4, 3, 5)[:rank], mode, size=(4, 3, 5)[:rank], why="same size", **arguments)
            add((1, 1) + (4, 3, 5)[:rank], mode, scale_factor=(1.0,) * rank, why="scale 1", **arguments)

    # Indices that rounding decides.
    for mode, dtype in itertools.product(["nearest", "nearest-exact", "linear", "area"], ["float32", "float64", "float16", "bfloat16"]):
        add((1, 1, 2), mode, dtype, size=82, why="2 to 82")
        add((1, 1, 539), mode, dtype, size=540, why="539 to 540")
    for mode, dtype in itertools.product(["nearest", "nearest-exact", "linear"], ["float32", "float64"]):
        for shape, size in [(49, 343), (3, 41), (150, 157), (157, 53), (6, 13)]:
            add((1, 1, shape), mode, dtype, size=size, why="rounding")
        for shape, scale in [(10, 2.0), (10, 0.5), (11, 2.0), (10, 1.9999), (7, 3.3), (30, 1 / 3), (29, 1.1), (5, 2.0000001)]:
            add((1, 1, shape), mode, dtype, scale_factor=scale, why="scale")
            if dtype == "float32":
                add((1, 1, shape), mode, dtype, scale_factor=scale, recompute_scale_factor=True, why="scale recomputed")

    # Half precision, every mode.
    for rank, dtype in itertools.product((1, 2, 3), ("float16", "bfloat16")):
        for mode, arguments in every_mode(rank):
            add((2, 1) + (4, 5, 3)[:rank], mode, dtype, size=(6, 9, 4)[:rank], why="half precision", **arguments)
            add((1, 1) + (6, 9, 4)[:rank], mode, dtype, size=(4, 5, 3)[:rank], why="half precision", **arguments)
            add((1, 1) + (4, 5, 2)[:rank], mode, dtype, scale_factor=(2.0,) * rank, why="half precision", **arguments)

    # Exact twice, thrice and four times, and the gradient of much shrinking, where many terms meet.
    for rank in (1, 2, 3):
        for mode, arguments in every_mode(rank):
            for scale in (2.0, 3.0, 4.0) if rank < 3 else (2.0,):
                add((1, 1) + (4, 7, 2)[:rank], mode, scale_factor=(scale,) * rank, why="integer scale", **arguments)
            add((1, 1) + (20, 31, 5)[:rank], mode, size=(4, 3, 2)[:rank], why="shrinking", **arguments)

    # Larger ones: several blocks of any engine, several channels, both layouts.
    for mode, arguments in every_mode(2):
        add((1, 1, 13, 37), mode, size=(23, 75), why="larger", **arguments)
        add((1, 19, 3, 4), mode, layout="channels_last", size=(5, 9), why="larger", **arguments)
    add((1, 1, 50, 90), "bilinear", antialias=True, size=(17, 40), why="larger")
    add((1, 1, 5, 6, 10), "trilinear", size=(7, 13, 25), why="larger")
    return golden


if __name__ == "__main__":
    for wanted in sys.argv[1:] or sys.exit(__doc__):
        {"pillow": pillow, "opencv": opencv, "jax": jax, "tensorflow": tensorflow, "torch": torch}[wanted]().save()
