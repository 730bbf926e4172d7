"""Norms of a sample over groups of its channels: group, layer and instance norm."""

from torch import Tensor, nn


class GroupNorm(nn.GroupNorm):
    """Group norm that returns its input's dtype, as batch norm does.

    Autocast on CUDA runs group norm in float32 and would hand float32 on, so that the variants
    would differ in precision and memory as well.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Normalise (N, C, H, W)."""
        return super().forward(input).to(input.dtype)
