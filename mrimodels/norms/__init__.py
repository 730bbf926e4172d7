"""The normalisation variants: one table, one eps, one rule for groups.

Most variants subtract a mean, divide by sqrt(var + eps) with the biased variance, then apply one
weight (1 at the start) and one bias (0) per channel. They differ in the axes of an (N, C, H, W)
tensor over which mean and variance are taken; some in more:

| name         | statistics over                  | what else differs           | source     |
|--------------|----------------------------------|-----------------------------|------------|
| batch        | N, H, W                          |                             | 1502.03167 |
| group        | H, W and the channels of a group |                             | 1803.08494 |
| layer        | C, H, W                          |                             | 1607.06450 |
| instance     | H, W                             |                             | 1607.08022 |
| layer2d      | C                                |                             | 1607.06450 |
| rms2d        | C                                | no mean                     | 1910.07467 |
| frn          | H, W                             | no mean; max(y, tau)        | 1911.09737 |
| evonorm_s0   | H, W and the channels of a group | no mean; x sigmoid(v x)     | 2004.02967 |
| ws_group     | H, W and the channels of a group | standardised kernels        | 1903.10520 |
| batch_renorm | N, H, W                          | corrected to running values | 1702.03275 |
| switchable   | H, W; C, H, W; N, H, W           | their learned mixture       | 1806.10779 |
| none         |                                  | gains of branches, from 0   | 2002.10444 |

A variant is a `Norm`: the layer, and what a network has to change besides. `frn` and `evonorm_s0`
take the place of the ReLU as well, `ws_group` that of the convolutions, `none` scales the residual
branches. A network asks its `NormChoice` and knows none of them by name.

Only batch, batch_renorm and switchable see other samples, keep running statistics and use them in
eval mode. Instance norm is group norm with one channel a group and not `nn.InstanceNorm2d`: no
running statistics that could be switched on, and so the same function in train and in eval mode.
It needs more than one pixel: over a single one the deviation from the mean is zero whatever the
image.

Statistics are computed in float32 at least, and the result has the input's dtype. By `modes` these
three can be evaluated by other statistics than training left.
"""

from typing import TYPE_CHECKING, Any

from mrimodels.late import imported
from mrimodels.norms.groups import Groups, group_count

if TYPE_CHECKING:
    from mrimodels.norms.table import NORMS
    from mrimodels.norms.variant import Norm, NormChoice

__all__ = ["NORMS", "Groups", "Norm", "NormChoice", "group_count"]

# What needs torch, which takes a second to import: it is imported when it is used.
_HOMES = {"NORMS": "table", "Norm": "variant", "NormChoice": "variant"}


def __getattr__(name: str) -> Any:
    return imported(__name__, _HOMES, name)
