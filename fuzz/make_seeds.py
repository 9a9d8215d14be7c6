#!/usr/bin/env python3
"""Writes the recorded cases of tests/data/ as seeds of the fuzz targets: fuzz/make_seeds.py. Needs NumPy.

A seed is what `arbitrary` reads, field by field in the order of the target's `Case`:
  a number in a range FROM..=TO: one byte, FROM + byte % (TO - FROM + 1), little by little for wider types;
  bool: one byte, its lowest bit;  Option: a bool, then the value where there is one;
  a variant: four bytes, little-endian, (number * variants) >> 32;
  Vec: before each element a bool that says whether it comes;  integers and f64: little-endian.
`cargo +nightly fuzz fmt TARGET FILE` prints the case that a seed is read as. Sizes beyond a target's ranges are cut to them.
"""

import hashlib
import json
import struct
from pathlib import Path

import numpy as np

FUZZ = Path(__file__).parent
DATA = FUZZ.parent / "tests" / "data"


def number(value, lowest, highest):
    value = min(max(int(value), lowest), highest)
    return bytes([value - lowest])


def numbers(values, lowest, highest):
    return b"".join(number(value, lowest, highest) for value in values)


def flag(value):
    return bytes([bool(value)])


def variant(name, names):
    return struct.pack("<I", -(-(names.index(name) << 32) // len(names)))


def three(values, fill=1):
    return [fill] * (3 - len(values)) + [int(value) for value in values]


LAYOUTS = ["RowMajor", "ChannelsLast", "Mirrored", "Spaced", "Broadcast"]
VALUES = ["Finite", "Hostile"]


def turns(case, names):
    """One of the names, another for the next case, the same in every run."""
    return names[hashlib.sha256(repr(case).encode()).digest()[0] % len(names)]


def recorded():
    """(name, options, arrays by name) of every case of PyTorch and ONNX."""
    arrays = np.load(DATA / "torch/cases.npz")
    for case in json.loads((DATA / "torch/manifest.json").read_text())["cases"]:
        prefix = f"{case['id']}/"
        yield f"torch-{case['id']}", case, {key.removeprefix(prefix): arrays[key] for key in arrays.files if key.startswith(prefix)}
    for case in json.loads((DATA / "onnx/manifest.json").read_text()):
        found = np.load(DATA / f"onnx/{case['name']}.npz")
        renamed = {"in_0": "x", "in_1": "w", "out_0": "y"}
        yield f"onnx-{case['name'].removeprefix('test_')}", case, {renamed.get(key, key): found[key] for key in found.files}


class Convolution:
    """The options of a transposed convolution, one a spatial axis, from either framework's names."""

    def __init__(self, case, arrays):
        x, w, options = arrays["x"], arrays["w"], case.get("attributes", case)
        rank = x.ndim - 2
        pads = options.get("pads") or list(options.get("padding", [0] * rank)) * 2
        self.input, self.kernel, self.output = x.shape[2:], w.shape[2:], arrays["y"].shape[2:]
        self.stride = options.get("strides") or options.get("stride") or [1] * rank
        self.dilation = options.get("dilations") or options.get("dilation") or [1] * rank
        self.begin, self.end = pads[:rank], pads[rank:]
        self.extra = options.get("output_padding", [0] * rank)
        self.groups = options.get("group") or options.get("groups") or 1
        self.batch, self.coarse, self.fine = x.shape[0], x.shape[1] // self.groups, w.shape[1]
        self.double = x.dtype == np.float64

    def conv_transpose(self, name, many=False):
        axes = [
            number(n, 1, 9) + number(k, 1, 9) + number(s, 1, 5) + number(d, 1, 3) + number(b, 0, 5) + number(e, 0, 5) + number(o, 0, 4)
            for n, k, s, d, b, e, o in zip(self.input, self.kernel, self.stride, self.dilation, self.begin, self.end, self.extra)
        ]
        missing = [flag(False)] * (3 - len(axes))
        axes = missing + [flag(True) + axis for axis in axes[:-1]] + [axes[-1]]
        shape = number(self.batch, 0, 3) + number(self.groups, 1, 3) + number(self.coarse, 0, 9) + number(self.fine, 0, 9)
        many_shape = number(1, 0, 3) + number(1, 1, 3) + bytes([12, 12])
        layouts = b"".join(variant(turns((name, i), LAYOUTS), LAYOUTS) for i in range(3))
        return b"".join(axes) + (many_shape if many else shape) + struct.pack("<H", 7) + variant("Finite", VALUES) + layouts + bytes([turns(name, range(4))]) + flag(self.double)

    def sizes(self, name):
        small = lambda value: b"\0" + bytes([value]) if value < 40 else b"\x09" + struct.pack("<Q", value)
        fields = [self.input, self.output, self.kernel, self.stride, self.dilation, self.begin, self.end, self.extra]
        scale = self.output[-1] / self.input[-1]
        return (
            b"".join(small(field[-1]) for field in fields)
            + struct.pack("<d", scale)
            + struct.pack("<H", round(scale * 4096) % 65536)
            + small(self.groups)
            + turns(name, [flag(False), flag(True) + flag(True), flag(True) + flag(False)])
            + flag(turns(name, range(2)))
            + flag(turns(name, range(3)))
        )


def resize(name, case, arrays):
    options = case.get("attributes", case)
    mode, x, y = options["mode"], arrays["x"], arrays["y"]
    methods = ["Nearest", "Linear", "Cubic", "Mitchell", "Hamming", "Lanczos", "Area"]
    method = {"area": "Area", "cubic": "Cubic", "bicubic": "Cubic"}.get(mode, "Nearest" if mode.startswith("nearest") else "Linear")
    rules = ["HalfPixel", "Symmetric", "Asymmetric", "AlignCorners", "ForNn", "Crop"]
    rule = options.get("coordinate_transformation_mode", "align_corners" if options.get("align_corners") else "half_pixel")
    rule = {"half_pixel_symmetric": "Symmetric", "asymmetric": "Asymmetric", "align_corners": "AlignCorners", "tf_crop_and_resize": "Crop"}.get(rule, "HalfPixel")
    types = ["Single", "Double", "Byte", "Short"]
    kind = turns(name, types)
    return (
        variant(method, methods)
        + variant(rule, rules)
        + flag(options.get("antialias"))
        + flag(options.get("exclude_outside"))
        + numbers(three(x.shape[2:]), 1, 24)
        + numbers(three(y.shape[2:]), 1, 40)
        + flag(x.ndim == 5)
        + flag("scale_factor" in options or "in_2" in arrays)
        + number(x.shape[0], 0, 2)
        + number(x.shape[1], 0, 6)
        + struct.pack("<H", 7)
        + variant("Finite", VALUES)
        + variant("ChannelsLast" if options.get("layout") == "channels_last" else turns(name, LAYOUTS), LAYOUTS)
        + flag(options.get("layout") == "channels_last")
        + bytes([turns((name, "backend"), range(4))])
        + variant(kind, types)
        + flag(turns(name, range(2)))
    )


OPERATORS = ["Shuffle", "Nails", "Crop", "Pool", "Unpool"]


def rearrange(name, shape, operator):
    shape = list(shape[:2]) + three(shape[2:])
    return (
        number(shape[0], 0, 3)
        + number(shape[1], 0, 5)
        + numbers(shape[2:], 0, 7)
        + struct.pack("<H", 7)
        + variant("Finite", VALUES)
        + variant(turns(name, LAYOUTS), LAYOUTS)
        + operator
    )


def unpool(indices, output, counted):
    flat = [index for index in indices.ravel().tolist() if index < 1 << 15][:30]
    found = b"".join(b"\1" + struct.pack("<h", index) for index in flat) + b"\0"
    counted = flag(True) + numbers(three(counted), 0, 7) if counted else flag(False)
    return variant("Unpool", OPERATORS) + found + numbers(three(output), 0, 7) + counted + flag(False)


def rearranging():
    arrays = np.load(DATA / "rearrange.npz")
    for place, case in enumerate(json.loads((DATA / "rearrange.json").read_text())):
        name = f"{case['op']}-{place}"
        x = arrays[f"{place}/{'y' if case['op'] == 'max_unpool' else 'x'}"]
        if case["op"] == "pixel_shuffle":
            block, c = case["block"], x.shape[1] // case["block"] ** (x.ndim - 2)
            operator = variant("Shuffle", OPERATORS) + numbers(three([block] * (x.ndim - 2)), 1, 4) + flag(False)
            yield name, rearrange(name, [x.shape[0], c, *x.shape[2:]], operator)
        elif case["op"] == "max_pool":
            options = [(case["kernel"], 1, 4, 1), (case["stride"], 1, 4, 1), (case["padding"], 0, 3, 0), (case["dilation"], 1, 3, 1)]
            fields = b"".join(numbers(three(values, fill), low, high) for values, low, high, fill in options)
            yield name, rearrange(name, x.shape, variant("Pool", OPERATORS) + fields + flag(case["ceil_mode"]) + flag(False))
        elif case["op"] == "max_unpool":
            yield name, rearrange(name, x.shape, unpool(arrays[f"{place}/indices"], arrays[f"{place}/z"].shape[2:], None))
    for name, case, arrays in recorded():
        if case["op"] in ("DepthToSpace", "SpaceToDepth"):
            deep, wide = sorted((arrays["x"].shape, arrays["y"].shape), key=lambda shape: -shape[1])
            block = case["attributes"]["blocksize"]
            operator = variant("Shuffle", OPERATORS) + numbers(three([block, block]), 1, 4) + flag(case["attributes"].get("mode", "DCR") == "DCR")
            yield name, rearrange(name, [*wide[:2], *deep[2:]], operator)
        elif case["op"] == "MaxUnpool":
            x, size = arrays["x"], arrays["y"].shape[2:]
            counted = [2 * n for n in x.shape[2:]] if "in_2" in arrays else None
            yield name, rearrange(name, x.shape, unpool(arrays["w"], size, counted))


def main():
    def write(target, name, seed):
        folder = FUZZ / "seeds" / target
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(seed)

    for name, case, arrays in recorded():
        if case["op"] in ("conv_transpose", "ConvTranspose"):
            convolution = Convolution(case, arrays)
            write("conv_transpose", name, convolution.conv_transpose(name))
            if max(convolution.kernel) > 1 and int(hashlib.sha256(name.encode()).hexdigest(), 16) % 3 == 0:
                # The same window between 32 channels and 32, where fewer multiplications are taken.
                write("conv_transpose", f"{name}-many", convolution.conv_transpose(name, many=True))
            write("sizes", name, convolution.sizes(name))
        elif case["op"] in ("interpolate", "Resize", "Upsample"):
            write("resize", name, resize(name, case, arrays))
    for name, seed in rearranging():
        write("rearrange", name, seed)


if __name__ == "__main__":
    main()
