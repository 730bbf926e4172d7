"""Wrap-around: a field of view that is too small folds the object onto itself."""

from dataclasses import dataclass, replace
from typing import ClassVar

from torch import Tensor

from artifacts_sim.acquisition.geometry import Frame, centre
from artifacts_sim.acquisition.operators import DirectPixelOperator, Stage, copied
from artifacts_sim.acquisition.signal import Signal
from artifacts_sim.base import Artifact
from artifacts_sim.levels import Knob
from artifacts_sim.params import Draws


@dataclass(frozen=True)
class Wrap(Artifact):
    """y(r) = |sum_j x(r + j P)| for the P central pixels r along phase encode, and 0 beside them.

    P = (1 - f) N is the reduced field of view of N encoded pixels, rounded to whole pixels (halves
    to even) and at least 1; pixels stay as large as they are. It is what lines at multiples of
    1 / P show (Poisson's summation formula). All that follows in a chain acts on the P lines of
    this field of view: ghosts lie P / n away, noise and zippers fall within it. What a scanner
    shows is these P pixels; here they lie in the middle of an image of the size that was given,
    with nothing around them. Half the field of view gives x(r) + x(r + N / 2). Complex pixels add
    with their phases, and cancel where these oppose. Source: Nishimura, Principles of Magnetic
    Resonance Imaging (1996).

    Nothing is drawn. An object that the reduced field of view still holds is not folded.
    """

    name: ClassVar[str] = "wrap"
    knob: ClassVar[Knob] = Knob(
        name="fov_reduction_fraction",
        meaning="part of the phase-encode field of view that is cut away",
        physical=(0.1, 0.2, 0.3, 0.4, 0.5),
        limit=0.75,
    )
    stage: ClassVar[Stage] = Stage.ENCODING
    place: ClassVar[int] = 90
    reframes: ClassVar[bool] = True

    def encodes(self, knob: float, frame: Frame) -> Frame:
        """Fewer pixels, and so fewer lines."""
        return frame.with_lines(max(1, round((1 - knob) * frame.encoded[1])))

    def operator(self, draws: Draws, knob: Tensor, frame: Frame) -> "_Fold":
        """Fold into the reduced field of view, which is that of all slices."""
        return _Fold(self.encodes(float(knob[0]), frame))


@dataclass(frozen=True, eq=False)
class _Fold(DirectPixelOperator):
    reduced: Frame

    def on_planes(self, planes: Tensor, signal: Signal, out: Tensor | None = None) -> Tensor:
        count, width = self.reduced.encoded[1], planes.shape[-1]
        first = centre(width, count).start
        folded = copied(planes[..., first : first + count], out)
        for start in range(first % count - count, width, count):
            low, high = max(start, 0), min(start + count, width)
            if start != first and low < high:
                folded[..., low - start : high - start] += planes[..., low:high]
        return folded

    def act(self, signal: Signal) -> Signal:
        """Fold, and go on in the new frame."""
        folded = super().act(signal)
        return replace(folded, frame=self.reduced)
