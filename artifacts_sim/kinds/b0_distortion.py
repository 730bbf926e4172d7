"""Geometric distortion: where the main field is off, echo-planar lines show signal elsewhere."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from artifacts_sim.acquisition.geometry import Frame
from artifacts_sim.acquisition.operators import PixelOperator, Stage
from artifacts_sim.acquisition.signal import Signal
from artifacts_sim.base import Artifact
from artifacts_sim.errors import ArtifactError
from artifacts_sim.keyed import Source, signed
from artifacts_sim.kinds.foreground import foreground, middle_and_spread
from artifacts_sim.kinds.pile_up import piled_up, slice_by_slice
from artifacts_sim.levels import Knob
from artifacts_sim.params import Draws, as_tensors

_ORDER = 3
_POWERS = tuple(
    (a, b) for a in range(_ORDER + 1) for b in range(_ORDER + 1) if 1 <= a + b <= _ORDER
)
_RIM = 2  # of an ellipse, in the standard deviations of its places
_LOBE_PLACE = (0.6, 0.9)  # of the rim
_LOBE_WIDTH = (0.2, 0.4)
_LOBE_HEIGHT = (1.0, 3.0)  # the polynomial's coefficients are up to 1
_LEAST_PEAK = 1e-6  # of a field that is 0 all over a foreground of a few pixels


def epi_displacement_mm(
    *, offset_hz: float, echo_spacing_ms: float, fov_mm: float, acceleration: float = 1.0
) -> float:
    """Return the displacement along phase encode in mm: 12 for 100 Hz, 0.5 ms and 240 mm.

    The offset over the bandwidth per pixel, 1 / (lines * effective echo spacing), times the pixel,
    fov / lines: the number of lines cancels. Source: Jezzard and Balaban, Magn Reson Med 34:65
    (1995).

    Args:
        offset_hz: Off-resonance in Hz.
        echo_spacing_ms: Time between two echoes in ms.
        fov_mm: Field of view along phase encode in mm.
        acceleration: Of parallel imaging, by which the effective echo spacing is shorter.

    Raises:
        ArtifactError: A value is not finite, or one but the offset is not above 0.

    """
    positive = (echo_spacing_ms, fov_mm, acceleration)
    if not (math.isfinite(offset_hz) and all(0 < value < math.inf for value in positive)):
        raise ArtifactError(
            "echo spacing, field of view and acceleration are not finite and above 0, or the "
            "offset is not finite",
            f"offset_hz={offset_hz!r}, echo_spacing_ms={echo_spacing_ms!r}, fov_mm={fov_mm!r}, "
            f"acceleration={acceleration!r}",
            "take them from the protocol, for example 100 Hz, 0.5 ms and 240 mm",
        )
    return offset_hz * echo_spacing_ms * 1e-3 / acceleration * fov_mm


@dataclass(frozen=True)
class B0Distortion(Artifact):
    """Signal at r appears at r + d(r) along phase encode, d in proportion to the field's offset.

    d = knob * direction * f / max |f|, the maximum over the pixels of the foreground; beyond it
    |d| ends at the knob. d is linear within a pixel, whose signal goes where its edges go: it
    piles up where the map compresses and adds up where it folds; what leaves the field of view is
    lost. Source: Jezzard and Balaban, Magn Reson Med 34:65 (1995), for echo-planar imaging, whose
    bandwidth per pixel along phase encode is a few Hz. Displacement along readout, some hundred
    times less, is left out, and so is the loss of signal by dephasing.

    f is of the object, wherever it lies: of u and v, distances from the middle of the foreground
    along RO and PE in twice its standard deviations, so that of an ellipse u^2 + v^2 = 1 is the
    rim. It is a polynomial of order 3, without the constant term that the scanner's frequency takes
    away, and a Gaussian lobe, as over an air-filled cavity, whose centre lies 0.6 to 0.9 from the
    middle and whose standard deviation is 0.2 to 0.4. The draws, the direction of the blips among
    them, are a scan's; the middle and the size of the foreground are each slice's.

    Foreground: as of `bias`.
    """

    name: ClassVar[str] = "b0_distortion"
    knob: ClassVar[Knob] = Knob(
        name="displacement_mm",
        meaning="largest displacement in the foreground in mm, which unlike pixels does not depend "
        "on the matrix: offset in Hz * echo spacing * field of view",
        physical=(1.0, 2.0, 4.0, 7.0, 12.0),
        limit=20.0,
    )
    stage: ClassVar[Stage] = Stage.ENCODING
    place: ClassVar[int] = 60
    smooth: ClassVar[bool] = True

    def draw(self, source: Source) -> Draws:
        """Of a scan: the direction, coefficients of u^a v^b, and the lobe.

        Coefficients in the order of (0, 1), (0, 2), (0, 3), (1, 0) to (3, 0), uniform in [-1, 1).
        """
        scan = source.scan
        direction = signed(scan.uniform(1)[:, 0], 1, 1)
        coefficient = 2 * scan.uniform(len(_POWERS)) - 1
        u = scan.uniform(4)
        place, width, height = (
            low + (high - low) * u[:, i]
            for i, (low, high) in enumerate((_LOBE_PLACE, _LOBE_WIDTH, _LOBE_HEIGHT))
        )
        angle = 2 * math.pi * u[:, 3]
        towards = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        return {
            "direction": direction,
            "coefficient": coefficient,
            "lobe_place": place[:, None] * towards,
            "lobe_width": width,
            "lobe_height": height,
        }

    def operator(self, draws: Draws, knob: Tensor, frame: Frame) -> "_Distort":
        """Displace by pixels of the encoded matrix."""
        drawn = as_tensors(draws)
        table = torch.zeros(len(knob), _ORDER + 1, _ORDER + 1, dtype=torch.float64)
        of_u, of_v = zip(*_POWERS, strict=True)
        table[:, list(of_u), list(of_v)] = drawn["coefficient"]
        return _Distort(
            reach_px=drawn["direction"] * knob / torch.tensor(frame.pixel_mm[:, 1]),
            table=table,
            lobe=torch.cat(
                [drawn["lobe_place"], drawn["lobe_width"][:, None], drawn["lobe_height"][:, None]],
                dim=1,
            ),
        )


@dataclass(frozen=True, eq=False)
class _Distort(PixelOperator):
    reach_px: Tensor  # (B,), of either sign
    table: Tensor  # (B, 4, 4), of u^a v^b
    lobe: Tensor  # (B, 4): place along RO and PE, width, height

    def on_planes(self, planes: Tensor, signal: Signal) -> Tensor:
        frame, is_magnitude = signal.frame, not signal.data.is_complex()

        def work(x: Tensor, shown: Tensor, reach_px: Tensor, table: Tensor, lobe: Tensor) -> Tensor:
            unit = _unit_field(foreground(shown), frame, table, lobe, like=x)
            y = piled_up(x, unit * reach_px.to(x)[:, None, None])
            return y.clamp_min(0) if is_magnitude else y

        own = (one.to(planes.device) for one in (self.reach_px, self.table, self.lobe))
        return slice_by_slice(work, planes, signal.scene.shown, *own)


def _unit_field(inside: Tensor, frame: Frame, table: Tensor, lobe: Tensor, like: Tensor) -> Tensor:
    """The field over its peak, at rows' middles and columns' edges: (B, RO, PE + 1).

    Args:
        inside: (B, RO, PE), 1 in the foreground of what is shown.
        frame: The geometry.
        table: (B, 4, 4), of u^a v^b.
        lobe: (B, 4): place along RO and PE, width, height.
        like: Whose precision it has.

    """
    middle, spread = middle_and_spread(inside)
    (n_ro, n_pe), cut = frame.encoded, frame.cut
    places = [torch.arange(n_ro) + 0.5 - cut[0].start, torch.arange(n_pe + 1) - cut[1].start]
    powers, bumps = [], []
    for axis, place in enumerate(one.to(middle) for one in places):
        u = (place - middle[:, axis, None]) / (_RIM * spread[:, axis, None])
        powers.append(torch.stack([u**power for power in range(_ORDER + 1)], dim=1))
        away = (u - lobe[:, axis, None]) / lobe[:, 2, None]
        bumps.append((-0.5 * away.square()).exp())
    rows = [*(table.mT @ powers[0]).unbind(1), lobe[:, 3, None] * bumps[0]]
    columns = [*powers[1].unbind(1), bumps[1]]
    rows, columns = ([one.to(like) for one in ones] for ones in (rows, columns))
    f = rows[0][:, :, None] * columns[0][:, None]
    for row, column in zip(rows[1:], columns[1:], strict=True):
        f.addcmul_(row[:, :, None], column[:, None])
    twice = (f[:, cut[0], 1:] + f[:, cut[0], :-1])[..., cut[1]] * inside
    peak = twice.abs_().amax(dim=(1, 2), keepdim=True) / 2
    unit: Tensor = f.div_(peak.clamp_min(_LEAST_PEAK)).clamp_(-1, 1)
    return unit
