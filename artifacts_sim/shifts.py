"""Shifts: artifacts chained on one slice, or dealt to slices by weight."""

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from artifacts_sim.acquisition import pipeline
from artifacts_sim.acquisition.geometry import Geometry
from artifacts_sim.acquisition.kspace import KSpace
from artifacts_sim.base import Artifact
from artifacts_sim.checks import check_keys, check_severity
from artifacts_sim.errors import ArtifactError
from artifacts_sim.keyed import Source
from artifacts_sim.levels import Grid
from artifacts_sim.params import Params
from artifacts_sim.registry import drawn_by, get


@dataclass(frozen=True)
class Step:
    """One artifact at one severity.

    Attributes:
        artifact: The artifact with its options.
        knob: The knob in its unit. A level is turned into it at once, so that what is recorded
            keeps its meaning when levels are calibrated anew.

    """

    artifact: Artifact
    knob: float

    def to_dict(self) -> dict[str, Any]:
        """Write as names and numbers."""
        options = asdict(self.artifact)
        return {"artifact": self.artifact.name, "options": options, "knob": self.knob}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        """Undo `to_dict`."""
        return cls(get(record["artifact"], **record["options"]), record["knob"])


@dataclass(frozen=True, eq=False)
class ShiftParams:
    """What was drawn for B slices.

    Attributes:
        groups: For each chain that a slice got: the numbers of its slices, (n,), and the
            parameters of its steps for these.
        batch: B.

    """

    groups: tuple[tuple[NDArray[np.int64], tuple[Params, ...]], ...]
    batch: int

    def __len__(self) -> int:
        return self.batch

    def __getitem__(self, places: NDArray[np.int64]) -> Self:
        """Take the parameters of some of the slices, each once, in the order given."""
        groups = []
        for slices, steps in self.groups:
            _, own, new = np.intersect1d(slices, places, return_indices=True)
            if len(own):
                groups.append((new, tuple(params[own] for params in steps)))
        return type(self)(tuple(groups), len(places))

    def to_dict(self) -> dict[str, Any]:
        """Write as names, numbers and nested lists only, so that JSON keeps every bit."""
        groups = [
            {"slices": slices.tolist(), "steps": [params.to_dict() for params in steps]}
            for slices, steps in self.groups
        ]
        return {"batch": self.batch, "groups": groups}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        """Undo `to_dict`."""
        groups = tuple(
            (np.array(group["slices"]), tuple(map(Params.from_dict, group["steps"])))
            for group in record["groups"]
        )
        return cls(groups, record["batch"])


