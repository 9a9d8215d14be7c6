#!/usr/bin/env python3
"""Makes more golden files, as make_golden.py does: deep pictures by Pillow, area and exact linear by OpenCV, Lanczos by PyTorch.

    python make_pictures.py pillow_deep pillow_fit opencv_area torch_lanczos        # or any of them
"""

import itertools
import sys

import numpy as np
from make_golden import Golden, picture

FILTERS = ["NEAREST", "BOX", "BILINEAR", "HAMMING", "BICUBIC", "LANCZOS"]

# The ends of each type and a few values between: sums overshoot at nearly every edge.
EXTREMES = {
    "I;16": np.array([0, 65535, 65535, 0, 32768, 1, 12345], np.uint16),
    "I": np.array([0, 2**31 - 1, -(2**31), 2**30, 1, -1, 1234567], np.int32),
    "F": np.array([0, 1e30, -1e30, 1, -0.125, 255, 3e-39], np.float32),
}


def deep_picture(golden, mode, height, width):
    if mode in EXTREMES:
        return golden.random.choice(EXTREMES[mode], (height, width))
    pixels = picture(golden.random, height, width, {"LA": 2, "RGBA": 4}[mode])
    pixels[golden.random.random((height, width)) < 0.2, -1] = 0
    return pixels


def pillow_deep():
    import PIL
    from PIL import Image

    golden = Golden("pillow_deep", f"Pillow {PIL.__version__}", 11)

    def add(mode, shape, size, filter, box=None):
        name = f"{mode}_{shape[0]}x{shape[1]}"
        if f"in/{name}" not in golden.arrays:
            golden.input(name, deep_picture(golden, mode, *shape))
        x = golden.arrays[f"in/{name}"]
        y = np.asarray(Image.fromarray(x).resize(size[::-1], Image.Resampling[filter], box=box))
        golden.case({"input": name, "mode": mode, "filter": filter.lower(), "size": size} | ({"box": box} if box else {}), y=y)

    corner = golden.input("I;16_corner", np.array([[65535, 65535], [65535, 0]], np.uint16))
    for filter in FILTERS:
        y = np.asarray(Image.fromarray(corner).resize((3, 3), Image.Resampling[filter]))
        golden.case({"input": "I;16_corner", "mode": "I;16", "filter": filter.lower(), "size": (3, 3)}, y=y)
    for mode in EXTREMES:
        # Twice, odd enlarging, shrinking, mixed both ways, one axis only; of 21×8 to 3×5 and 13×34 to 5×34 the height is done first.
        sizes = [((5, 3), (10, 6)), ((8, 13), (21, 34)), ((21, 8), (3, 5)), ((13, 34), (5, 55)), ((13, 34), (34, 5)), ((13, 34), (5, 34)), ((1, 8), (3, 21))]
        for (shape, size), filter in itertools.product(sizes, FILTERS):
            add(mode, shape, size, filter)
        for filter in FILTERS:
            add(mode, (21, 8), (13, 11), filter, box=(0.75, 3.3, 7.125, 19.5))
    for mode, filter in itertools.product(["RGBA", "LA"], ["NEAREST", "BOX", "BICUBIC", "LANCZOS"]):
        add(mode, (11, 9), (17, 20), filter)
        add(mode, (11, 9), (4, 13), filter, box=(1.5, 0.25, 8.0, 10.0))
    for filter in ["NEAREST", "BICUBIC"]:
        add("RGBA", (11, 9), (5, 4), filter, box=(2.0, 3.0, 6.0, 8.0))  # a crop, with alpha multiplied and divided again
    return golden


