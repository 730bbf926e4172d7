"""Shifts: artifacts chained on one slice, or dealt to slices by weight."""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from artifacts_sim.acquisition import pipeline
from artifacts_sim.acquisition.eager import eager
from artifacts_sim.acquisition.geometry import Geometry
from artifacts_sim.acquisition.kspace import KSpace
from artifacts_sim.base import Artifact
from artifacts_sim.checks import (
    check_fat,
    check_geometry,
    check_image,
    check_is_kspace,
    check_no_geometry,
    check_one_size,
    check_pixel_count,
)
from artifacts_sim.errors import ArtifactError, shown
from artifacts_sim.keyed import Names, Source
from artifacts_sim.levels import Grid
from artifacts_sim.params import Params
from artifacts_sim.registry import drawn_by, get, recorded
from artifacts_sim.values import (
    check_kind,
    check_record,
    check_seed,
    check_severity,
    checked_rows,
    checked_slices,
    is_listed,
    is_whole,
    number,
    plain,
)

_WEIGHT_DIGITS = 12  # so that 3 : 1 and .3 : .1 are the same weights
_LEAST = 10.0**-_WEIGHT_DIGITS
_WEIGHT_ERROR = 1e-9  # of their sum
_AS_GIVEN = "pass what `sample` or `to_dict` gave, unaltered"
_MAKE_ONE = "make it with Shift.of, Shift.chain, Shift.mixture or Shift.clean"


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

    def __post_init__(self) -> None:
        _check_artifact(self.artifact)
        knob = self.artifact.knob.checked(self.knob)
        if not isinstance(knob, float):
            raise ArtifactError(
                "a shift has one knob value for all of its slices",
                shown(self.knob),
                "take a knob for each slice with Artifact.sample, or a mixture of shifts",
            )
        object.__setattr__(self, "knob", knob)

    @property
    def order(self) -> tuple[int, int, str]:
        """When it acts in a chain."""
        return self.artifact.stages[0], self.artifact.place, self.artifact.name

    def to_dict(self) -> dict[str, Any]:
        """Write as names and numbers."""
        options = asdict(self.artifact)
        return {"artifact": self.artifact.name, "options": options, "knob": self.knob}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        """Undo `to_dict`.

        Raises:
            ArtifactError: An unknown artifact or option, or a value that it refuses.

        """
        check_record(record, ("artifact", "options", "knob"))
        return cls(recorded(record["artifact"], record["options"]), record["knob"])


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

    def __post_init__(self) -> None:
        groups = tuple(_group(group) for group in checked_rows(self.groups, "the groups"))
        named = sorted(place for places, _ in groups for place in places.tolist())
        batch = plain(self.batch)
        if not is_whole(batch, 1, len(named)) or named != list(range(batch)):
            raise ArtifactError(
                "the groups do not hold every slice of the batch once",
                f"slices {shown(named)} for batch={shown(self.batch)}",
                _AS_GIVEN,
            )
        object.__setattr__(self, "groups", groups)
        object.__setattr__(self, "batch", int(batch))

    def __len__(self) -> int:
        return self.batch

    def __getitem__(self, part: Any) -> Self:
        """Take the parameters of some of the slices, each once, in the order given: see `KSpace`.

        Raises:
            ArtifactError: The index takes none, or is no index of them, or takes one twice.

        """
        places = checked_slices(part, len(self))
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
        """Undo `to_dict`.

        Raises:
            ArtifactError: A record that `to_dict` does not write.

        """
        check_record(record, ("batch", "groups"))
        groups = []
        for group in checked_rows(record["groups"], "the groups"):
            check_record(group, ("slices", "steps"))
            steps = map(Params.from_dict, checked_rows(group["steps"], "the steps"))
            groups.append((group["slices"], tuple(steps)))
        return cls(tuple(groups), record["batch"])


