"""Artifacts as a module for pipelines: any shape, any floating type, keys of one's own or none."""

from collections.abc import Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from artifacts_sim.acquisition.eager import eager
from artifacts_sim.acquisition.geometry import Geometry, PixelMm
from artifacts_sim.base import Artifact
from artifacts_sim.checks import check_geometry, check_pixel_sizes, check_pixels
from artifacts_sim.errors import ArtifactError, shown
from artifacts_sim.levels import Grid
from artifacts_sim.shifts import Shift
from artifacts_sim.values import check_seed, checked_axis, checked_keys

_AXES = (2, 3, 4)
_MOST_AXES = 5


class Transform(nn.Module):
    """A shift as a callable module, for torchvision's, MONAI's and TorchIO's pipelines.

        damage = Transform("motion", level=2)
        y = damage(x)                                  # the key of a slice is its own content
        y = damage(x, keys=["patient-17/slice-4"])     # or a name

    It takes (H, W); (B, H, W), B slices; (B, C, H, W), B slices of C channels, which are damaged
    alike; and volumes, one axis of which is said to count the slices: what a scanner does to a
    whole scan is the same in all of them. A magnitude of any floating type gives the same type; a
    complex image gives its magnitude. Gradients pass.

    Without keys a slice is named by its pixels: whatever the batch, the order and the worker, the
    same slice gets the same artifact, and `epoch`, if counted up, another one in each epoch. A
    process that loads data needs no seeding, and no global random state is touched.
    """

    def __init__(
        self,
        artifact: Shift | Artifact | str,
        *,
        level: int | None = None,
        knob: float | None = None,
        grid: Grid | str = "calibrated",
        seed: int = 0,
        slice_axis: int | None = None,
        geometry: Geometry | None = None,
    ) -> None:
        """Say what happens.

        Args:
            artifact: A shift, or an artifact of a level or knob, as `Shift.of` takes it.
            level: See `Shift.of`; of a shift, None.
            knob: See `Shift.of`; of a shift, None.
            grid: See `Shift.of`.
            seed: The seed of the draws.
            slice_axis: The axis of a volume that counts its slices: -1 for (H, W, D) or
                (C, H, W, D). None: there are no volumes.
            geometry: What is known of the acquisition of all slices.

        Raises:
            ArtifactError: See `Shift.of`; or a seed or axis that is not a whole number, or a
                geometry that is none.

        """
        super().__init__()
        if isinstance(artifact, Shift) and (level is not None or knob is not None):
            raise ArtifactError(
                "a shift has its severity already",
                f"a shift with level={shown(level)} and knob={shown(knob)}",
                "leave level and knob out",
            )
        if not isinstance(artifact, Shift):
            artifact = Shift.of(artifact, level=level, knob=knob, grid=grid)
        self.shift = artifact
        self.seed = check_seed(seed)
        self.epoch = 0
        self.slice_axis = None if slice_axis is None else checked_axis(slice_axis, _MOST_AXES)
        check_geometry(geometry, Geometry)
        self.geometry = geometry or Geometry()

    @eager
    def forward(
        self,
        x: Tensor,
        keys: Sequence[str] | str | None = None,
        pixel_mm: PixelMm | Sequence[PixelMm] | None = None,
    ) -> Tensor:
        """Damage slices.

        Args:
            x: (H, W), (B, H, W) or (B, C, H, W); of volumes the axes without that of the slices
                are (H, W), (C, H, W) or (B, C, H, W). W = phase encode, unless the geometry says H.
            keys: A name for each of the B slices or volumes; by default their content is it.
                One that is there twice draws the same twice.
            pixel_mm: (RO, PE) pixel size in mm of all slices, or of each of B; by default that of
                the geometry.

        Returns:
            The shape of x, a magnitude.

        Raises:
            ArtifactError: Another number of axes, or of keys or pixel sizes, or an epoch that is
                not a whole number; or see `Artifact.apply`.

        """
        epoch = check_seed(self.epoch, "epoch")
        slices, shape = self._merged(x)
        keys = self._keys(slices, keys)
        batch, depth, channels = slices.shape[:3]
        numbers = [number for _ in range(batch) for number in range(depth) for _ in range(channels)]
        scans = [key for key in keys for _ in range(depth * channels)]
        names = [f"{scan}/{number}" for scan, number in zip(scans, numbers, strict=True)]
        params = self.shift.sample(
            keys=names if depth > 1 else scans,
            scans=scans,
            numbers=numbers,
            seed=_mixed(self.seed, epoch) if epoch else self.seed,
        )
        geometry = self.geometry
        if pixel_mm is not None:
            check_pixel_sizes(pixel_mm)
            geometry = replace(geometry, pixel_mm=_repeated(pixel_mm, depth * channels))
        y = self.shift.apply(slices.flatten(0, 2), params, geometry)
        return self._split(y.view(slices.shape), shape)

    def _merged(self, x: Tensor) -> tuple[Tensor, torch.Size]:
        """As (B, D, C, H, W); and the shape without the axis of the slices."""
        axes = x.ndim - (self.slice_axis is not None) if isinstance(x, Tensor) else 0
        if axes not in _AXES or not x.numel():
            received = tuple(x.shape) if isinstance(x, Tensor) else type(x).__name__
            raise ArtifactError(
                "x is not (H, W), (B, H, W) or (B, C, H, W), beside the axis that slice_axis "
                "names, or is empty",
                f"{received} with slice_axis={self.slice_axis}",
                "merge or add axes, or name the axis of the slices",
            )
        check_pixels(x)
        if self.slice_axis is None:
            slices = x if axes == 4 else x[:, None] if axes == 3 else x[None, None]
            return slices[:, None], x.shape
        volume = x.movedim(checked_axis(self.slice_axis, x.ndim), 0)
        inner = volume.shape[1:]
        volume = volume if axes == 4 else volume[:, None] if axes == 3 else volume[:, None, None]
        return volume.transpose(0, 1), inner

    def _split(self, y: Tensor, shape: torch.Size) -> Tensor:
        """Undo `_merged`."""
        if self.slice_axis is None:
            return y.reshape(shape)
        return y.transpose(0, 1).reshape(-1, *shape).movedim(0, self.slice_axis)

    def _keys(self, slices: Tensor, keys: Sequence[str] | str | None) -> list[str]:
        if keys is None:
            pixels = slices.detach().resolve_conj().resolve_neg().contiguous().cpu()
            return [_digest(one) for one in pixels]
        given = checked_keys([keys] if isinstance(keys, str) else keys)
        if len(given) != len(slices):
            raise ArtifactError(
                "there is not one key for each slice or volume",
                f"{len(given)} keys for {len(slices)}",
                "name each of them, or leave keys out, and their content is their name",
            )
        return given

    def extra_repr(self) -> str:
        """What the module is printed as."""
        chains = [
            " + ".join(f"{step.artifact.name} {step.knob:.4g}" for step in steps) or "clean"
            for steps in self.shift.chains
        ]
        return f"{' | '.join(chains)}, seed={self.seed}"


def _digest(pixels: Tensor) -> str:
    """A name for an image, which its pixels and nothing else decide."""
    return blake2b(pixels.view(torch.uint8).numpy().tobytes(), digest_size=16).hexdigest()


def _mixed(seed: int, epoch: int) -> int:
    """A seed for each epoch."""
    digest = blake2b(f"{seed}\0epoch {epoch}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def _repeated(pixel_mm: Any, times: int) -> Any:
    """The pixel size of each plane, of a batch of slices with several planes each."""
    sizes = np.asarray(pixel_mm, dtype=np.float64)
    return pixel_mm if sizes.ndim < 2 else sizes.repeat(times, axis=0).tolist()
