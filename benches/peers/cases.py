"""The cases: what is measured, against whom, and how much faster this crate must be."""

import dataclasses

PYTORCH, ONNX, OPENCV, PILLOW = "PyTorch", "ONNX Runtime", "OpenCV", "Pillow"
FAST_IMAGE_RESIZE, PIC_SCALE, CANDLE, BURN = "fast_image_resize", "pic-scale", "candle", "burn-flex"
OURS, PREPARED, PLANNING, AVX2 = "upsample", "upsample prepared", "upsample with plan", "upsample AVX2"
PRODUCTS = ("gemm", "matrixmultiply")

# Where a peer follows another convention than the case, its numbers are compared with this crate's under that convention.
CONVENTIONS = {
    OPENCV: {"profile": "opencv", "lobes": 4},
    PILLOW: {"profile": "pillow"},
    FAST_IMAGE_RESIZE: {"profile": "pillow"},
    PIC_SCALE: {"profile": "pillow"},
}

# Peers that are known to compute something else, and what. Any other difference is an error of the run.
KNOWN_DIFFERENCES = {PIC_SCALE: "drops a tap of its filter at every second pixel when it enlarges"}


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    group: str
    operator: str  # resize, conv_transpose
    input: tuple  # N, C, then the spatial axes, whatever the layout
    output: tuple
    peers: tuple
    must: tuple = ()  # (peers, ratio): at least so many times as fast as the fastest of these peers
    bus: float = 0.0  # the least share of the copy bandwidth
    operation: str = "forward"  # forward, input_gradient, weight_gradient
    dtype: str = "f32"
    layout: str = "channels_first"
    # resize
    method: str = ""
    profile: str = "torch"
    lobes: int = 3
    align_corners: bool = False
    antialias: bool = False
    picture: bool = False  # H×W×C with Pillow's numbers; colours are weighted by alpha where there are 4 channels
    linear_light: bool = False
    # conv_transpose, the same along every axis
    kernel: int = 0
    stride: int = 0
    padding: int = 0
    output_padding: int = 0
    groups: int = 1

    @property
    def engines(self):
        """Everything that could run it, this crate first."""
        if self.picture:
            return (OURS, PLANNING, AVX2, *self.peers)
        if self.operator == "resize":
            return (OURS, *self.peers)
        own = (OURS, PREPARED) if self.operation == "forward" else (OURS,)
        return (*own, *self.peers, *PRODUCTS)

    @property
    def weight_shape(self):
        return (self.input[1], self.output[1] // self.groups, self.kernel, self.kernel)

    @property
    def bytes_moved(self):
        """What a resize must read and write at the least."""
        elements = [1, 1]
        for axis, sizes in enumerate((self.input, self.output)):
            for size in sizes:
                elements[axis] *= size
        return sum(elements) * {"f32": 4, "u16": 2, "u8": 1}[self.dtype]

    @property
    def operations(self):
        """Two for each multiplication of the definition, those at the cropped border included."""
        n, c, h, w = self.input
        return 2 * n * c * h * w * (self.output[1] // self.groups) * self.kernel**2

    def request(self, **changes):
        """The case for the Rust half, as a dictionary."""
        case = {name: value for name, value in dataclasses.asdict(self).items() if name not in ("peers", "must", "bus", "group", "name")}
        case["pass"] = case.pop("operation")
        return case | changes


def tensors():
    """f32 tensors of many channels."""
    group, gradients, peers = "Tensors, f32, N×C×H×W", "Gradients, f32, N×C×H×W", (PYTORCH, ONNX, BURN, CANDLE)
    small, large = (1, 64, 128, 128), (1, 64, 256, 256)
    volume, large_volume = (1, 16, 32, 48, 48), (1, 16, 64, 96, 96)

    def make(name, input, output, method, **rest):
        return Case(name=name, operator="resize", input=input, output=output, method=method, **rest)

    both = {"group": group, "peers": peers}
    yield make("nearest-2x", small, large, "nearest", must=(((PYTORCH,), 4), ((ONNX,), 1.1)), **both)
    yield make("bilinear-2x", small, large, "linear", must=(((PYTORCH,), 7), ((ONNX,), 7)), bus=0.65, **both)
    yield make("bicubic-2x", small, large, "cubic", must=(((PYTORCH,), 12),), **both)
    yield make("bilinear-65-513", (1, 21, 65, 65), (1, 21, 513, 513), "linear", align_corners=True, must=(((PYTORCH,), 6),), **both)
    yield make("trilinear-2x", volume, large_volume, "linear", must=(((PYTORCH,), 12), ((ONNX,), 6)), group=group, peers=(PYTORCH, ONNX))
    yield make(
        "antialias-512-200", (1, 16, 512, 512), (1, 16, 200, 200), "linear", antialias=True,
        must=(((PYTORCH,), 2.5),), group=group, peers=(PYTORCH,),
    )  # fmt: skip

    last = {"group": "Tensors, f32, N×H×W×C", "layout": "channels_last", "peers": (PYTORCH,)}
    yield make("nhwc-nearest-2x", small, large, "nearest", **last)
    yield make("nhwc-bilinear-2x", small, large, "linear", must=(((PYTORCH,), 1),), **last)
    yield make("nhwc-bicubic-2x", small, large, "cubic", must=(((PYTORCH,), 15),), **last)

    back = {"group": gradients, "operation": "input_gradient"}
    yield make("nearest-2x-gradient", small, large, "nearest", must=(((PYTORCH,), 4),), peers=(PYTORCH, BURN), **back)
    yield make("bilinear-2x-gradient", small, large, "linear", must=(((PYTORCH,), 8),), peers=(PYTORCH, BURN), **back)
    yield make("bicubic-2x-gradient", small, large, "cubic", must=(((PYTORCH,), 25),), peers=(PYTORCH, BURN), **back)
    yield make("trilinear-2x-gradient", volume, large_volume, "linear", must=(((PYTORCH,), 10),), peers=(PYTORCH,), **back)


def pictures():
    """1920×1080 → 3840×2160."""
    rivals = (OPENCV, FAST_IMAGE_RESIZE, PIC_SCALE)

    def make(name, channels, method, dtype, ratio, peers):
        small, large = (1, channels, 1080, 1920), (1, channels, 2160, 3840)
        return Case(
            name=name, group="Pictures, 1920×1080 → 3840×2160", operator="resize", input=small, output=large, method=method,
            dtype=dtype, layout="channels_last", profile="pillow", peers=peers, must=((rivals, ratio),),
        )  # fmt: skip

    for name, method in [("nearest", "nearest"), ("bilinear", "linear"), ("bicubic", "cubic"), ("lanczos3", "lanczos")]:
        yield make(f"rgb8-{name}", 3, method, "u8", 1.2, (*rivals, PILLOW))
    for name, method in [("bilinear", "linear"), ("bicubic", "cubic")]:
        yield make(f"plane32-{name}", 1, method, "f32", 1.3, (*rivals, PILLOW))
    for name, method in [("bilinear", "linear"), ("bicubic", "cubic")]:
        yield make(f"rgb32-{name}", 3, method, "f32", 1.3, rivals)


# Name, and [height, width] of input and output.
SIZES = [
    ("1080p-360p", (1080, 1920), (360, 640)),
    ("1080p-224", (1080, 1920), (224, 224)),
    ("480p-224", (480, 640), (224, 224)),
    ("100-37x41", (100, 100), (37, 41)),
    ("32-64", (32, 32), (64, 64)),
    ("4k-1080p", (2160, 3840), (1080, 1920)),
    ("1080p-4k", (1080, 1920), (2160, 3840)),
]
# Name, type, channels, linear light.
PIXELS = [
    ("rgb8", "u8", 3, False),
    ("rgba8", "u8", 4, False),
    ("rgb8-light", "u8", 3, True),
    ("rgba8-light", "u8", 4, True),
    ("rgb16", "u16", 3, False),
    ("rgba16", "u16", 4, False),
    ("rgb32", "f32", 3, False),
    ("rgba32", "f32", 4, False),
]


def photographs():
    """Pictures with Pillow's numbers. OpenCV, which does not antialias bilinear and bicubic, computes something else when shrinking."""
    rivals = (FAST_IMAGE_RESIZE, PIC_SCALE, PYTORCH, PILLOW)
    for pixels, dtype, channels, light in PIXELS:
        for size, small, large in SIZES:
            for name, method in [("bilinear", "linear"), ("bicubic", "cubic"), ("lanczos3", "lanczos")]:
                yield Case(
                    name=f"{pixels}-{size}-{name}", group=f"Photographs, {pixels}", operator="resize", input=(1, channels, *small),
                    output=(1, channels, *large), method=method, dtype=dtype, layout="channels_last", profile="pillow", antialias=True,
                    picture=True, linear_light=light, peers=rivals, must=((rivals, 1.2),),
                )  # fmt: skip


# name, input, output channels, kernel, stride, padding, output padding, groups, ratios of forward, dX, dW
CONVOLUTIONS = [
    ("k4s2-512-256", (16, 512, 8, 8), 256, 4, 2, 1, 0, 1, (1.5, 1.4, 1.4)),
    ("k4s2-128-64", (4, 128, 32, 32), 64, 4, 2, 1, 0, 1, (1.5, 1.4, 1.4)),
    ("k2s2-128-64", (1, 128, 64, 64), 64, 2, 2, 0, 0, 1, (1.2, 1.3, 1.3)),
    ("k3s2-64-32", (1, 64, 64, 64), 32, 3, 2, 1, 1, 1, (1.4, 1.3, 1.3)),
    ("k16s8-groups", (1, 21, 64, 64), 21, 16, 8, 4, 0, 21, (6, 6, 15)),
    ("k9s3-56-1", (1, 56, 128, 128), 1, 9, 3, 3, 0, 1, (1.6, 2, 5)),
    ("k3s1-64-64", (1, 64, 64, 64), 64, 3, 1, 1, 0, 1, (1.2, 1.2, 1.2)),
    # Generators: DCGAN's layers, pix2pix's first ones; U-Net's ways up; FCN's last layer. One picture, and a batch.
    ("dcgan-100-1024", (1, 100, 1, 1), 1024, 4, 1, 0, 0, 1, (1, 1, 1)),
    ("dcgan-1024-512", (1, 1024, 4, 4), 512, 4, 2, 1, 0, 1, (1, 1, 1)),
    ("dcgan-512-256", (1, 512, 8, 8), 256, 4, 2, 1, 0, 1, (1, 1, 1)),
    ("dcgan-256-128", (1, 256, 16, 16), 128, 4, 2, 1, 0, 1, (1, 1, 1)),
    ("dcgan-128-3", (1, 128, 32, 32), 3, 4, 2, 1, 0, 1, (1, 1, 1)),
    ("dcgan-100-1024-batch", (16, 100, 1, 1), 1024, 4, 1, 0, 0, 1, (1, 1, 1)),
    ("dcgan-1024-512-batch", (16, 1024, 4, 4), 512, 4, 2, 1, 0, 1, (1, 1, 1)),
    ("dcgan-256-128-batch", (16, 256, 16, 16), 128, 4, 2, 1, 0, 1, (1, 1, 1)),
    ("pix2pix-512-512", (1, 512, 1, 1), 512, 4, 2, 1, 0, 1, (1, 1, 1)),
    ("pix2pix-1024-512", (1, 1024, 2, 2), 512, 4, 2, 1, 0, 1, (1, 1, 1)),
    ("unet-1024-512", (1, 1024, 16, 16), 512, 2, 2, 0, 0, 1, (1, 1, 1)),
    ("unet-512-256", (1, 512, 28, 28), 256, 2, 2, 0, 0, 1, (1, 1, 1)),
    ("unet-256-128", (1, 256, 56, 56), 128, 2, 2, 0, 0, 1, (1, 1, 1)),
    ("k3s2-32-32", (1, 32, 128, 128), 32, 3, 2, 1, 1, 1, (1, 1, 1)),
    ("k4s2-8-8", (1, 8, 64, 64), 8, 4, 2, 1, 0, 1, (1, 1, 1)),
    ("k4s2-3-3", (1, 3, 128, 128), 3, 4, 2, 1, 0, 1, (1, 1, 1)),
    ("k16s8-21-21", (1, 21, 34, 34), 21, 16, 8, 4, 0, 1, (1, 1, 1)),
    ("k1s8-64-64", (1, 64, 64, 64), 64, 1, 8, 0, 7, 1, (1, 1, 1)),
]
PASSES = [
    ("", "forward", (PYTORCH, ONNX, BURN, CANDLE), (PYTORCH, ONNX)),
    ("-dx", "input_gradient", (PYTORCH, BURN), (PYTORCH,)),
    ("-dw", "weight_gradient", (PYTORCH, BURN), (PYTORCH,)),
]


def convolutions():
    for name, input, channels, kernel, stride, padding, output_padding, groups, ratios in CONVOLUTIONS:
        size = [(n - 1) * stride + kernel - 2 * padding + output_padding for n in input[2:]]
        for (suffix, operation, peers, rivals), ratio in zip(PASSES, ratios):
            yield Case(
                name=name + suffix, group="Transposed convolution, f32", operator="conv_transpose", operation=operation,
                input=input, output=(input[0], channels, *size), kernel=kernel, stride=stride, padding=padding,
                output_padding=output_padding, groups=groups, peers=peers, must=((rivals, ratio),),
            )  # fmt: skip


CASES = [*tensors(), *pictures(), *photographs(), *convolutions()]