@dataclass(frozen=True)
class Shift:
    """A weighted mixture of chains of artifacts: a distribution of scanner faults.

    Every slice gets one chain, drawn by its key; all slices of a scan get the same. The steps of a
    chain act in the scanner's order, whatever the order they are named in, and every severity is
    that of the clean slice, whatever the partners. Make one with `of`, `chain`, `mixture`. Shifts
    that mean the same are equal: the order of steps and of parts is no part of it.

    Attributes:
        chains: Each of steps with different artifacts, in the order in which they act; one without
            steps leaves a slice clean.
        weights: The weights of the chains; their sum is 1.

    Raises:
        ArtifactError: An artifact is in a chain twice; or not one weight above 0 for each chain,
            with a sum of 1.

    """

    chains: tuple[tuple[Step, ...], ...]
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        given = self.chains if is_listed(self.chains) else [None]
        if not all(is_listed(c) and all(isinstance(step, Step) for step in c) for c in given):
            raise ArtifactError("the chains are not rows of steps", shown(self.chains), _MAKE_ONE)
        listed = plain(self.weights)
        weights = [number(plain(one)) for one in listed] if is_listed(listed) else []
        positive = all(0 < _rounded(weight) < math.inf for weight in weights)
        fits = len(weights) == len(self.chains) > 0
        if not (positive and fits and abs(math.fsum(weights) - 1) <= _WEIGHT_ERROR):
            raise ArtifactError(
                "the weights are not numbers above 0 with a sum of 1, one for each chain",
                f"{shown(list(listed) if is_listed(listed) else listed)} for {len(self.chains)} "
                "chains",
                f"make the shift with Shift.mixture, which scales them; the least is {_LEAST:g}",
            )
        for steps in self.chains:
            named = [step.artifact.name for step in steps]
            if len(set(named)) != len(named):
                raise ArtifactError(
                    "an artifact is in a chain more than once, though it draws once for a slice",
                    named,
                    "raise its knob instead",
                )
        merged: dict[tuple[Step, ...], float] = {}
        for steps, weight in zip(self.chains, weights, strict=True):
            ordered = tuple(sorted((one for one in steps if one.knob), key=lambda one: one.order))
            merged[ordered] = merged.get(ordered, 0.0) + weight
        chains = sorted(merged, key=lambda steps: _text([step.to_dict() for step in steps]))
        object.__setattr__(self, "chains", tuple(chains))
        object.__setattr__(self, "weights", tuple(_rounded(merged[steps]) for steps in chains))

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
        _check_artifact(artifact)
        value = artifact.at(level, grid) if knob is None else knob
        return cls(((Step(artifact, value),),), (1.0,))

    @classmethod
    def clean(cls) -> Self:
        """No artifact."""
        return cls(((),), (1.0,))

    @classmethod
    def chain(cls, *shifts: "Shift") -> Self:
        """All of these on every slice.

        Raises:
            ArtifactError: One is no shift, or an artifact would act twice on a slice.

        """
        for shift in shifts:
            check_kind(shift, Shift, "what is chained is not a shift", _MAKE_ONE)
        picks = list(product(*(zip(s.chains, s.weights, strict=True) for s in shifts)))
        chains = tuple(tuple(step for steps, _ in pick for step in steps) for pick in picks)
        return cls(chains, tuple(math.prod(weight for _, weight in pick) for pick in picks))

    @classmethod
    def mixture(cls, *parts: tuple["Shift", float]) -> Self:
        """One of these on each slice, with probability proportional to its weight.

        Raises:
            ArtifactError: No part, one that is not a shift and a weight, or a weight that is not
                above 0, or less than 1e-12 of their sum.

        """
        for part in parts:
            if not (is_listed(part) and len(part) == 2 and isinstance(part[0], Shift)):
                raise ArtifactError(
                    "a part of the mixture is not a shift and its weight",
                    shown(part),
                    "pass for example (Shift.of('motion', level=2), 3.0)",
                )
        given = [number(plain(weight)) for _, weight in parts]
        unit = math.frexp(max(given, default=0.0))[1]  # near the largest, so that the sum is finite
        scaled = [math.ldexp(weight, -unit) for weight in given]
        total = math.fsum(weight for weight in scaled if weight < math.inf)
        if not all(_LEAST * total <= weight < math.inf for weight in scaled) or not total > 0:
            raise ArtifactError(
                "the mixture does not have at least one part, each of a weight above 0",
                f"the weights {shown(given)}",
                "give at least one part, and each part a finite weight above 0, and above "
                f"{_LEAST:g} of their sum",
            )
        shares = [_rounded(weight / total) for weight in scaled]
        chains = tuple(steps for shift, _ in parts for steps in shift.chains)
        pairs = zip(parts, shares, strict=True)
        return cls(
            chains, tuple(own * share for (shift, _), share in pairs for own in shift.weights)
        )

    @property
    def is_clean(self) -> bool:
        """Whether it leaves every slice as it is."""
        return not any(self.chains)

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
        u = Source("shift", check_seed(seed), slices).scan.uniform(1)[:, 0]
        chosen = np.searchsorted(np.cumsum(self.weights)[:-1], u, side="right")
        groups = []
        for place, steps in enumerate(self.chains):
            places = np.flatnonzero(chosen == place)
            if len(places):
                own = asdict(slices[places])
                drawn = (s.artifact.sample(knob=s.knob, seed=seed, **own) for s in steps)
                groups.append((places, tuple(drawn)))
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
        self._check(params)
        return render_chains(x, params, geometry, fat)

    def corrupt(self, kspace: KSpace, params: ShiftParams, fat: Tensor | None = None) -> KSpace:
        """Return the k-space that would have been measured; see `Artifact.corrupt`.

        Raises:
            ArtifactError: As there; or chains that end in k-space of different sizes.

        """
        check_is_kspace(kspace)
        self._check(params)
        parts = [
            pipeline.corrupt(part, steps, own_fat)
            for part, steps, _, own_fat in _by_chain(kspace, params, None, fat)
        ]
        check_one_size([part.frame().encoded for part in parts])
        samples = _put_back(params, [part.samples for part in parts])
        if parts[0].frame().encoded == kspace.frame().encoded:
            return KSpace(samples, kspace.geometry)
        pixel_mm = kspace.geometry.pixel_mm  # of all slices; a part has that of its own
        return KSpace(samples, replace(parts[0].geometry, pixel_mm=pixel_mm))

    def _check(self, params: ShiftParams) -> None:
        """Check that these parameters were drawn by this shift."""
        drawn = isinstance(params, ShiftParams) and all(
            tuple(Step(drawn_by(one), one.knob) for one in steps) in self.chains  # type: ignore[arg-type]
            for _, steps in params.groups
        )
        if not drawn:
            raise ArtifactError(
                "the params were not drawn by this shift",
                f"{type(params).__name__} of other chains or knobs",
                "sample them with the shift that applies them",
            )

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
            ArtifactError: A record that `to_dict` does not write, or values that `Shift` refuses.

        """
        check_record(record, ("weights", "chains"))
        chains = [
            checked_rows(one, "the steps") for one in checked_rows(record["chains"], "the chains")
        ]
        steps = tuple(tuple(map(Step.from_dict, own)) for own in chains)
        return cls(steps, tuple(checked_rows(record["weights"], "the weights")))

    @property
    def digest(self) -> str:
        """SHA-256 of all that it means, knob values included: 64 hexadecimal digits."""
        return hashlib.sha256(_text(self.to_dict()).encode()).hexdigest()


def render_chains(
    x: Tensor | KSpace, params: ShiftParams, geometry: Geometry | None, fat: Tensor | None
) -> Tensor:
    """Damage B slices, each by the chain that was drawn for it; see `Artifact.apply`.

    Raises:
        ArtifactError: As there.

    """
    parts = [
        pipeline.render(part, steps, own_geometry, own_fat)
        for part, steps, own_geometry, own_fat in _by_chain(x, params, geometry, fat)
    ]
    return _put_back(params, parts)


def _text(record: Any) -> str:
    return json.dumps(record, sort_keys=True)


def _rounded(weight: float) -> float:
    return float(round(weight, _WEIGHT_DIGITS))


def _check_artifact(artifact: object) -> None:
    check_kind(
        artifact,
        Artifact,
        "what acts in a shift is neither an artifact nor the name of one",
        "take artifacts_sim.get(name), or its name",
    )


def _group(group: Any) -> tuple[NDArray[np.int64], tuple[Params, ...]]:
    """A chain's slices and the parameters of its steps, one for each of these slices."""
    places, steps = group if is_listed(group) and len(group) == 2 else ([None], [])
    listed = plain(places)
    numbered = is_listed(listed) and all(is_whole(one, 0, math.inf) for one in listed)
    drawn = is_listed(steps) and all(isinstance(step, Params) for step in steps)
    if not (numbered and drawn and all(len(step) == len(listed) for step in steps)):
        raise ArtifactError(
            "a group is not the numbers of its slices, and the params of each step for as many",
            shown(group),
            _AS_GIVEN,
        )
    return np.array(listed, dtype=np.int64), tuple(steps)