@dataclass(frozen=True)
class Shift:
    """A weighted mixture of chains of artifacts: a distribution of scanner faults.

    Every slice gets one chain, drawn by its key. The steps of a chain act in the scanner's order,
    whatever the order they are named in. Make one with `of`, `chain`, `mixture`.

    Attributes:
        chains: Each of steps with different artifacts; one without steps leaves a slice clean.
        weights: The weights of the chains; their sum is 1.

    """

    chains: tuple[tuple[Step, ...], ...]
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        for steps in self.chains:
            named = [step.artifact.name for step in steps]
            if len(set(named)) != len(named):
                raise ArtifactError(
                    "an artifact is in a chain more than once, though it draws once for a slice",
                    named,
                    "raise its knob instead",
                )

    @classmethod
    def of(
        cls,
        artifact: Artifact | str,
        *,
        level: int | None = None,
        knob: float | None = None,
        grid: Grid | str = "calibrated",
    ) -> Self:
        """One artifact, on every slice; severities as `Artifact.sample` takes them.

        Raises:
            ArtifactError: An unknown artifact or severity.

        """
        check_severity(level, knob)
        artifact = get(artifact) if isinstance(artifact, str) else artifact
        value = artifact.at(level, grid) if knob is None else knob
        return cls(((Step(artifact, artifact.knob.checked(value)),),), (1.0,))

    @classmethod
    def clean(cls) -> Self:
        """No artifact."""
        return cls(((),), (1.0,))

    @classmethod
    def chain(cls, *shifts: "Shift") -> Self:
        """All of these on every slice.

        Raises:
            ArtifactError: An artifact would act twice on a slice.

        """
        picks = list(product(*(zip(s.chains, s.weights, strict=True) for s in shifts)))
        chains = tuple(tuple(step for steps, _ in pick for step in steps) for pick in picks)
        return cls(chains, tuple(math.prod(weight for _, weight in pick) for pick in picks))

    @classmethod
    def mixture(cls, *parts: tuple["Shift", float]) -> Self:
        """One of these on each slice, with probability proportional to its weight.

        Raises:
            ArtifactError: No part, or a weight that is not above 0.

        """
        given = [weight for _, weight in parts]
        if not given or not all(0 < weight < math.inf for weight in given):
            raise ArtifactError(
                "the mixture does not have at least one part, each of a weight above 0",
                f"the weights {given}",
                "give at least one part, and each part a finite weight above 0",
            )
        total = math.fsum(given)
        chains = tuple(steps for shift, _ in parts for steps in shift.chains)
        return cls(chains, tuple(w * given / total for s, given in parts for w in s.weights))

    @property
    def is_clean(self) -> bool:
        """Whether it leaves every slice as it is."""
        return not any(self.chains)

    def sample(self, *, keys: Sequence[str], seed: int) -> ShiftParams:
        """Draw a chain for each of B slices, and the parameters of its steps.

        Raises:
            ArtifactError: Bad keys.

        """
        check_keys(keys)
        u = Source("shift", seed, keys).uniform(1)[:, 0]
        chosen = np.searchsorted(np.cumsum(self.weights)[:-1], u, side="right")
        groups = []
        for number, steps in enumerate(self.chains):
            slices = np.flatnonzero(chosen == number)
            if len(slices):
                own = [keys[i] for i in slices.tolist()]
                drawn = (s.artifact.sample(knob=s.knob, keys=own, seed=seed) for s in steps)
                groups.append((slices, tuple(drawn)))
        return ShiftParams(tuple(groups), len(keys))

    def apply(
        self, x: Tensor | KSpace, params: ShiftParams, geometry: Geometry | None = None
    ) -> Tensor:
        """Damage B slices; see `Artifact.apply`.

        Raises:
            ArtifactError: As there.

        """
        return _by_group(x, params, lambda part, steps: pipeline.render(part, steps, geometry))

    def to_dict(self) -> dict[str, Any]:
        """Write as names, numbers and lists."""
        return {
            "weights": list(self.weights),
            "chains": [[step.to_dict() for step in steps] for steps in self.chains],
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        """Undo `to_dict`.

        Raises:
            ArtifactError: An unknown artifact or option.

        """
        chains = tuple(tuple(map(Step.from_dict, steps)) for steps in record["chains"])
        return cls(chains, tuple(record["weights"]))

    @property
    def digest(self) -> str:
        """SHA-256 of all that it means, knob values included: 64 hexadecimal digits."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()


def _by_group(
    x: Tensor | KSpace,
    params: ShiftParams,
    work: Callable[[Tensor | KSpace, list[pipeline.Step]], Tensor],
) -> Tensor:
    """Work on the slices of each chain together, and put them back in their places."""
    if len(x) != len(params):
        raise ArtifactError(
            "the params do not hold one draw per slice",
            f"{len(params)} draws for a batch of {len(x)}",
            "sample with one key per slice",
        )
    if len(params.groups) == 1 and np.array_equal(params.groups[0][0], np.arange(len(params))):
        (_, steps), *_ = params.groups
        return work(x, [(drawn_by(drawn), drawn) for drawn in steps])
    parts = [
        work(x[torch.from_numpy(slices)], [(drawn_by(drawn), drawn) for drawn in steps])
        for slices, steps in params.groups
    ]
    order = np.concatenate([slices for slices, _ in params.groups])
    return torch.cat(parts)[torch.from_numpy(np.argsort(order))]
