"""Makes rearrange.npz and rearrange.json: what PyTorch computes for pooling, unpooling and pixel shuffling, forward and gradients.

Run in this folder with PyTorch and NumPy installed. Made with PyTorch 2.15.
"""

import json

import numpy as np
import torch
import torch.nn.functional as F

torch.manual_seed(7)
arrays, cases = {}, []


def keep(case, **tensors):
    for name, tensor in tensors.items():
        arrays[f"{len(cases)}/{name}"] = tensor.detach().numpy()
    cases.append(case)


def picture(shape, kind):
    """Few different values, so that many are equal; or all different; or some of them NaN or infinite."""
    if kind == "ties":
        return torch.randint(-2, 3, shape).float()
    x = torch.randn(shape)
    if kind == "nan":
        x[torch.rand(shape) < 0.2] = float("nan")
        x[torch.rand(shape) < 0.2] = float("-inf")
        x[torch.rand(shape) < 0.1] = float("inf")
    return x


POOLS = [
    # shape, kernel, stride, padding, dilation, ceil_mode
    ((2, 3, 11), [2], [2], [0], [1], False),
    ((1, 2, 12), [3], [2], [1], [1], True),
    ((1, 2, 13), [3], [4], [1], [3], True),
    ((2, 3, 8, 10), [2, 2], [2, 2], [0, 0], [1, 1], False),
    ((2, 3, 7, 9), [2, 2], [2, 2], [0, 0], [1, 1], True),
    ((1, 2, 9, 9), [3, 3], [2, 2], [1, 1], [1, 1], False),
    ((1, 2, 9, 8), [3, 3], [1, 1], [1, 1], [1, 1], False),
    ((1, 2, 10, 9), [3, 2], [2, 3], [1, 0], [2, 1], True),
    ((1, 1, 5, 5), [5, 5], [5, 5], [2, 2], [1, 1], True),
    ((1, 2, 7, 6), [2, 3], [3, 1], [1, 1], [3, 2], False),
    ((1, 2, 4, 6, 8), [2, 2, 2], [2, 2, 2], [0, 0, 0], [1, 1, 1], False),
    ((1, 2, 5, 6, 7), [3, 2, 3], [2, 2, 1], [1, 0, 1], [1, 2, 1], True),
]
pools = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
for shape, kernel, stride, padding, dilation, ceil_mode in POOLS:
    for kind in ["plain", "ties", "nan"]:
        x = picture(shape, kind).requires_grad_()
        y, indices = pools[len(kernel)](x, kernel, stride, padding, dilation, ceil_mode, True)
        dy = torch.randn(y.shape)
        (dx,) = torch.autograd.grad(y, x, dy)
        case = dict(op="max_pool", kind=kind, kernel=kernel, stride=stride, padding=padding, dilation=dilation, ceil_mode=ceil_mode)
        keep(case, x=x, y=y, indices=indices, dy=dy, dx=dx)

unpools = {1: F.max_unpool1d, 2: F.max_unpool2d, 3: F.max_unpool3d}
for shape, kernel in [((2, 3, 11), [3]), ((2, 3, 8, 10), [2, 2]), ((1, 2, 7, 9), [2, 4]), ((1, 2, 4, 6, 9), [2, 3, 2])]:
    y, indices = pools[len(kernel)](torch.randn(shape), kernel, kernel, return_indices=True)
    y = y.detach().requires_grad_()
    z = unpools[len(kernel)](y, indices, kernel, kernel, 0, shape[2:])
    dz = torch.randn(z.shape)
    (dy,) = torch.autograd.grad(z, y, dz)
    keep(dict(op="max_unpool", kernel=kernel), y=y, indices=indices, z=z, dz=dz, dy=dy)

for shape, block in [((2, 12, 3, 4), 2), ((1, 18, 2, 3), 3), ((1, 32, 3, 2), 4), ((2, 25, 1, 2), 5)]:
    x = torch.randn(shape)
    keep(dict(op="pixel_shuffle", block=block), x=x, y=F.pixel_shuffle(x, block))

np.savez_compressed("rearrange.npz", **arrays)
json.dump(cases, open("rearrange.json", "w"), indent=1)
