"""The one way through the scanner: every artifact, alone or in a chain, image or k-space."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from artifacts_sim.acquisition.eager import eager
from artifacts_sim.acquisition.geometry import Frame, Geometry, centre, frame_of_image
from artifacts_sim.acquisition.kspace import KSpace
from artifacts_sim.acquisition.masks import Mask
from artifacts_sim.acquisition.operators import Operator, Stage, put
from artifacts_sim.acquisition.scene import Scene
from artifacts_sim.acquisition.signal import Signal
from artifacts_sim.checks import (
    check_fat,
    check_geometry,
    check_image,
    check_is_kspace,
    check_no_display,
    check_no_geometry,
    check_one_size,
    check_whole_object,
)
from artifacts_sim.params import Draws, Params

_CPU_CHUNK_PIXELS = 8 * 320 * 320  # of fewer the calls show, of more the caches run over
_GPU_CHUNK_PIXELS = 2**24  # fills a GPU, and bounds the memory of the intermediates
_LAST_PLACE = 100  # of a stage
_HALF = (torch.float16, torch.bfloat16)


class Maker(Protocol):
    """An artifact, as far as the pipeline knows it."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def stages(self) -> tuple[Stage, ...]:
        """Where it acts, rising."""

    @property
    def place(self) -> int:
        """When it acts among the others of a stage."""

    @property
    def reframes(self) -> bool:
        """Whether it changes the frame, by its knob."""

    def check(self, params: Params, batch: int) -> None:
        """Refuse what others drew."""

    def encodes(self, knob: float, frame: Frame) -> Frame:
        """Change the frame."""

    def operators(
        self, draws: Draws, knob: Tensor, frame: Frame, encoded: Frame
    ) -> Mapping[Stage, Operator]:
        """Make the operators of drawn parameters."""


Step = tuple[Maker, Params]


@eager
def render(
    x: Tensor | KSpace,
    steps: Sequence[Step],
    geometry: Geometry | None = None,
    fat: Tensor | None = None,
) -> Tensor:
    """Let the steps act in the scanner's order, and return the magnitude that is shown.

    Args:
        x: (B, H, W) magnitude or complex image; or k-space, which has its own geometry.
        steps: Artifacts with parameters for B slices; a slice whose knob is 0 is left out.
        geometry: The geometry of an image.
        fat: (B, H, W) like the result, the fraction of the signal that comes from fat.

    Returns:
        (B, H, W) >= 0; of k-space, (B, RO, PE) of its crop.

    Raises:
        ArtifactError: `x`, its geometry or fat is not as it must be.

    """
    if isinstance(x, KSpace):
        check_no_geometry(geometry)
        if fat is not None:
            check_fat(fat, (len(x), *x.frame().crop))
        return _Given(x.by_coil(), x.frame(), fat, in_kspace=True).rendered(steps)
    check_image(x)
    if fat is not None:
        check_fat(fat, tuple(x.shape))
    check_geometry(geometry, Geometry)
    geometry = geometry or Geometry()
    if geometry.phase_axis == "W":
        return _render_image(x, steps, geometry, fat)
    turned = None if fat is None else fat.transpose(1, 2)
    y = _render_image(x.transpose(1, 2), steps, geometry, turned)
    return y.transpose(1, 2).contiguous()


@eager
def corrupt(kspace: KSpace, steps: Sequence[Step], fat: Tensor | None = None) -> KSpace:
    """Let the steps act in the scanner's order, and return the k-space that is measured.

    Args:
        kspace: K-space of B slices.
        steps: As of `render`.
        fat: As of `render`.

    Raises:
        ArtifactError: A step acts on what is made of the k-space, or slices end in k-space of
            different sizes.

    """
    check_is_kspace(kspace)
    check_no_display(params.name for artifact, params in steps if artifact.stages[-1] > Stage.ADDED)
    if fat is not None:
        check_fat(fat, (len(kspace), *kspace.frame().crop))
    given = _Given(kspace.by_coil(), kspace.frame(), fat, in_kspace=True)
    samples, frame = given.corrupted(steps)
    geometry = kspace.geometry
    if frame.encoded != given.frame.encoded:
        geometry = replace(
            geometry,
            encoded=None,
            crop=frame.crop,
            acquired=frame.acquired,
            pixel_mm=frame.pixel_mm.tolist(),
            native=_native(geometry, given.frame, frame),
        )
    return KSpace(samples if kspace.samples.ndim == 4 else samples[:, 0], geometry)


