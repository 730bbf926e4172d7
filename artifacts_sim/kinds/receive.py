"""Receive shading: an array of loops sees best what lies next to it."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from artifacts_sim.acquisition.geometry import Frame
from artifacts_sim.acquisition.operators import DirectPixelOperator, Stage
from artifacts_sim.acquisition.signal import Signal
from artifacts_sim.base import Artifact
from artifacts_sim.keyed import Source
from artifacts_sim.kinds.coils import FULL_TURN, root_sum_of_squares
from artifacts_sim.kinds.foreground import extremes, span
from artifacts_sim.levels import Knob
from artifacts_sim.limits import MAX_COILS, check_count
from artifacts_sim.params import Draws

_LEAST_ARC = 0.25  # of a full turn: a pad on one side


@dataclass(frozen=True)
class Receive(Artifact):
    """y = |x| (e^{-k/2} (1 - t) + e^{k/2} t), t the array's sensitivity, 0 to 1 over the object.

    t is the root sum of squares of the loops' fields (`artifacts_sim.kinds.coils`), in which an
    array's coils are combined, from its least over the foreground to its greatest. So the gain is
    that of the array and a uniform part, as where a scan of the body coil corrects in part; and
    where k is the array's own range, that of the array alone: 1.1 to 1.8 for a closed ring of
    eight, 2.2 to 3.4 for those on one half of the turn or less, around an ellipse of 0.85 by 0.68
    of the field of view. Its geometric middle over the foreground is 1: shading and no global gain.
    Beyond the foreground's range it ends.

    Unlike a polynomial (`bias`) it is steep beside a loop and flat away from it. Foreground: that
    of `bias`. The array is a scan's: its direction, and the arc over which the loops are spread,
    from a quarter of a turn, a pad on one side, to a full one.

    Attributes:
        coils: How many loops.

    """

    name: ClassVar[str] = "receive"
    knob: ClassVar[Knob] = Knob(
        name="log_gain_range",
        meaning="peak-to-peak natural logarithm of the gain over the foreground; 3 is 20 : 1, as "
        "under a pad of loops on one side",
        physical=(0.3, 0.6, 1.0, 1.5, 2.2),
        limit=3.0,
    )
    stage: ClassVar[Stage] = Stage.FIELD
    place: ClassVar[int] = 20
    smooth: ClassVar[bool] = True

    coils: int = 8

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("coils", self.coils, least=1, most=MAX_COILS)

    def draw(self, source: Source) -> Draws:
        """Where the array is, and over which arc."""
        turn, share = source.scan.uniform(2).T
        return {
            "turn_rad": FULL_TURN * turn,
            "arc_rad": FULL_TURN * (_LEAST_ARC + (1 - _LEAST_ARC) * share),
        }

    def operator(self, draws: Draws, knob: Tensor, frame: Frame) -> "_Gain":
        """Shade every coil of the data alike."""
        rss = root_sum_of_squares(draws["turn_rad"], draws["arc_rad"], self.coils, frame, frame)
        return _Gain(torch.from_numpy(rss), knob)


@dataclass(frozen=True, eq=False)
class _Gain(DirectPixelOperator):
    sensitivity: Tensor  # (B, RO, PE) float64
    log_range: Tensor  # (B,)

    def on_planes(self, planes: Tensor, signal: Signal, out: Tensor | None = None) -> Tensor:
        rss = self.sensitivity.to(planes, copy=True)
        shown = rss[:, *signal.frame.cut]
        low, high = extremes(lambda at: shown[:, *at].contiguous(), signal.scene.shown)
        whole = span(low, high)
        least, most = (-self.log_range / 2).exp(), (self.log_range / 2).exp()
        least, rise = (one.to(planes)[:, None, None] for one in (least, most - least))
        least = torch.where(whole.isinf(), 1.0, least)
        # Not every pixel was looked at; as the gain ends here, it has the asked range all the same.
        t = rss.sub_(low).mul_(1 / whole).clamp_(0, 1)
        gain = t * rise + least if torch.is_grad_enabled() else t.mul_(rise).add_(least)
        return torch.mul(gain[:, None], planes, out=out)
