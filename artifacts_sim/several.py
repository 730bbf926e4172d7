"""Several artifacts at once, drawn for each slice: too many different chains to list as a shift."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from artifacts_sim.acquisition.eager import eager
from artifacts_sim.acquisition.geometry import Geometry
from artifacts_sim.acquisition.kspace import KSpace
from artifacts_sim.base import Artifact
from artifacts_sim.errors import ArtifactError, shown
from artifacts_sim.keyed import Names, Source
from artifacts_sim.params import Params
from artifacts_sim.registry import drawn_by
from artifacts_sim.shifts import Shift, ShiftParams, Step, render_chains
from artifacts_sim.values import check_seed, is_listed, is_whole, number, plain


@dataclass(frozen=True)
class Several:
    """Some of these artifacts on each slice, as a scan may carry several faults at once.

    A slice gets artifacts with a probability. Then it gets 1 to `most` different ones in one chain:
    each number is as likely, each part is as likely as the others that are left, and of a part one
    severity is drawn by its weights. Of an artifact that several parts have, a chain has one. All
    slices of a scan get the same, and the steps act in the scanner's order, as in a `Shift`. A
    chain is drawn, not listed: with ten artifacts at five levels a chain of three is one of 15,000.

    Attributes:
        parts: Shifts of one artifact each, at one or several severities.
        most: The most artifacts on a slice; where there are fewer different ones, that many.
        probability: Chance of a slice to get artifacts.

    Raises:
        ArtifactError: No part, or one that is not of one artifact; `most` is no whole number from
            1; or the probability is none.

    """

    parts: tuple[Shift, ...]
    most: int
    probability: float = 1.0

    def __post_init__(self) -> None:
        given = self.parts if is_listed(self.parts) else [None]
        if not given or not all(isinstance(s, Shift) and len(_artifacts(s)) == 1 for s in given):
            raise ArtifactError(
                "the parts are not shifts of one artifact each",
                shown(self.parts),
                "pass for example [Shift.of('motion', level=2), Shift.of('bias', level=3)]",
            )
        most, probability = plain(self.most), number(plain(self.probability))
        if not (is_whole(most, 1, np.inf) and 0 <= probability <= 1):
            raise ArtifactError(
                "the most artifacts on a slice are no whole number from 1, or their probability "
                "is not from 0 to 1",
                f"most={shown(self.most)}, probability={shown(self.probability)}",
                "pass for example most=3, probability=0.5",
            )
        object.__setattr__(self, "parts", tuple(self.parts))

    @property
    def is_clean(self) -> bool:
        """Whether it leaves every slice as it is."""
        return not self.probability

    @eager
    def sample(
        self,
        *,
        keys: Sequence[str],
        seed: int,
        scans: Sequence[str] | None = None,
        numbers: Sequence[int] | None = None,
    ) -> ShiftParams:
        """Draw a chain for each of B slices, and the parameters of its steps.

        Args:
            keys: See `Artifact.sample`.
            seed: See `Artifact.sample`.
            scans: See `Artifact.sample`.
            numbers: See `Artifact.sample`.

        Raises:
            ArtifactError: Bad keys, seed, scans or numbers.

        """
        slices = Names(keys, scans, numbers)
        drawn = Source("several", check_seed(seed), slices).scan.uniform(2 + 2 * len(self.parts))
        places_of: dict[tuple[Artifact, ...], list[int]] = {}
        chains = [self._chain(row) for row in drawn]
        for place, steps in enumerate(chains):
            places_of.setdefault(tuple(step.artifact for step in steps), []).append(place)
        groups = []
        for artifacts, places in places_of.items():
            own = asdict(slices[places])
            params = (
                artifact.sample(knob=[chains[p][at].knob for p in places], seed=seed, **own)
                for at, artifact in enumerate(artifacts)
            )
            groups.append((np.array(places), tuple(params)))
        return ShiftParams(tuple(groups), len(slices.keys))

    def apply(
        self,
        x: Tensor | KSpace,
        params: ShiftParams,
        geometry: Geometry | None = None,
        fat: Tensor | None = None,
    ) -> Tensor:
        """Damage B slices; see `Artifact.apply`.

        Raises:
            ArtifactError: As there.

        """
        if not isinstance(params, ShiftParams) or not all(
            len(steps) <= self.most and set(_drawn_steps(steps)) <= self._steps
            for _, steps in params.groups
        ):
            raise ArtifactError(
                "the params were not drawn by these artifacts",
                f"{type(params).__name__} of others or of longer chains",
                "sample them with the object that applies them",
            )
        return render_chains(x, params, geometry, fat)

    @cached_property
    def _steps(self) -> frozenset[Step]:
        """Every artifact at every severity that a chain may have."""
        return frozenset(step for part in self.parts for steps in part.chains for step in steps)

    @cached_property
    def _names(self) -> tuple[str, ...]:
        """The artifact of each part."""
        return tuple(artifact.name for part in self.parts for artifact in _artifacts(part))

    def _chain(self, u: NDArray[np.float64]) -> list[Step]:
        """The steps of one slice, in the order in which they act, of (2 + 2 parts,) uniforms.

        What was drawn for a part does not depend on how many are taken.
        """
        if u[0] >= self.probability:
            return []
        order, severity = np.split(u[2:], 2)
        count = 1 + int(u[1] * min(self.most, len(set(self._names))))
        taken: dict[str, tuple[Step, ...]] = {}
        for at in np.argsort(order, kind="stable").tolist():
            part = self.parts[at]
            chosen = np.searchsorted(np.cumsum(part.weights)[:-1], severity[at], side="right")
            if len(taken) < count:
                taken.setdefault(self._names[at], part.chains[int(chosen)])
        return sorted((step for steps in taken.values() for step in steps), key=lambda s: s.order)


def _artifacts(shift: Shift) -> set[Artifact]:
    return {step.artifact for steps in shift.chains for step in steps}


def _drawn_steps(steps: Sequence[Params]) -> Iterator[Step]:
    """The artifact of each step, at every severity that it has."""
    for one in steps:
        artifact = drawn_by(one)
        yield from (Step(artifact, knob) for knob in set(one.knobs.tolist()))