def _render_image(
    x: Tensor, steps: Sequence[Step], geometry: Geometry, fat: Tensor | None
) -> Tensor:
    frame = frame_of_image(geometry, (x.shape[1], x.shape[2]), len(x))
    kind = x.dtype
    x = (x.float() if kind in _HALF else x).resolve_conj().contiguous()
    y = _Given(x[:, None], frame, fat, in_kspace=False).rendered(steps)
    return y.clamp_max(torch.finfo(kind).max).to(kind) if kind in _HALF else y


@dataclass(frozen=True, eq=False)
class _Given:
    """What is given of B slices: k-space, or an image that is the crop of its encoded matrix.

    Attributes:
        data: (B, coil, RO, PE), contiguous.
        frame: The geometry.
        fat: (B, RO, PE) of the crop, where it is known.
        in_kspace: Whether the data are samples, not pixels.

    """

    data: Tensor
    frame: Frame
    fat: Tensor | None
    in_kspace: bool

    def __getitem__(self, part: slice | NDArray[np.int64]) -> "_Given":
        if isinstance(part, slice) and part.stop - part.start >= len(self.data):
            return self
        at = part if isinstance(part, slice) else torch.from_numpy(part)
        fat = None if self.fat is None else self.fat[at]
        return replace(self, data=self.data[at], frame=self.frame[part], fat=fat)

    def rendered(self, steps: Sequence[Step]) -> Tensor:
        """The magnitude that is shown, (B, RO, PE), after the steps."""
        with torch.set_grad_enabled(self._records_gradients(steps)):
            groups = _alike(steps, len(self.data))
            if len(groups) == 1:
                return self._rendered(groups[0][1])
            shown = [self[places]._rendered(own) for places, own in groups]
            return in_place([places for places, _ in groups], shown)

    def corrupted(self, steps: Sequence[Step]) -> tuple[Tensor, Frame]:
        """The k-space that is measured, (B, coil, RO, PE), and its frame, after the steps."""
        with torch.set_grad_enabled(self._records_gradients(steps)):
            groups = _alike(steps, len(self.data))
            if len(groups) == 1:
                return self._corrupted(groups[0][1])
            made = [self[places]._corrupted(own) for places, own in groups]
            check_one_size([frame.encoded for _, frame in made])
            samples = in_place([places for places, _ in groups], [part for part, _ in made])
            return samples, replace(made[0][1], pixel_mm=self.frame.pixel_mm)

    def _records_gradients(self, steps: Sequence[Step]) -> bool:
        recorded = self.data.requires_grad or any(params.records_gradients for _, params in steps)
        return torch.is_grad_enabled() and recorded

    def _rendered(self, steps: Sequence[Step]) -> Tensor:
        if not steps and not self.in_kspace:
            image = self.data[:, 0]
            return image.abs() if image.is_complex() else image.clone()
        encoded, parts = self._encoded(steps), list(self._parts(steps))
        if torch.is_grad_enabled():
            made = [self[at]._shown(_some(steps, at), encoded[at]) for at in parts]
            return _on_canvas(torch.cat(made), encoded, self.frame.crop)
        out = self.data.real.new_empty((len(self.data), *self.frame.crop))
        own = out if encoded.crop == self.frame.crop else _middle(out.zero_(), encoded.crop)
        uncut = encoded.encoded == encoded.crop
        for at in parts:
            shown = self[at]._shown(_some(steps, at), encoded[at], own[at] if uncut else None)
            if not uncut:
                own[at] = shown[:, *encoded.cut]
        return out

    def _corrupted(self, steps: Sequence[Step]) -> tuple[Tensor, Frame]:
        if not steps:
            return self.data.clone(), self.frame
        encoded = self._encoded(steps)
        parts = list(self._parts(steps))
        measured = (self[at]._measured(_some(steps, at), encoded[at]) for at in parts)
        return _joined(measured, parts, len(self.data)), encoded

    def _encoded(self, steps: Sequence[Step]) -> Frame:
        """The frame that the lines encode; the knobs of what changes it are all alike."""
        if not self.frame.acquired.all():
            on_object = [artifact.name for artifact, _ in steps if artifact.stages[0] < Stage.LINES]
            check_whole_object(self.frame.acquired, on_object)
        frame = self.frame
        for artifact, params in steps:
            if artifact.reframes:
                frame = artifact.encodes(float(params.knobs[0]), frame)
        return frame

    def _signal(self) -> Signal:
        """The clean signal on the encoded matrix."""
        frame = self.frame
        if self.in_kspace:
            scene = Scene(lambda: signal.image()[..., *frame.cut], self.fat)
            signal = Signal(self.data, frame, scene, ro_in_kspace=True, pe_in_kspace=True)
            return signal
        canvas = self.data
        if frame.encoded != frame.crop:  # nothing is known of what lies around the image
            canvas = canvas.new_zeros((*canvas.shape[:2], *frame.encoded))
            canvas[..., *frame.cut] = self.data
        return Signal(canvas, frame, Scene(lambda: self.data, self.fat))

    def _shown(self, steps: Sequence[Step], encoded: Frame, out: Tensor | None = None) -> Tensor:
        """The magnitude after the steps, on the encoded matrix; put into `out` where it is."""
        signal = self._signal()
        operators = self._operators(steps, encoded)
        if not operators:
            return put(signal.magnitude(), out)
        *before, last = operators
        signal = reduce(_act, before, signal)
        if torch.is_grad_enabled():
            return _act(signal, last).magnitude()
        return last.render(signal, out)

    def _measured(self, steps: Sequence[Step], encoded: Frame) -> Tensor:
        """The k-space that is measured after the steps, (B, coil, RO, PE)."""
        return reduce(_act, self._operators(steps, encoded), self._signal()).kspace()

    def _operators(self, steps: Sequence[Step], encoded: Frame) -> list[Operator]:
        """Make the operators in the order in which they act; masks in a row become one."""
        made = []
        for artifact, params in steps:
            own = artifact.operators(params.draws, params.knobs, self.frame, encoded)
            made += [((stage, artifact.place, artifact.name), op) for stage, op in own.items()]
        on_object = any(key[0] < Stage.LINES for key, _ in made)
        if on_object and not encoded.acquired.all():
            only_acquired = Mask.keep(encoded.acquired[None])
            made.append(((Stage.LINES, _LAST_PLACE, ""), only_acquired))
        operators: list[Operator] = []
        for _, operator in sorted(made, key=lambda one: one[0]):
            last = operators[-1] if operators else None
            if isinstance(operator, Mask) and isinstance(last, Mask):
                operators[-1] = last * operator
            else:
                operators.append(operator)
        return operators

    def _parts(self, steps: Sequence[Step]) -> Iterator[slice]:
        """Ranges of slices to process at once.

        On a CPU, complex slices and slices of one row go alone: a kernel would run on across their
        ends, and round differently.
        """
        x = self.data
        pixels = x.shape[1] * max(x[0, 0].numel(), math.prod(self.frame.encoded))
        if x.is_cpu:
            one = len(steps) == 1 and len(steps[0][0].stages) == 1
            stays_real = one and not x.is_complex() and bool(self.frame.acquired.all())
            alone = not stays_real or x.shape[-2] == 1
            step = 1 if alone else max(1, _CPU_CHUNK_PIXELS // pixels)
        else:
            step = max(1, _GPU_CHUNK_PIXELS // pixels)
        return (slice(start, start + step) for start in range(0, len(x), step))


def _native(geometry: Geometry, before: Frame, after: Frame) -> tuple[int, int] | None:
    """The pixels of before a resize in a smaller field of view: as large as they were."""
    if geometry.native is None:
        return None
    across = geometry.native[1] * after.crop[1] / before.crop[1]
    return geometry.native[0], max(1, round(across))


def _act(signal: Signal, operator: Operator) -> Signal:
    return operator.act(signal)


def _some(steps: Sequence[Step], part: slice | NDArray[np.int64]) -> list[Step]:
    """The steps of some of the slices."""
    if isinstance(part, slice) and all(part.stop - part.start >= len(own) for _, own in steps):
        return list(steps)
    return [(artifact, params[part]) for artifact, params in steps]


def _alike(steps: Sequence[Step], batch: int) -> list[tuple[NDArray[np.int64], list[Step]]]:
    """Slices that go through the same steps in the same frame, and these steps.

    A step whose knob is 0 is none, unless its gradient is asked for.
    """
    for artifact, params in steps:
        artifact.check(params, batch)
    if all(isinstance(params.knob, float) for _, params in steps):
        return [(np.arange(batch), [step for step in steps if step[1].knob])]
    kinds: dict[tuple[float, ...], list[int]] = {}
    columns = [_kinds(artifact, params) for artifact, params in steps]
    if all(len(set(column)) == 1 for column in columns):
        places = [np.arange(batch)]
    else:
        for place, kind in enumerate(zip(*columns, strict=True)):
            kinds.setdefault(kind, []).append(place)
        places = [np.array(found) for found in kinds.values()]
    return [
        (
            at,
            [
                (artifact, params if len(at) == batch else params[at])
                for (artifact, params), column in zip(steps, columns, strict=True)
                if column[at[0]]
            ],
        )
        for at in places
    ]


def _kinds(artifact: Maker, params: Params) -> list[float]:
    """A number for each slice, the same where its step is of one kind; 0 where it does nothing."""
    knobs: list[float] = params.knobs.detach().tolist()
    if artifact.reframes:
        return knobs
    return [float(bool(knob) or params.records_gradients) for knob in knobs]


def _joined(made: Iterator[Tensor], parts: Sequence[slice], batch: int) -> Tensor:
    """Put the parts one after the other; without gradients, as they are made."""
    if torch.is_grad_enabled() or len(parts) == 1:
        return torch.cat(list(made))
    first = next(made)
    joined = first.new_empty((batch, *first.shape[1:]))
    joined[parts[0]] = first
    for part, one in zip(parts[1:], made, strict=True):
        joined[part] = one
    return joined


def in_place(places: Sequence[NDArray[np.int64]], parts: Sequence[Tensor]) -> Tensor:
    """Put slices back into the places that they were taken from."""
    order = torch.from_numpy(np.argsort(np.concatenate(places)))
    return torch.cat(list(parts))[order.to(parts[0].device)]


def _on_canvas(magnitude: Tensor, encoded: Frame, shape: tuple[int, int]) -> Tensor:
    """Cut what is shown out of the encoded matrix; around a smaller field of view is nothing."""
    shown = magnitude[:, *encoded.cut]
    if encoded.crop == shape:
        return shown
    canvas = shown.new_zeros((len(shown), *shape))
    _middle(canvas, encoded.crop).copy_(shown)
    return canvas


def _middle(canvas: Tensor, shape: tuple[int, int]) -> Tensor:
    """The middle of (B, RO, PE), of this size."""
    sizes = (canvas.shape[1], canvas.shape[2])
    return canvas[:, *map(centre, sizes, shape)]
