"""The magnitude of a real signal plus a phasor, without complex arithmetic."""

from torch import Tensor


def magnitude_with_phasor(a: Tensor, t: Tensor, overlap: Tensor) -> Tensor:
    """Return |a + t e^{i theta}| = sqrt((a - t)^2 + a * overlap).

    overlap = t (2 cos(theta / 2))^2. Both terms are non-negative, so nothing cancels where the
    sum is near 0, as it would in a^2 + t^2 + 2 a t cos(theta).

    Args:
        a: signal >= 0, (B, H, W) float32.
        t: phasor's length >= 0, broadcastable to a.
        overlap: (B, H, W) float32; overwritten with the result.

    """
    apart = a - t
    return overlap.mul_(a).addcmul_(apart, apart).sqrt_()
