"""What an artifact is: draw plain parameters, then apply them."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from artifacts_sim.checks import check_image, check_keys, check_params
from artifacts_sim.keyed import words
from artifacts_sim.levels import Knob
from artifacts_sim.params import Draws, Params

_CPU_CHUNK_PIXELS = 2 * 320 * 320  # intermediates of more pixels fall out of a core's cache
_GPU_CHUNK_PIXELS = 2**24  # fills a GPU, and bounds the memory of the intermediates


class Artifact(ABC):
    """One MR artifact with one physical severity knob.

    A subclass sets three class attributes and writes two methods; `artifacts_sim` tells how.

    Attributes:
        name: the registry's name.
        knob: the physical scale of its severity.
        n_words: how many random 64-bit words a slice needs.

    """

    name: ClassVar[str]
    knob: ClassVar[Knob]
    n_words: ClassVar[int]

    def sample(
        self,
        *,
        keys: Sequence[str],
        seed: int,
        level: int | None = None,
        knob: float | None = None,
    ) -> Params:
        """All the randomness: draw the parameters of B slices.

        The nuisance draws depend on (artifact, seed, key) alone, never on the severity: at every
        level a slice meets the same draws, scaled by the knob.

        Args:
            keys: B names, one per slice.
            seed: the study's seed.
            level: 1 to 5, as `artifacts_sim.levels` has it; 0 = identity. Or else:
            knob: the severity in the knob's physical unit; 0 = identity.

        Raises:
            ArtifactError: not exactly one of level and knob, either out of range, or bad keys.

        """
        check_keys(keys)
        severity = self.knob.resolve(level, knob)
        draws = self._draw(words(self.name, seed, keys, self.n_words))
        return Params(self.name, severity, draws)

    def apply(self, x: Tensor, params: Params) -> Tensor:
        """All the work: the same x and params give the same y, whatever the batch.

        On one CPU thread the batch equals its slices one by one, bit for bit. No gradient is
        recorded, and x is left as it is.

        Args:
            x: (B, H, W) with H = readout and W = phase encode; float32 magnitude, or a complex64
                image. On any device.
            params: of this artifact, for B slices.

        Returns:
            (B, H, W) float32 magnitude on x's device: finite, non-negative. With knob 0 the
            magnitude of x, bit for bit.

        Raises:
            ArtifactError: x or params are not as above.

        """
        check_image(x)
        check_params(self.name, params, batch=len(x))
        knob = self.knob.resolve(level=None, knob=params.knob)
        with torch.no_grad():
            return self._apply_in_parts(x, params.draws, knob) if knob else _magnitude(x)

    def _apply_in_parts(self, x: Tensor, draws: Draws, knob: float) -> Tensor:
        x = x.resolve_conj().contiguous()
        y = torch.empty(x.shape, dtype=torch.float32, device=x.device)
        for part in _parts(x):
            of_part = {name: array[part] for name, array in draws.items()}
            y[part] = self._render(x[part], of_part, knob)
        return y

    @abstractmethod
    def _draw(self, bits: NDArray[np.uint64]) -> Draws:
        """Turn (B, n_words) random words into nuisance draws: named arrays, (B, ...) each."""

    @abstractmethod
    def _render(self, x: Tensor, draws: Draws, knob: float) -> Tensor:
        """Damage a valid, contiguous x at a knob above 0; return (B, H, W) float32, non-negative.

        Every slice is treated alone, and x is not written to.
        """


def _magnitude(x: Tensor) -> Tensor:
    return x.abs() if x.is_complex() else x.clone()


def _parts(x: Tensor) -> Iterator[slice]:
    """Ranges of slices to process at once.

    Slices of one row go alone: a kernel would run on across their ends, and round differently.
    """
    B, H, W = x.shape
    pixels = _CPU_CHUNK_PIXELS if x.is_cpu else _GPU_CHUNK_PIXELS
    step = max(1, pixels // (H * W)) if H > 1 else 1
    return (slice(start, start + step) for start in range(0, B, step))
