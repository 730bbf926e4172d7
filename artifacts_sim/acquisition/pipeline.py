"""The one way through the scanner: every artifact, alone or in a chain, image or k-space."""

from collections.abc import Iterator, Sequence
from functools import reduce
from typing import Protocol

import torch
from torch import Tensor

from artifacts_sim.acquisition.geometry import Frame, Geometry, frame_of_image
from artifacts_sim.acquisition.kspace import KSpace
from artifacts_sim.acquisition.masks import Mask
from artifacts_sim.acquisition.operators import Operator, Stage
from artifacts_sim.acquisition.signal import Signal
from artifacts_sim.checks import check_image, check_no_display, check_no_geometry
from artifacts_sim.params import Draws, Params

_CPU_CHUNK_PIXELS = 4 * 320 * 320  # of fewer the calls show, of more the caches run over
_GPU_CHUNK_PIXELS = 2**24  # fills a GPU, and bounds the memory of the intermediates


class Maker(Protocol):
    """An artifact, as far as the pipeline knows it."""

    @property
    def stage(self) -> Stage:
        """Where it acts."""

    def check(self, params: Params, batch: int) -> None:
        """Refuse what others drew."""

    def operator(self, draws: Draws, knob: float, frame: Frame) -> Operator:
        """Make the operator of drawn parameters."""


Step = tuple[Maker, Params]


@torch.no_grad()
def render(x: Tensor | KSpace, steps: Sequence[Step], geometry: Geometry | None) -> Tensor:
    """Let the steps act in the scanner's order, and return the magnitude that is shown.

    Args:
        x: (B, H, W) float32 magnitude or complex64 image; or k-space, which has its own geometry.
        steps: Artifacts with parameters for B slices; a knob of 0 is skipped.
        geometry: The geometry of an image.

    Returns:
        (B, H, W) float32 >= 0; of k-space, (B, RO, PE) of its crop.

    Raises:
        ArtifactError: `x` or its geometry is not as it must be.

    """
    if isinstance(x, KSpace):
        check_no_geometry(geometry)
        return _render_kspace(x, _in_order(steps, len(x)))
    check_image(x)
    geometry, steps = geometry or Geometry(), _in_order(steps, len(x))
    if geometry.phase_axis == "W":
        return _render_image(x, steps, geometry)
    return _render_image(x.transpose(1, 2), steps, geometry).transpose(1, 2).contiguous()


@torch.no_grad()
def corrupt(kspace: KSpace, steps: Sequence[Step]) -> KSpace:
    """Let the steps act in the scanner's order, and return the k-space that is measured.

    Raises:
        ArtifactError: A step acts on the displayed magnitude.

    """
    check_no_display(params.name for artifact, params in steps if artifact.stage == Stage.DISPLAY)
    steps = _in_order(steps, len(kspace))
    if not steps:
        return KSpace(kspace.samples.clone(), kspace.geometry)
    samples = torch.empty_like(kspace.by_coil())
    for part, signal in _signals(kspace):
        samples[part] = _act(signal, _operators(steps, part, signal.frame)).kspace()
    return KSpace(samples.view(kspace.samples.shape), kspace.geometry)


def _in_order(steps: Sequence[Step], batch: int) -> list[Step]:
    """Sort by stage, steps of one stage as they were given; without those that do nothing."""
    for artifact, params in steps:
        artifact.check(params, batch)
    return sorted((step for step in steps if step[1].knob), key=lambda step: step[0].stage)


def _render_kspace(kspace: KSpace, steps: Sequence[Step]) -> Tensor:
    frame = kspace.frame()
    y = torch.empty((len(kspace), *frame.crop), device=kspace.samples.device)
    for part, signal in _signals(kspace):
        damaged = _act(signal, _operators(steps, part, frame))
        y[part] = damaged.magnitude()[:, *frame.cut]
    return y


def _signals(kspace: KSpace) -> Iterator[tuple[slice, Signal]]:
    samples, frame = kspace.by_coil(), kspace.frame()
    for part in _parts(samples, together=False):
        yield part, Signal(samples[part], frame, ro_in_kspace=True, pe_in_kspace=True)


def _render_image(x: Tensor, steps: Sequence[Step], geometry: Geometry) -> Tensor:
    x = x.resolve_conj().contiguous()
    frame = frame_of_image(geometry, (x.shape[1], x.shape[2]))
    if not steps:
        return x.abs() if x.is_complex() else x.clone()
    y = torch.empty(x.shape, dtype=torch.float32, device=x.device)
    for part in _parts(x, together=len(steps) == 1 and not x.is_complex()):
        *before, last = _operators(steps, part, frame)
        signal = _act(Signal(_encoded(x[part], frame)[:, None], frame), before)
        y[part] = _shown(signal, last)[:, *frame.cut]
    return y


def _shown(signal: Signal, last: Operator) -> Tensor:
    """The last operator goes straight to the magnitude, from an image that is still at hand."""
    if signal.ro_in_kspace or signal.pe_in_kspace:
        return last.act(signal).magnitude()
    return last.render(signal.image()[:, 0], signal.frame)


def _encoded(x: Tensor, frame: Frame) -> Tensor:
    """Put the image in the centre of its encoded matrix; nothing is known of the rest."""
    if frame.encoded == frame.crop:
        return x
    canvas = x.new_zeros((len(x), *frame.encoded))
    canvas[:, *frame.cut] = x
    return canvas


def _operators(steps: Sequence[Step], part: slice, frame: Frame) -> list[Operator]:
    """Make the operators of some slices; masks in a row become one."""
    made: list[Operator] = []
    for artifact, params in steps:
        operator = artifact.operator(params[part].draws, params.knob, frame)
        last = made[-1] if made else None
        if isinstance(operator, Mask) and isinstance(last, Mask):
            made[-1] = last * operator
        else:
            made.append(operator)
    return made


def _act(signal: Signal, operators: Sequence[Operator]) -> Signal:
    return reduce(lambda so_far, operator: operator.act(so_far), operators, signal)


def _parts(x: Tensor, together: bool) -> Iterator[slice]:
    """Ranges of slices to process at once.

    On a CPU, complex slices and slices of one row go alone: a kernel would run on across their
    ends, and round differently.
    """
    if x.is_cpu:
        alone = not together or x.shape[-2] == 1
        step = 1 if alone else max(1, _CPU_CHUNK_PIXELS // x[0].numel())
    else:
        step = max(1, _GPU_CHUNK_PIXELS // x[0].numel())
    return (slice(start, start + step) for start in range(0, len(x), step))
