"""Means, variances and mean squares, in float32 at least, with lean gradients.

Torch's own `var` takes ten passes' time on a CPU, and the gradients of `square`, `vector_norm` and
`addcmul` make several full-size tensors where one product is enough: with these functions a layer
takes half the time. Each keeps its input for the gradient and nothing else of that size.
"""

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function


def wide(x: Tensor) -> Tensor:
    """Return `x` in float32 where it is of a half type: the square of 1e4 is no float16."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def mean_square(x: Tensor, axes: tuple[int, ...]) -> Tensor:
    """Return the mean of x^2 over `axes`, which keep length 1; of float32 at least."""
    found: Tensor = _MeanSquare.apply(x, axes)  # type: ignore[no-untyped-call]  # torch's
    return found


def moments(x: Tensor, axes: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Return mean and biased variance over `axes`, which keep length 1; of float32 at least."""
    mean, variance = _Moments.apply(x, axes)  # type: ignore[no-untyped-call]  # torch's
    return mean, variance


def merged(mean: Tensor, variance: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """Return the moments of the union of equal parts from those of the parts along `axis`.

    The variance is the mean of the variances and the variance of the means: no second pass over the
    pixels, and no difference of large squares.
    """
    whole = mean.mean(axis, keepdim=True)
    between = (mean - whole).square().mean(axis, keepdim=True)
    return whole, variance.mean(axis, keepdim=True) + between


def _count(x: Tensor, axes: tuple[int, ...]) -> int:
    return math.prod([x.shape[axis] for axis in axes])  # a list: torch.compile can read it


class _MeanSquare(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, axes: tuple[int, ...]) -> Tensor:
        ctx.save_for_backward(x)
        ctx.axes = axes
        return wide(x).square().mean(axes, keepdim=True)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        return (x * (gradient * (2 / _count(x, ctx.axes)))).to(x.dtype), None


class _Moments(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, axes: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        full = wide(x)
        mean = full.mean(axes, keepdim=True)
        variance = (full - mean).square_().mean(axes, keepdim=True)
        ctx.save_for_backward(x, mean)
        ctx.axes = axes
        return mean, variance

    @staticmethod
    def backward(ctx: Any, of_mean: Tensor, of_variance: Tensor) -> tuple[Tensor, None]:
        x, mean = ctx.saved_tensors
        count = _count(x, ctx.axes)
        slope = of_variance * (2 / count)
        return (x * slope).add_(of_mean / count - mean * slope).to(x.dtype), None