def pillow_fit():
    """Parts of pictures, fitted and shrunk in two stages: every call that `picture` has a name for."""
    import PIL
    from PIL import Image, ImageOps

    golden = Golden("pillow_fit", f"Pillow {PIL.__version__}", 13)
    modes = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}
    for mode, channels in modes.items():
        for height, width in [(37, 52), (61, 23)]:
            pixels = picture(golden.random, height, width, channels) if channels > 1 else picture(golden.random, height, width, 3)[..., :1]
            if channels % 2 == 0:
                pixels[golden.random.random((height, width)) < 0.2, -1] = 0
                pixels[golden.random.random((height, width)) < 0.3, -1] = 255
            golden.input(f"{mode}_{height}x{width}", np.ascontiguousarray(pixels))

    def add(name, call, arguments, y):
        y = np.asarray(y)
        golden.case({"input": name, "call": call, **arguments, "size": y.shape[:2]}, y=y if y.ndim == 3 else y[..., None])

    colour = {"L": (90,), "LA": (90, 200), "RGB": (10, 200, 30), "RGBA": (10, 200, 30, 128)}
    for name in [f"{mode}_{size}" for mode in modes for size in ["37x52", "61x23"]]:
        mode = name.split("_")[0]
        pixels = golden.arrays[f"in/{name}"]
        image = Image.fromarray(pixels[..., 0] if mode == "L" else pixels)
        for filter in ["BOX", "BILINEAR", "HAMMING", "BICUBIC", "LANCZOS"]:
            method = Image.Resampling[filter]
            for asked in [(20, 20), (9, 31), (80, 64)]:
                given = {"filter": filter.lower(), "asked": asked}
                add(name, "resize", given, image.resize(asked[::-1], method))
                add(name, "cover", given, ImageOps.fit(image, asked[::-1], method))
                add(name, "contain", given, ImageOps.contain(image, asked[::-1], method))
                fill = colour[mode] if len(colour[mode]) > 1 else colour[mode][0]
                add(name, "pad", given | {"colour": colour[mode]}, ImageOps.pad(image, asked[::-1], method, color=fill))
            for asked, gap, box in [((5, 4), 1.0, None), ((7, 3), 2.0, None), ((4, 9), 1.5, (1.25, 3.5, 22.75, 36.0)), ((3, 3), 3.0, (2, 1, 20, 33))]:
                given = {"filter": filter.lower(), "asked": asked, "gap": gap} | ({"box": box} if box else {})
                add(name, "resize", given, image.resize(asked[::-1], method, box=box, reducing_gap=gap))
        for asked in [(8, 8), (13, 6), (40, 100), (100, 100)]:
            small = image.copy()
            small.thumbnail(asked[::-1])
            add(name, "thumbnail", {"filter": "bicubic", "asked": asked}, small)
    return golden


def opencv_area():
    import cv2

    golden = Golden("opencv_area", f"OpenCV {cv2.__version__}", 12)
    cv2.setNumThreads(1)

    def add(name, x, filter, **sized):
        where = {"dsize": sized["size"][::-1]} if "size" in sized else {"dsize": None, "fy": sized["scale"][0], "fx": sized["scale"][1]}
        y = cv2.resize(x, interpolation=getattr(cv2, f"INTER_{filter}"), **where)
        golden.case({"input": name, "dtype": str(x.dtype), "filter": filter.lower(), **sized, "size": y.shape[:2]}, y=y)

    # Whole factors (2×2, 3×4, 2 with 1), fractional ones, enlarging, one axis up and one down, one axis only, a single pixel.
    sizes = [(6, 8), (4, 4), (6, 16), (12, 8), (5, 7), (11, 15), (24, 32), (19, 21), (24, 8), (7, 20), (12, 5), (30, 16), (1, 1)]
    scales = [(0.5, 0.5), (0.3, 0.61), (1.37, 2.5), (0.4, 1.9)]
    for dtype, channels, filter in itertools.product([np.uint8, np.uint16, np.float32], [0, 3], ["AREA", "LINEAR_EXACT"]):
        name = f"{np.dtype(dtype).name}_{channels or 1}"
        if f"in/{name}" not in golden.arrays:
            golden.input(name, picture(golden.random, 12, 16, channels, dtype))
        x = golden.arrays[f"in/{name}"]
        for size in sizes:
            add(name, x, filter, size=size)
        for scale in scales:
            add(name, x, filter, scale=scale)
    # Bytes of the last rounding: sums that end in a half.
    for dtype in (np.uint8, np.uint16):
        name = f"halves_{np.dtype(dtype).name}"
        golden.input(name, golden.random.integers(0, 4, (12, 16)).astype(dtype))
        for size in [(6, 8), (6, 16), (12, 8), (3, 8), (4, 4), (8, 12)]:
            add(name, golden.arrays[f"in/{name}"], "AREA", size=size)
    # Weights: a row for each input pixel.
    for n in (5, 8, 13):
        name = f"identity_{n}"
        golden.input(name, np.eye(n, dtype=np.float32))
        for m in (1, 2, 3, 4, 7, 11, 16, 29):
            add(name, golden.arrays[f"in/{name}"], "AREA", size=(n, m))
    return golden


