"""Pre-activation residual networks (He et al. 2016, "Identity mappings", arXiv 1603.05027).

Every unit adds to its input what norm, ReLU and convolution, in this order, make of it. Where the
shape changes, the shortcut is a 1x1 convolution of the pre-activated input; elsewhere it is the
identity. What a norm changes besides (the ReLU, the convolutions, a gain of the branch) it says.

With `antialias` no pixel is left out before it was blurred (Zhang, "Making Convolutional Networks
Shift-Invariant Again", arXiv 1904.11486): a 3x3 convolution that would stride does not, and a
`Blur` that does follows it. There the paper has it after the ReLU; a unit of this kind has the ReLU
before its convolutions. With the 1x1 convolution of a shortcut the blur commutes, and comes first,
as there is less to convolve then. Parameters and their names are the same.
"""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn.functional import relu

from mrimodels.blur import Blur, blurred
from mrimodels.norms import NormChoice

STAGE_STRIDES = (1, 2, 2, 2)


def _conv(norm: NormChoice, inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
    return norm.convolution(conv)


def _shortcut(norm: NormChoice, inputs: int, outputs: int, stride: int) -> nn.Module | None:
    if inputs == outputs and stride == 1:
        return None
    return _conv(norm, inputs, outputs, 1, stride)


def _blur(stride: int, antialias: bool) -> Blur | None:
    """What strides in the place of the convolutions; None: they do."""
    return Blur(stride) if antialias and stride > 1 else None


class _Activating(nn.Module):
    """Knows whether a ReLU follows the norm layers."""

    def __init__(self, norm: NormChoice) -> None:
        super().__init__()
        self.norm_activates = norm.activates

    def activated(self, norm: nn.Module, x: Tensor) -> Tensor:
        y: Tensor = norm(x)
        if self.norm_activates:
            return y
        # In place: a norm's gradient needs its input, not its output; that saves a tensor per
        # layer. Not where y is the input, which goes on to the sum, or a view, whose gradient is
        # then copied about.
        return relu(y, inplace=y is not x and y._base is None)


class _Block(_Activating):
    """What the two units share: the first norm, a shortcut that takes the right input, a gain.

    `channels` is the unit's inner width; it puts out `expansion * channels`.
    """

    expansion: int

    def __init__(
        self, inputs: int, channels: int, stride: int, norm: NormChoice, antialias: bool
    ) -> None:
        super().__init__(norm)
        self.blur = _blur(stride, antialias)
        self.stride = stride if self.blur is None else 1
        self.norm1 = norm.layer(inputs)
        self.shortcut = _shortcut(norm, inputs, self.expansion * channels, self.stride)
        self.gain = norm.gain()

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, inputs, H, W) to (N, expansion * channels, H / stride, W / stride)."""
        activated = self.activated(self.norm1, x)
        carried = x if self.shortcut is None else self.shortcut(blurred(self.blur, activated))
        branch = self.residual(activated)
        y: Tensor = carried + (branch if self.gain is None else self.gain(branch))
        return y

    def residual(self, activated: Tensor) -> Tensor:
        """Finish the residual branch from the activated first norm (N, inputs, H, W)."""
        raise NotImplementedError


class BasicBlock(_Block):
    """Two 3x3 convolutions; the first one strides, or the blur after it."""

    expansion = 1

    def __init__(
        self, inputs: int, channels: int, stride: int, norm: NormChoice, antialias: bool
    ) -> None:
        super().__init__(inputs, channels, stride, norm, antialias)
        self.conv1 = _conv(norm, inputs, channels, 3, self.stride)
        self.norm2 = norm.layer(channels)
        self.conv2 = _conv(norm, channels, channels, 3)

    def residual(self, activated: Tensor) -> Tensor:
        """Apply conv, norm, ReLU, conv."""
        x = blurred(self.blur, self.conv1(activated))
        out: Tensor = self.conv2(self.activated(self.norm2, x))
        return out


class BottleneckBlock(_Block):
    """Convolutions 1x1, 3x3, 1x1; the 3x3 one, or its blur, strides; the last widens fourfold."""

    expansion = 4

    def __init__(
        self, inputs: int, channels: int, stride: int, norm: NormChoice, antialias: bool
    ) -> None:
        super().__init__(inputs, channels, stride, norm, antialias)
        self.conv1 = _conv(norm, inputs, channels, 1)
        self.norm2 = norm.layer(channels)
        self.conv2 = _conv(norm, channels, channels, 3, self.stride)
        self.norm3 = norm.layer(channels)
        self.conv3 = _conv(norm, channels, self.expansion * channels, 1)

    def residual(self, activated: Tensor) -> Tensor:
        """Apply conv, then twice norm, ReLU, conv."""
        x: Tensor = self.conv1(activated)
        x = blurred(self.blur, self.conv2(self.activated(self.norm2, x)))
        out: Tensor = self.conv3(self.activated(self.norm3, x))
        return out


class PreActResNet(_Activating):
    """Image (N, in_channels, H, W) -> features (N, out_channels, H', W'), activated.

    A 3x3 stem without a norm, one stage of blocks per entry of `depths` with inner widths
    w, 2w, 4w, 8w, and a last norm and ReLU. H' = ceil(H / (8 * stem_stride)), W' likewise.
    """

    def __init__(
        self,
        block: type[_Block],
        depths: Sequence[int],
        *,
        in_channels: int,
        width: int,
        stem_stride: int,
        norm: NormChoice,
        antialias: bool = False,
    ) -> None:
        super().__init__(norm)
        self.blur = _blur(stem_stride, antialias)
        self.stem = _conv(norm, in_channels, width, 3, stem_stride if self.blur is None else 1)
        self.stages = nn.Sequential()
        inputs = width
        for stage, (depth, stride) in enumerate(zip(depths, STAGE_STRIDES, strict=True)):
            channels = width * 2**stage
            self.stages.append(_stage(block, depth, inputs, channels, stride, norm, antialias))
            inputs = channels * block.expansion
        self.norm = norm.layer(inputs)
        self.out_channels = inputs

    def forward(self, x: Tensor) -> Tensor:
        """Map images to features."""
        x = self.stages(blurred(self.blur, self.stem(x)))
        return self.activated(self.norm, x)


def _stage(
    block: type[_Block],
    depth: int,
    inputs: int,
    channels: int,
    stride: int,
    norm: NormChoice,
    antialias: bool,
) -> nn.Sequential:
    blocks = [block(inputs, channels, stride, norm, antialias)]
    outputs = channels * block.expansion
    blocks += [block(outputs, channels, 1, norm, antialias) for _ in range(depth - 1)]
    return nn.Sequential(*blocks)
