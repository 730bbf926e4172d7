"""Noncentral chi noise: that of a root sum of squares over several coils."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from artifacts_sim.acquisition.geometry import Frame
from artifacts_sim.acquisition.operators import DisplayOperator, Operator, Stage, copied, put
from artifacts_sim.acquisition.scene import magnitude
from artifacts_sim.acquisition.signal import Signal
from artifacts_sim.base import Artifact
from artifacts_sim.keyed import Source
from artifacts_sim.kinds.rician import Rician
from artifacts_sim.levels import Knob
from artifacts_sim.limits import MAX_COILS, check_count
from artifacts_sim.params import Draws

_RICIAN = Rician()


@dataclass(frozen=True)
class NoncentralChi(Artifact):
    """y^2 = |x + s n|^2 + s^2 sum |n_l|^2 over L - 1 coils, n complex normal, s = sigma * max|x|.

    Noise of the root sum of squares of L coils of equal noise without correlation, of which the
    magnitude alone is left: only the length of the vector of the coils' signals counts, so that one
    coil may have all of the signal, and the others noise. The background rises to s sqrt(2 L), in
    which what is faint drowns; the mean square is |x|^2 + 2 L s^2. Source: Constantinides, Atalar
    and McVeigh, Magn Reson Med 38:852 (1997). Coils whose noise is correlated act as fewer, with a
    greater s: Aja-Fernandez, Tristan-Vega and Hoge, Magn Reson Med 65:1195 (2011). Take their
    effective number, rounded to a whole one, since every coil is drawn.

    x gets the noise of `rician`, as the receiver adds it; the squares of the other coils are added
    to the magnitude, as they were measured: what is not measured of x is not measured of them. Data
    of C coils have noise in each, so that L - C are added, and none where C is L or more.

    Attributes:
        coils: L; with 1, it is `rician`.

    """

    name: ClassVar[str] = "noncentral_chi"
    knob: ClassVar[Knob] = Knob(
        name="sigma_of_max",
        meaning="noise sigma of each coil as a fraction of the slice's maximum; 1 / sigma is the "
        "peak SNR",
        physical=_RICIAN.knob.physical,
        limit=_RICIAN.knob.limit,
    )
    stage: ClassVar[Stage] = Stage.DISPLAY
    place: ClassVar[int] = 5
    smooth: ClassVar[bool] = True

    coils: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("coils", self.coils, least=1, most=MAX_COILS)

    def draw(self, source: Source) -> Draws:
        """Seeds of the noise fields: of what has the signal, and of the other coils."""
        return {"field_seed": source.seed(), "channels_seed": source.seed()}

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The receiver, and the sum over the coils, where there are several."""
        return (Stage.ADDED,) if self.coils == 1 else (Stage.ADDED, Stage.DISPLAY)

    def operators(
        self, draws: Draws, knob: Tensor, frame: Frame, encoded: Frame
    ) -> Mapping[Stage, Operator]:
        """Add noise to the measured samples, and other coils' noise to the magnitude."""
        added = {Stage.ADDED: _RICIAN.operator(draws, knob, encoded)}
        if self.coils == 1:
            return added
        return added | {Stage.DISPLAY: self.operator(draws, knob, encoded)}

    def operator(self, draws: Draws, knob: Tensor, frame: Frame) -> "_OtherCoils":
        """Add the squares of what the other coils measure."""
        noise = _RICIAN.operator({"field_seed": draws["channels_seed"]}, knob, frame)
        return _OtherCoils(noise, self.coils)


@dataclass(frozen=True, eq=False)
class _OtherCoils(DisplayOperator):
    noise: Operator
    coils: int

    def on_magnitude(self, x: Tensor, signal: Signal, out: Tensor | None = None) -> Tensor:
        others = self.coils - signal.scene.coils.shape[1]
        if others <= 0:
            return copied(x, out)
        if signal.all_measured and not torch.is_grad_enabled():  # the phases do not matter
            silence = x.new_zeros(len(x), 1, others * x.shape[1], x.shape[2])  # one below the other
            heard = self.noise.render(signal.with_image(silence)).view(len(x), others, *x.shape[1:])
        else:
            silence = x.new_zeros(len(x), others, *x.shape[1:], dtype=x.dtype.to_complex())
            heard = self.noise.act(signal.with_image(silence)).magnitude()[:, None]
        return put(magnitude(torch.cat([x[:, None], heard], dim=1)), out)