def torch_lanczos():
    import torch
    import torch.nn.functional as F

    torch.set_num_threads(1)
    golden = Golden("torch_lanczos", f"PyTorch {torch.__version__}", 13)

    def add(shape, dtype="float32", layout="contiguous", **arguments):
        kind = getattr(torch, dtype)
        floating = kind.is_floating_point
        if floating:
            x = torch.from_numpy(golden.random.integers(-64, 65, shape) / 16).to(kind)
        else:
            x = torch.from_numpy(picture(golden.random, shape[2], shape[3], shape[0] * shape[1]).transpose(2, 0, 1).reshape(shape).copy())
        if layout == "channels_last":
            x = x.to(memory_format=torch.channels_last)
        x.requires_grad_(floating)
        y = F.interpolate(x, mode="lanczos", antialias=True, **arguments)
        arrays = {"x": x.detach().contiguous().numpy(), "y": y.detach().contiguous().numpy()}
        if floating:
            dy = torch.from_numpy(golden.random.integers(-8, 9, tuple(y.shape)) / 4).to(kind)
            y.backward(dy)
            arrays |= {"dy": dy.numpy(), "dx": x.grad.contiguous().numpy()}
        golden.case({"op": "interpolate", "rank": 2, "dtype": dtype, "layout": layout, "mode": "lanczos", "antialias": True, **arguments}, **arrays)

    # No size with a width of 1 and a height above 1: PyTorch 2.15 gives every row the weights of the first there.
    sized = [
        ((1, 1, 13, 17), (5, 7)), ((2, 1, 7, 6), (15, 11)), ((1, 2, 8, 5), (3, 14)), ((1, 2, 6, 8), (17, 3)), ((1, 1, 9, 8), (1, 2)),
        ((1, 2, 6, 8), (6, 3)), ((1, 1, 6, 8), (6, 8)), ((1, 1, 1, 4), (2, 9)), ((1, 3, 3, 2), (10, 9)), ((1, 1, 40, 3), (7, 6)),
    ]  # fmt: skip
    scaled = [((1, 1, 13, 17), (0.4, 0.37)), ((1, 1, 7, 9), (2.3, 1.9)), ((1, 2, 12, 5), (0.3, 2.5)), ((1, 1, 6, 5), (2.0, 3.0))]
    for dtype, layout in itertools.product(["float32", "float64"], ["contiguous", "channels_last"]):
        for shape, size in sized:
            add(shape, dtype, layout, size=size)
        for shape, scale in scaled:
            add(shape, dtype, layout, scale_factor=scale)
        add((1, 1, 13, 17), dtype, layout, scale_factor=(0.4, 2.2), recompute_scale_factor=True)
    for channels, layout in itertools.product([1, 3], ["contiguous", "channels_last"]):
        for size in [(26, 34), (30, 9), (5, 7), (13, 30)]:
            add((1, channels, 13, 17), "uint8", layout, size=size)
        add((1, channels, 13, 17), "uint8", layout, scale_factor=(1.7, 0.6))
    return golden


if __name__ == "__main__":
    for wanted in sys.argv[1:] or sys.exit(__doc__):
        {"pillow_deep": pillow_deep, "pillow_fit": pillow_fit, "opencv_area": opencv_area, "torch_lanczos": torch_lanczos}[wanted]().save()
