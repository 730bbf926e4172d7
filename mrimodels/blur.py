"""A stride that leaves no pixel out: blur, then take every s-th pixel."""

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d


class Blur(nn.Module):
    """(N, C, H, W) -> (N, C, ceil(H / s), ceil(W / s)): each channel blurred, then strided by s.

    Zhang, arXiv 1904.11486. The kernel is a triangle along each axis, which takes the frequencies
    1 / s, 2 / s, ... that alias to a constant out: [1, 2, 1] / 4 for s = 2, and [1, 2, 3, 2, 1] / 9
    for s = 3. It is centred where a convolution of that stride is. Beyond the border the map is
    mirrored, without the border itself, so a constant stays what it is. It has no parameters.
    """

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Blur and stride (N, C, H, W)."""
        reach, channels = self.stride - 1, x.shape[1]
        offsets = torch.arange(-reach, reach + 1, device=x.device, dtype=x.dtype)
        triangle = (self.stride - offsets.abs()) / self.stride**2
        kernel = triangle[:, None] * triangle
        kernels = kernel.expand(channels, 1, *kernel.shape)
        mirrored = _mirrored(_mirrored(x, reach, axis=2), reach, axis=3)
        return conv2d(mirrored, kernels, stride=self.stride, groups=channels)

    def extra_repr(self) -> str:
        """Name the stride in `repr(model)`."""
        return f"stride={self.stride}"


def _mirrored(x: Tensor, reach: int, axis: int) -> Tensor:
    """Add `reach` pixels at both ends of an axis.

    Put together of views, as the gradient of torch's own padding adds in any order on CUDA.
    """
    length = x.shape[axis]
    if length > reach:
        before = x.narrow(axis, 1, reach).flip(axis)
        after = x.narrow(axis, length - 1 - reach, reach).flip(axis)
        return torch.cat([before, x, after], axis)
    # Mirrored more than once; a single pixel is its own mirror.
    period = max(1, 2 * (length - 1))
    places = [place % period for place in range(-reach, length + reach)]
    parts = [x.narrow(axis, min(place, period - place), 1) for place in places]
    return torch.cat(parts, axis)


def blurred(blur: Blur | None, x: Tensor) -> Tensor:
    """Return `x` after `blur`, if there is one."""
    y: Tensor = x if blur is None else blur(x)
    return y
