"""Low field: what a scanner of a weaker magnet would have shown."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from artifacts_sim.acquisition.geometry import Frame
from artifacts_sim.acquisition.operators import Operator, Stage
from artifacts_sim.acquisition.signal import Signal
from artifacts_sim.base import Artifact
from artifacts_sim.keyed import Source
from artifacts_sim.kinds.blur import Blur
from artifacts_sim.kinds.rician import Rician
from artifacts_sim.kinds.tissue_contrast import TissueContrast
from artifacts_sim.levels import Knob
from artifacts_sim.limits import check_option, check_range
from artifacts_sim.params import Draws

_NOISE, _BLUR, _CONTRAST = Rician(), Blur(), TissueContrast()
_RANGES = {
    "peak_snr": (1.0, 1e12),  # with the most, there is no noise
    "snr_exponent": (0.0, 3.0),
    "regained_exponent": (0.0, 3.0),
    "pixel_exponent": (0.0, 1.0),
    "contrast_per_octave": (0.0, 0.25),  # with which the limit of tissue_contrast is reached
}
_STILL = 1e-8  # of the squared noise or pixel: less is not told from none
_WIDTH_PER_SIGMA = math.sqrt(8 * math.log(2))  # of a Gaussian, at half its height


@dataclass(frozen=True)
class LowField(Artifact):
    """Noise, resolution and contrast of a field r = 2^knob times weaker than the native one.

    Noise: SNR of a pixel goes with B0^p, p = 3/2 between 1, where the patient makes the noise, and
    7/4, where the coil does (Hoult and Lauterbur, J Magn Reson 34:425 (1979); Marques, Simonis and
    Webb, J Magn Reson Imaging 49:1528 (2019)); the protocol regains r^(1/2) of it by averages,
    narrower bandwidths and thicker slices. So the noise per sample grows from s, max / `peak_snr`,
    to s r^(p - 1/2), and what is added is complex noise of s sqrt(r^(2 (p - 1/2)) - 1), as of Wu,
    Chen and Nayak, PLoS One 11:e0154711 (2016).

    Resolution: a pixel is r^q wide, q = 1/6: at 0.064 T 1.7 mm for 1 mm at 1.5 T. Signal and noise
    are filtered by a Gaussian whose width at half height is sqrt(r^(2 q) - 1) native pixels, as
    the squares of widths add up; the same in mm along both axes, from the geometric mean of a
    pixel's sides. So the noise is soft, as the object is, and weaker than above.

    Contrast: tissues' relaxation times move with the field, each in its own way; here, at random,
    as `tissue_contrast` of 0.1 log2 r, the size of a fifth or a third and not its direction. It is
    no Bloch simulation.

    The figures are round ones of protocols, not measured: they are options. What else differs, less
    distortion, less chemical shift, another coil, is left out. The contrast is a scan's.

    Attributes:
        peak_snr: Brightest pixel, often fat or skin near a coil, over noise sigma at the native
            field, 1.5 T for the levels.
        snr_exponent: p.
        regained_exponent: What the protocol regains of it.
        pixel_exponent: q; 0 keeps the resolution.
        contrast_per_octave: Knob of `tissue_contrast` for each halving of the field.

    """

    name: ClassVar[str] = "low_field"
    knob: ClassVar[Knob] = Knob(
        name="octaves_of_field",
        meaning="log2 of the native field over the simulated one; the physical levels are 0.55, "
        "0.3, 0.2, 0.1 and 0.064 T for 1.5 T, the limit is 0.05 T for 3 T",
        physical=(1.45, 2.32, 2.91, 3.91, 4.55),
        limit=5.91,
    )
    stage: ClassVar[Stage] = Stage.ADDED
    place: ClassVar[int] = 2
    smooth: ClassVar[bool] = True

    peak_snr: float = 200.0
    snr_exponent: float = 1.5
    regained_exponent: float = 0.5
    pixel_exponent: float = 1 / 6
    contrast_per_octave: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, (low, high) in _RANGES.items():
            check_range(name, getattr(self, name), low, high)
        check_option(
            "snr_exponent",
            self.snr_exponent,
            "a number above what is regained",
            self.snr_exponent > self.regained_exponent,
        )

    def draw(self, source: Source) -> Draws:
        """Seed of the noise field, and the curve of a scan's contrast."""
        return {**_NOISE.draw(source), **_CONTRAST.draw(source)}

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The tissues, and the samples."""
        return (Stage.OBJECT, Stage.ADDED)

    def operators(
        self, draws: Draws, knob: Tensor, frame: Frame, encoded: Frame
    ) -> Mapping[Stage, Operator]:
        """Change the contrast, and then the samples."""
        contrast = _CONTRAST.operator(draws, self.contrast_per_octave * knob, frame)
        return {Stage.OBJECT: contrast, Stage.ADDED: self.operator(draws, knob, encoded)}

    def operator(self, draws: Draws, knob: Tensor, frame: Frame) -> Operator:
        """Add noise to the samples, and filter them."""
        lost = self.snr_exponent - self.regained_exponent
        noise = _NOISE.operator(draws, _growth(knob, lost) / self.peak_snr, frame)
        if self.pixel_exponent == 0:
            return noise
        native_mm = torch.tensor(frame.pixel_mm) * torch.tensor(frame.native_px)
        width_mm = _growth(knob, self.pixel_exponent) * native_mm.prod(dim=1).sqrt()
        return _InTurn(noise, _BLUR.operator(draws, width_mm / _WIDTH_PER_SIGMA, frame))


@dataclass(frozen=True, eq=False)
class _InTurn(Operator):
    first: Operator
    then: Operator

    def act(self, signal: Signal) -> Signal:
        return self.then.act(self.first.act(signal))

    def render(self, signal: Signal, out: Tensor | None = None) -> Tensor:
        return self.then.render(self.first.act(signal), out)


def _growth(octaves: Tensor, exponent: float) -> Tensor:
    """What must be added, in squares, to 1 to make r^exponent: sqrt(r^(2 exponent) - 1).

    Its slope at 0 is infinite; there it is taken for 0, so that a search by gradients goes on.
    """
    grown = (octaves * (2 * exponent * math.log(2))).expm1()
    return torch.where(grown > _STILL, grown, 0.0 * grown + _STILL).sqrt() * (grown > 0)
