"""Networks that are not ours: of torchvision, timm, MONAI, and of the user.

`sources` finds and calls what makes them, under generators of `randomness`; `channels` lets them
take grey images, `weights` loads trained ones, `convert` puts a norm in the place of theirs, and
`network` does all this and checks that logits come out. Nothing of a library is imported before an
`arch` asks for it.
"""

from mrimodels.foreign.convert import Replaced, convert, summary
from mrimodels.foreign.layers import is_norm
from mrimodels.foreign.network import Made, Request, check_network, make_network, require_size
from mrimodels.foreign.sources import Wanted
from mrimodels.foreign.weights import Loaded, Weights, digest_of

__all__ = [
    "Loaded",
    "Made",
    "Replaced",
    "Request",
    "Wanted",
    "Weights",
    "check_network",
    "convert",
    "digest_of",
    "is_norm",
    "make_network",
    "require_size",
    "summary",
]
