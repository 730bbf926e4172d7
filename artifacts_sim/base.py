"""What an artifact is: draw plain parameters, then make operators of them."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property, lru_cache
from typing import Any, ClassVar

from torch import Tensor

from artifacts_sim.acquisition import pipeline
from artifacts_sim.acquisition.eager import eager
from artifacts_sim.acquisition.geometry import Frame, Geometry
from artifacts_sim.acquisition.kspace import KSpace
from artifacts_sim.acquisition.operators import Operator, Stage
from artifacts_sim.errors import ArtifactError
from artifacts_sim.keyed import Names, Source
from artifacts_sim.levels import Grid, Knob, resolve_grid
from artifacts_sim.limits import check_option, check_params
from artifacts_sim.params import Draws, KnobValues, Params, checked_params
from artifacts_sim.values import check_seed, check_severity, is_listed, number, plain


@dataclass(frozen=True)
class Artifact(ABC):
    """One MR artifact with one physical severity knob.

    A subclass is a frozen dataclass whose fields are its options, each with a default. It sets
    the class attributes and writes `operator`, and `draw` where slices differ.

    Attributes:
        name: The registry's name.
        knob: The physical scale of its severity.
        stage: Where in the scanner it happens.
        place: Its place among the artifacts of its stage, in which a chain acts; those of one
            place follow their names. The places are those of docs/artifacts.md.
        smooth: Whether the damage has a derivative with respect to the knob.
        reframes: Whether it encodes another field of view, see `encodes`.

    """

    name: ClassVar[str]
    knob: ClassVar[Knob]
    stage: ClassVar[Stage]
    place: ClassVar[int] = 50
    smooth: ClassVar[bool] = False
    reframes: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Give every option the plain type of its default, so that 2, 2.0 and NumPy's 2 are one."""
        for field in fields(self):
            value = _plain(field.name, getattr(self, field.name), field.default)
            object.__setattr__(self, field.name, value)

    @eager
    def sample(
        self,
        *,
        keys: Sequence[str],
        seed: int,
        level: int | Sequence[int] | None = None,
        knob: float | Sequence[float] | Tensor | None = None,
        grid: Grid | str = "calibrated",
        scans: Sequence[str] | None = None,
        numbers: Sequence[int] | None = None,
    ) -> Params:
        """All the randomness: draw the parameters of B slices.

        The nuisance draws depend on (artifact, seed, key) alone, never on the severity: at every
        level a slice meets the same draws, scaled by the knob. What a scanner does to a whole scan
        is drawn by (artifact, seed, scan): the slices of a scan have it in common.

        Args:
            keys: B names, one per slice; one that is there twice draws the same twice.
            seed: The study's seed, a whole number of at most 128 bits.
            level: 1 to 5, for all slices or one for each; 0 = identity. Or else:
            knob: The severity in the knob's physical unit, for all slices or one for each; 0 =
                identity. Of a tensor that records gradients, these pass to what `apply` returns.
            grid: What a level means: 'calibrated', 'physical', or a grid of one's own.
            scans: B names, of the scan that each slice is of; by default each is a scan itself.
            numbers: The place of each slice in its scan, from 0, where an option needs it.

        Raises:
            ArtifactError: Not exactly one of level and knob, either out of range or not one per
                slice, a level that the artifact does not reach, gradients of a knob without a
                derivative, or bad keys, seed or scans.

        """
        slices = Names(keys, scans, numbers)
        check_severity(level, knob)
        draws = self.draw(Source(self.name, check_seed(seed), slices))
        params = Params(self.name, self.options, self._severity(level, knob, grid), draws)
        self._check_smooth(params)
        return params

    @cached_property
    def options(self) -> dict[str, Any]:
        """Its options by name, all of them."""
        return asdict(self)

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

    def _severity(self, level: object, knob: object, grid: Grid | str) -> KnobValues:
        if knob is not None:
            return self.knob.checked(knob)
        level = plain(level)
        if is_listed(level):
            return self.knob.checked([self.at(one, grid) for one in level])
        return self.knob.checked(self.at(level, grid))  # type: ignore[arg-type]

    def _grid(self, grid: Grid | str) -> Grid:
        return resolve_grid(grid, {self.name: self.knob})

    def apply(
        self,
        x: Tensor | KSpace,
        params: Params,
        geometry: Geometry | None = None,
        fat: Tensor | None = None,
    ) -> Tensor:
        """All the work: the same x and params give the same y, whatever the batch.

        On one CPU thread the batch equals its slices one by one, bit for bit. Gradients are
        recorded where x or the knob does, in double precision for float64. x is left as it is.

        Args:
            x: (B, H, W) with W = phase encode, unless the geometry says H: a magnitude of any
                floating type, or a complex image. Or k-space. On any device. Intensities have no
                unit while the brightest pixel of a slice is from 1e-15 to 1e15, the most that is
                accepted; a slice that is fainter comes out finite, as if it were empty or nearly
                so: multiply it, or convert it to float64.
            params: The params of this artifact, for B slices.
            geometry: The geometry of an image; by default it is all of its encoded matrix.
            fat: (B, H, W) like the result, fraction of a pixel's signal that comes from fat, 0 to
                1; by default artifacts that need it guess it from the brightness.

        Returns:
            (B, H, W) magnitude on x's device, in its precision: finite, non-negative. With knob 0
            the magnitude of x, bit for bit. Of k-space, the reconstruction: root sum of squares
            over the coils, cropped.

        Raises:
            ArtifactError: `x`, params, geometry or fat are not as above; or the data lack lines
                within those that they have, so that the object that the artifact acts on is not
                known.

        """
        return pipeline.render(x, [(self, checked_params(params))], geometry, fat)

    def corrupt(self, kspace: KSpace, params: Params, fat: Tensor | None = None) -> KSpace:
        """Return the k-space that would have been measured; with knob 0 the same, bit for bit.

        Raises:
            ArtifactError: Params are not of this artifact or batch, or it acts on what is made of
                the k-space; or see `apply`.

        """
        return pipeline.corrupt(kspace, [(self, checked_params(params))], fat)

    def check(self, params: Params, batch: int) -> None:
        """Check that parameters are of this artifact and for this batch.

        Raises:
            ArtifactError: They are not, or were altered to what is never drawn; or its knob has no
                derivative and is asked for one.

        """
        check_params(self.name, self.options, checked_params(params), batch, _drawn(self))
        self.knob.checked(params.knob)
        self._check_smooth(params)

    def _check_smooth(self, params: Params) -> None:
        if params.records_gradients and not self.smooth:
            raise ArtifactError(
                f"the damage of {self.name} has no derivative with respect to {self.knob.name}",
                "a knob that records gradients",
                "detach the knob and search it without gradients, or take a smooth artifact",
            )

    def draw(self, source: Source) -> Draws:
        """Draw what varies from slice to slice: named arrays, (B, ...) each, never the knob.

        What a whole scan has in common is drawn from `source.scan`. By default there is nothing
        to draw: an array without columns counts the slices.
        """
        return {"nothing": source.uniform(0)}

    def effective(self, knob: float) -> float:
        """One knob value for all that act alike, where the severity rises in steps.

        By default each acts by itself. A calibration measures no other values.
        """
        return knob

    def encodes(self, knob: float, frame: Frame) -> Frame:
        """The frame that is encoded from stage ENCODING on; by default the same."""
        return frame

    @abstractmethod
    def operator(self, draws: Draws, knob: Tensor, frame: Frame) -> Operator:
        """Make the operator of B slices' draws.

        Args:
            draws: As `draw` made them.
            knob: (B,) float64 on the CPU, above 0; of a smooth artifact it may record gradients.
            frame: The frame at its stage.

        """

    @property
    def stages(self) -> tuple[Stage, ...]:
        """Where it acts, rising; by default at its one stage."""
        return (self.stage,)

    def operators(
        self, draws: Draws, knob: Tensor, frame: Frame, encoded: Frame
    ) -> Mapping[Stage, Operator]:
        """Make the operator of each of its stages; by default of its one stage.

        Args:
            draws: See `operator`.
            knob: See `operator`.
            frame: The frame up to stage ENCODING.
            encoded: The frame after it.

        """
        own = frame if self.stage <= Stage.ENCODING else encoded
        return {self.stage: self.operator(draws, knob, own)}


@lru_cache(maxsize=256)
def _drawn(artifact: Artifact) -> Draws:
    """What it draws for one slice: the names, types and shapes of its draws."""
    return artifact.draw(Source(artifact.name, 0, Names([""], numbers=[0])))


def _plain(name: str, value: Any, default: Any) -> Any:
    """An option's value in the plain type of its default."""
    value = plain(value)
    if isinstance(default, tuple):
        fits = is_listed(value) and len(value) == len(default)
        check_option(name, value, f"{len(default)} numbers", fits)
        return tuple(_plain(name, one, like) for one, like in zip(value, default, strict=True))
    if isinstance(default, float):
        check_option(name, value, "a finite number", math.isfinite(number(value)))
        return number(value) + 0.0  # of -0.0, too, 0.0
    if isinstance(default, bool):
        check_option(name, value, "true or false", isinstance(value, bool))
    return value