_Part = tuple[Any, list[pipeline.Step], Geometry | None, Tensor | None]


def _by_chain(
    x: Tensor | KSpace, params: ShiftParams, geometry: Geometry | None, fat: Tensor | None
) -> Iterable[_Part]:
    """The slices of each chain, with all that is theirs."""
    if isinstance(x, KSpace):
        check_no_geometry(geometry)
    else:
        check_image(x)
        check_geometry(geometry, Geometry)
    if len(x) != len(params):
        raise ArtifactError(
            "the params do not hold one draw per slice",
            f"{len(params)} draws for a batch of {len(x)}",
            "sample with one key per slice",
        )
    if geometry is not None:
        check_pixel_count(geometry.pixel_mm, len(x))
    if fat is not None:
        check_fat(fat, (len(x), *x.frame().crop) if isinstance(x, KSpace) else tuple(x.shape))
    for places, drawn in params.groups:
        steps: list[pipeline.Step] = [(drawn_by(one), one) for one in drawn]
        if _is_whole(places, params):
            yield x, steps, geometry, fat
            continue
        at = torch.from_numpy(places)
        own_geometry = None if geometry is None else geometry[places]
        yield x[at], steps, own_geometry, None if fat is None else fat[at]


def _is_whole(places: NDArray[np.int64], params: ShiftParams) -> bool:
    return np.array_equal(places, np.arange(len(params)))


def _put_back(params: ShiftParams, parts: Sequence[Tensor]) -> Tensor:
    """Put the slices of each chain into their places."""
    places = [places for places, _ in params.groups]
    if len(parts) == 1 and _is_whole(places[0], params):
        return parts[0]
    return pipeline.in_place(places, parts)
