"""Batch renormalisation: `batch_renorm`."""

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm

from mrimodels.norms.statistics import merged, moments

WARM_UP = 100
"""Steps of plain batch norm."""

R_MAX, R_STEPS = 3.0, 800
"""The limit of r, and the step at which it is reached."""

D_MAX, D_STEPS = 5.0, 500
"""The limit of d, and the step at which it is reached."""


class BatchRenorm2d(nn.BatchNorm2d):
    """Batch norm that trains on what it will use in eval mode, up to a limit, for (N, C, H, W).

    Ioffe, arXiv 1702.03275. In train mode, with mean m and standard deviation s of the batch, and
    mean M and standard deviation S of the running statistics before this batch:

        y = ((x - m) / s * r + d) * weight + bias
        r = s / S, from 1 / r_max to r_max        d = (m - M) / S, from -d_max to d_max

    and r and d are constants to the gradient. Without limits this is (x - M) / S, what eval mode
    computes. The limits are wide only once the running statistics are of use. They follow from the
    number of batches seen, the buffer `num_batches_tracked`: r_max = 1 and d_max = 0, batch norm,
    for 100 batches, then linearly to r_max = 3 at 800 and to d_max = 5 at 500. These are the steps
    of the paper, 5,000, 40,000 and 25,000, over 50, as a trial here trains for thousands of steps
    and not for a hundred thousand.

    Running statistics are batch norm's, under the same names: biased variance plus eps in s and S,
    momentum 0.1, unbiased variance kept (the paper averages standard deviations, at 0.01).
    """

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def forward(self, input: Tensor) -> Tensor:
        """Normalise (N, C, H, W)."""
        if not self.training:
            return super().forward(input)
        self._check_input_dim(input)
        r, d = self._corrections(input.detach())
        self.num_batches_tracked.add_(1)
        return batch_norm(
            input,
            self.running_mean,
            self.running_var,
            self.weight * r,
            torch.addcmul(self.bias, self.weight, d),
            training=True,
            momentum=0.1,
            eps=self.eps,
        )

    @torch.no_grad()
    def _corrections(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return r (C,) and d (C,)."""
        mean, variance = (moment.flatten() for moment in merged(*moments(x, (2, 3)), axis=0))
        rate = torch.rsqrt(self.running_var + self.eps)
        r_max = 1 + (R_MAX - 1) * self._progress(R_STEPS)
        d_max = D_MAX * self._progress(D_STEPS)
        r = torch.sqrt(variance + self.eps) * rate
        d = (mean - self.running_mean) * rate
        return r.clamp(1 / r_max, r_max), d.clamp(-d_max, d_max)

    def _progress(self, steps: int) -> Tensor:
        """From 0 during the warm-up to 1 at `steps`, (); a tensor, so that no GPU is waited for."""
        return ((self.num_batches_tracked - WARM_UP) / (steps - WARM_UP)).clamp(0, 1)
