"""What an artifact is: draw plain parameters, then make an operator of them."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import ClassVar

from torch import Tensor

from artifacts_sim.acquisition import pipeline
from artifacts_sim.acquisition.geometry import Frame, Geometry
from artifacts_sim.acquisition.kspace import KSpace
from artifacts_sim.acquisition.operators import Operator, Stage
from artifacts_sim.checks import check_keys, check_params, check_severity
from artifacts_sim.keyed import Source
from artifacts_sim.levels import Grid, Knob, resolve_grid
from artifacts_sim.params import Draws, Params


@dataclass(frozen=True)
class Artifact(ABC):
    """One MR artifact with one physical severity knob.

    A subclass is a frozen dataclass whose fields are its options, each with a default. It sets
    three class attributes and writes `operator`, and `draw` where slices differ.

    Attributes:
        name: The registry's name.
        knob: The physical scale of its severity.
        stage: Where in the scanner it happens.

    """

    name: ClassVar[str]
    knob: ClassVar[Knob]
    stage: ClassVar[Stage]

    def sample(
        self,
        *,
        keys: Sequence[str],
        seed: int,
        level: int | None = None,
        knob: float | None = None,
        grid: Grid | str = "calibrated",
    ) -> Params:
        """All the randomness: draw the parameters of B slices.

        The nuisance draws depend on (artifact, seed, key) alone, never on the severity: at every
        level a slice meets the same draws, scaled by the knob.

        Args:
            keys: B names, one per slice.
            seed: The study's seed.
            level: 1 to 5; 0 = identity. Or else:
            knob: The severity in the knob's physical unit; 0 = identity.
            grid: What a level means: 'calibrated', 'physical', or a grid of one's own.

        Raises:
            ArtifactError: Not exactly one of level and knob, either out of range, a level that
                the artifact does not reach, or bad keys.

        """
        check_keys(keys)
        check_severity(level, knob)
        value = self.at(level, grid) if knob is None else knob
        draws = self.draw(Source(self.name, seed, keys))
        return Params(self.name, asdict(self), self.knob.checked(value), draws)

    def at(self, level: int | None, grid: Grid | str = "calibrated") -> float:
        """Return the knob value of a level, 0 for level 0.

        Raises:
            ArtifactError: No such level or grid, or the artifact does not reach the level.

        """
        return self._grid(grid).value(self.name, level)

    def reaches(self, level: int, grid: Grid | str = "calibrated") -> bool:
        """Whether the grid has a knob value of this level.

        Raises:
            ArtifactError: No such level or grid, or the grid does not have the artifact.

        """
        return self._grid(grid).reaches(self.name, level)

    def _grid(self, grid: Grid | str) -> Grid:
        return resolve_grid(grid, {self.name: self.knob})

    def apply(self, x: Tensor | KSpace, params: Params, geometry: Geometry | None = None) -> Tensor:
        """All the work: the same x and params give the same y, whatever the batch.

        On one CPU thread the batch equals its slices one by one, bit for bit. No gradient is
        recorded, and x is left as it is.

        Args:
            x: (B, H, W) with W = phase encode, unless the geometry says H; float32 magnitude, or
                a complex64 image. Or k-space. On any device.
            params: The params of this artifact, for B slices.
            geometry: The geometry of an image; by default it is all of its encoded matrix.

        Returns:
            (B, H, W) float32 magnitude on x's device: finite, non-negative. With knob 0 the
            magnitude of x, bit for bit. Of k-space, the reconstruction: root sum of squares over
            the coils, cropped.

        Raises:
            ArtifactError: `x`, params or geometry are not as above.

        """
        return pipeline.render(x, [(self, params)], geometry)

    def corrupt(self, kspace: KSpace, params: Params) -> KSpace:
        """Return the k-space that would have been measured; with knob 0 the same, bit for bit.

        Raises:
            ArtifactError: Params are not of this artifact or batch, or it acts on the displayed
                magnitude, which has no k-space.

        """
        return pipeline.corrupt(kspace, [(self, params)])

    def check(self, params: Params, batch: int) -> None:
        """Check that parameters are of this artifact and for this batch.

        Raises:
            ArtifactError: They are not.

        """
        check_params(self.name, asdict(self), params, batch)
        self.knob.checked(params.knob)

    def draw(self, source: Source) -> Draws:
        """Draw what varies from slice to slice: named arrays, (B, ...) each, never the knob.

        By default that is nothing: an array without columns counts the slices.
        """
        return {"nothing": source.uniform(0)}

    @abstractmethod
    def operator(self, draws: Draws, knob: float, frame: Frame) -> Operator:
        """Make the operator of some slices' draws, at a knob above 0."""
