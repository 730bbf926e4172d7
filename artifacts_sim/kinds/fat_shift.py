"""Chemical shift of the first kind: fat lies beside the place where it is shown."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import pad

from artifacts_sim.acquisition.geometry import Frame
from artifacts_sim.acquisition.operators import DirectPixelOperator, Stage
from artifacts_sim.acquisition.signal import Signal
from artifacts_sim.base import Artifact
from artifacts_sim.errors import ArtifactError
from artifacts_sim.keyed import Source, signed
from artifacts_sim.kinds.curves import BRIGHT, sampled
from artifacts_sim.levels import Knob
from artifacts_sim.params import Draws, as_tensors

_FAT_PPM = 3.5  # of methylene below water
_GAMMA_BAR_MHZ_PER_T = 42.577
_RAMP = (0.5, 0.8)  # of the bright percentile: no fat, all fat


def fat_shift_px(*, field_t: float, bandwidth_hz_per_px: float) -> float:
    """Return the pixels by which fat is displaced along readout: 1 at 3 T and 447 Hz per pixel.

    3.5 ppm times 42.577 MHz / T times the field, over the bandwidth per pixel. Source: Dixon,
    Radiology 153:189 (1984), for the 3.5 ppm.

    Args:
        field_t: Field strength in T.
        bandwidth_hz_per_px: Readout bandwidth in Hz per pixel.

    Raises:
        ArtifactError: Either is not above 0.

    """
    if not (0 < field_t < math.inf and 0 < bandwidth_hz_per_px < math.inf):
        raise ArtifactError(
            "field strength in T and bandwidth in Hz per pixel are not both finite and above 0",
            f"field_t={field_t!r} and bandwidth_hz_per_px={bandwidth_hz_per_px!r}",
            "take both from the protocol, for example 3 T and 447 Hz per pixel",
        )
    return _FAT_PPM * _GAMMA_BAR_MHZ_PER_T * field_t / bandwidth_hz_per_px


@dataclass(frozen=True)
class FatShift(Artifact):
    """y = |(1 - f) x + S(f x)|, f the fat fraction, S a displacement along readout.

    Fat resonates 3.5 ppm below water, which the frequency encoding takes for a place `knob`
    pixels away; `fat_shift_px` gives them from field strength and bandwidth. The direction, that
    of the readout gradient, is drawn. Between pixels S interpolates linearly, so that nothing
    rings or turns negative; from outside comes nothing. Source: Soila et al., Radiology 153:819
    (1984). It acts on the object, though the scanner does it line by line: only there is it known
    what is fat, and to all that follows fat lies where it is shown.

    f is given to `apply`, or else guessed: 0 up to 0.5 of the clean slice's 99th percentile, 1 from
    0.8 of it, linear between. (The percentile is that of every m-th pixel of an axis, m the least
    that leaves at most 64 of them.) That holds where fat is the brightest tissue: T1 or proton
    density weighting without fat suppression. It is wrong with fat suppression, with T2
    weighting, where fluid is bright, after contrast agent, and where bias makes tissue bright.
    """

    name: ClassVar[str] = "fat_shift"
    knob: ClassVar[Knob] = Knob(
        name="shift_px",
        meaning="displacement of fat in pixels of before a resize; at 3 T, 447 Hz per pixel over "
        "the bandwidth, so that 6 is 75 Hz per pixel",
        physical=(0.5, 1.0, 2.0, 3.0, 5.0),
        limit=6.0,
    )
    stage: ClassVar[Stage] = Stage.OBJECT
    place: ClassVar[int] = 20
    smooth: ClassVar[bool] = True

    def draw(self, source: Source) -> Draws:
        """Whether fat moves to higher, 1, or to lower rows, -1, in a scan."""
        return {"direction": signed(source.scan.uniform(1)[:, 0], 1, 1)}

    def operator(self, draws: Draws, knob: Tensor, frame: Frame) -> "_Shift":
        """Shift what is fat."""
        return _Shift(knob * as_tensors(draws)["direction"] * frame.native_px[0])


@dataclass(frozen=True, eq=False)
class _Shift(DirectPixelOperator):
    shift_px: Tensor  # (B,)

    def on_planes(self, planes: Tensor, signal: Signal, out: Tensor | None = None) -> Tensor:
        moved = planes * self._fat(planes, signal)[:, None]
        y = torch.sub(planes, moved, out=out)
        for rows, share in _taps(self.shift_px):
            into, source = _overlap(rows, y.shape[-2])
            shares = share.to(y)[:, None, None, None]
            if torch.is_grad_enabled():
                y = y + pad(moved[:, :, source] * shares, _margins(into, y.shape[-2]))
            else:
                y[:, :, into].addcmul_(moved[:, :, source], shares)
        return y

    def _fat(self, planes: Tensor, signal: Signal) -> Tensor:
        """The fat fraction on the encoded matrix, where it is known; else guess it."""
        scene, frame = signal.scene, signal.frame
        if scene.fat is None:
            return _guess(planes, _bright(scene.shown))
        fat = planes.new_zeros((len(planes), *frame.encoded))
        fat[:, *frame.cut] = scene.fat.to(planes)
        return fat


def _taps(shift_px: Tensor) -> Iterator[tuple[int, Tensor]]:
    """Whole shifts, and how much of each makes every slice's own, by linear interpolation: (B,)."""
    below = shift_px.detach().floor()
    for rows in sorted({*below.tolist(), *(below + 1).tolist()}):
        share = (1 - (shift_px - rows).abs()).clamp_min(0)
        if share.any():
            yield int(rows), share


def _overlap(shift: int, size: int) -> tuple[slice, slice]:
    """Where rows come to lie that are shifted, and where they come from."""
    into, source = max(shift, 0), max(-shift, 0)
    common = max(size - abs(shift), 0)
    return slice(into, into + common), slice(source, source + common)


def _margins(into: slice, size: int) -> tuple[int, int, int, int]:
    """The empty columns and rows around rows that lie there, as `pad` takes them."""
    return 0, 0, into.start, size - into.stop


def _bright(shown: Tensor) -> Tensor:
    """The brightness that few pixels of a slice exceed, background and all: (B,)."""
    samples = sampled(shown)
    above = math.floor(samples.shape[1] * (1 - BRIGHT)) + 1
    return samples.topk(above, dim=1).values[:, -1].clamp_min(torch.finfo(shown.dtype).tiny)


def _guess(planes: Tensor, bright: Tensor) -> Tensor:
    """Guess the fat fraction from the brightness: (B, RO, PE)."""
    a = planes[:, 0] if planes.shape[1] == 1 else torch.linalg.vector_norm(planes, dim=1)
    low, high = _RAMP
    per_unit = (1 / (high - low) / bright)[:, None, None]
    return (a * per_unit).sub_(low / (high - low)).clamp_(0, 1)
