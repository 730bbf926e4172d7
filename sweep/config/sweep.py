"""A whole sweep as configured: read, checked, resolved, written."""

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

import artifacts_sim
from artifacts_sim import LEVELS
from sweep.config.arms import ARM, RULE, without_arm
from sweep.config.artifacts import check_options, known_names
from sweep.config.augment import AugmentSettings
from sweep.config.base import Settings, key_of, require, require_seed
from sweep.config.declared import alternatives, place_at
from sweep.config.finalists import FinalistSettings
from sweep.config.keep import KeepSettings, check_front
from sweep.config.messages import explained
from sweep.config.modes import ModeSettings
from sweep.config.notify import NotifySettings, listed
from sweep.config.presets import preset_file
from sweep.config.reading import by_dotted_name, override, read_file, set_dotted
from sweep.config.search import SearchSettings
from sweep.config.search_check import check_search
from sweep.config.settings import (
    DataSettings,
    ModelSettings,
    StressSettings,
    TrialConfig,
)
from sweep.config.share import Share
from sweep.config.space import Dimension, combinations
from sweep.config.stopping_check import check_stopping
from sweep.config.strangers import guarded, refuse_code
from sweep.config.tracking import TrackingSettings
from sweep.config.training import TrainSettings
from sweep.config.truths import refuse_truths
from sweep.core.arguments import checked_arguments
from sweep.core.errors import UserError, require_known, within
from sweep.core.objective import terms
from sweep.core.text import UNNAMEABLE, as_written
from sweep.metrics import objectives
from sweep.remote.places import file_here

# A trial may differ from its neighbours in these alone: the data split and the stress test are
# the yardstick, and a yardstick that is searched measures nothing.
SEARCHABLE = ("model.", "train.", "data.normalize", "data.context", "seed")


@dataclass(frozen=True, kw_only=True)
class ClusterSettings(Settings):
    """Where the sweep runs and what each part takes.

    Attributes:
        address: The address of a running Ray cluster, or ``auto``, the one that was started on this
            machine, never one of another sweep's own; null: ``RAY_ADDRESS`` if set (as it is in a
            Ray job), else a cluster of this machine alone, for the time of the sweep.
            When to change it: the cluster is known by an address, and neither ``RAY_ADDRESS`` nor a
            job says it.
        trial: What one trial takes. When to change it: there are GPUs: ``{cpu: 2, gpu: 0.25}`` puts
            four trials on each.
        evaluators: Actors that stress-test checkpoints. When to change it: ``check`` says that
            scoring an epoch takes longer than training it.
        evaluator: What one evaluator takes. When to change it: evaluators are to have a part of a
            GPU.
        evaluator_cache_gb: Gigabytes of memory at most in which each evaluator keeps the inputs of
            its cells from one checkpoint to the next; what does not fit is computed anew. 0: none.
            When to change it: the machine has memory to spare, and ``check`` says that inputs do
            not fit.
        concurrent: Trials at a time at most; null: as many as fit beside the evaluators. When to
            change it: other people use the machine, or memory is short.
        retries: How often a trial goes on from its last epoch after its worker died or hung, or
            files could not be read or written. When to change it: nodes are lost often.
        hang_minutes: A worker that does nothing for so long, no step of training and no batch of a
            stress test, is ended, and its work done again; null: nobody looks. When to change it: a
            step or a batch takes minutes by itself.
        smaller_batch: Whether a trial that does not fit the memory of its GPU is tried once more,
            with half of train.batch_size; it is then another configuration than was drawn. When to
            change it: a sweep over sizes should go on where one does not fit.
        stage: Folder, by the same path on every node, to copy the store to and work on, such as on
            a node's own fast disk; null: the store is used where it is, and copied to the folder
            for temporary files of a node that does not see it. When to change it: the store lies on
            a slow shared disk.
        wait: Minutes in which nodes may come, or other work may end, until one trial and the
            evaluators have room: at the start, and again where nodes were lost. 0: what fits no
            nodes is refused at the start, and all else is waited for without an end. When to change
            it: the cluster grows by itself, or others are still at work on it.

    """

    address: str | None = None
    trial: Share = field(default_factory=Share)
    evaluators: int = 1
    evaluator: Share = field(default_factory=Share)
    evaluator_cache_gb: float = 1.0
    concurrent: int | None = None
    retries: int = 3
    hang_minutes: float | None = 10.0
    smaller_batch: bool = False
    stage: str | None = None
    wait: float = 0

    def __post_init__(self) -> None:
        require(self.evaluators >= 1, "evaluators", "1 or more", self.evaluators)
        cache_gb = self.evaluator_cache_gb
        rule = "a number of gigabytes, 0 or more"
        require(0 <= cache_gb < float("inf"), "evaluator_cache_gb", rule, cache_gb)
        require(self.retries >= 0, "retries", "0 or more", self.retries)
        hang = self.hang_minutes
        require(hang is None or hang > 0, "hang_minutes", "minutes above 0, or null", hang)
        require(
            self.concurrent is None or self.concurrent >= 1,
            "concurrent",
            "1 or more",
            self.concurrent,
        )
        require(
            self.stage is None or Path(self.stage).is_absolute(),
            "stage",
            "an absolute path",
            self.stage,
        )
        require(0 <= self.wait < float("inf"), "wait", "minutes, 0 or more", self.wait)
        require(
            self.trial.cpu + self.trial.gpu > 0,
            "trial",
            "a share of a CPU or a GPU",
            self.trial.to_plain(),
        )

    def to_plain(self) -> dict[str, Any]:
        """As of all settings; without ``wait`` where there is none.

        So the record of a sweep is what it was before there was such a setting.
        """
        plain = super().to_plain()
        return {name: value for name, value in plain.items() if name != "wait" or value}


@dataclass(frozen=True, kw_only=True)
class SweepConfig(Settings):
    """A sweep. Every key can be set by its dotted name.

    Attributes:
        name: The name of the sweep, and of its MLflow experiment.
        seed: The seed of initial weights, batches and the sampler. When to change it: a whole sweep
            is to be repeated; of single configurations, finalists do so.
        finalists: What becomes of the best configurations at the end; null: nothing. When to change
            it: something is to be published or decided: no score of a finalist is the best of many.
        notify: Who is sent word of what; one, or a list of several. When to change it: the sweep
            runs for longer than you look at it.
        keep: What stays of trials that have ended. When to change it: disks fill, see
            docs/storage.md.

    """

    name: str
    data: DataSettings
    model: ModelSettings = field(default_factory=ModelSettings)
    search: SearchSettings = field(default_factory=SearchSettings)
    train: TrainSettings = field(default_factory=TrainSettings)
    stress: StressSettings = field(default_factory=StressSettings)
    cluster: ClusterSettings = field(default_factory=ClusterSettings)
    tracking: TrackingSettings = field(default_factory=TrackingSettings)
    seed: int = 0
    finalists: FinalistSettings | None = None
    notify: tuple[NotifySettings, ...] = ()
    keep: KeepSettings = field(default_factory=KeepSettings)

    def __post_init__(self) -> None:
        require(
            self.name not in ("", ".", "..")
            and not set(self.name) & set('/\\:*?"<>|')
            and UNNAMEABLE.search(self.name) is None,
            "name",
            'a name that a folder can have, without / \\ : * ? " < > | and control characters',
            self.name,
        )
        require_seed("seed", self.seed)
        known = known_names(self.stress.options)
        require_known("stress.artifacts", self.stress.artifacts, known)
        require_known("train.augment.artifacts", self.train.augment.artifacts, known)
        for where, levels in (
            ("stress.levels", self.stress.levels),
            ("train.augment.levels", self.train.augment.levels),
        ):
            rule = f"levels of {LEVELS[0]} to {LEVELS[-1]}"
            require(set(levels) <= set(LEVELS), where, rule, levels)
        check_options(self.stress.options)  # last: for options it imports artifacts, and torch

    def to_plain(self) -> dict[str, Any]:
        """As of all settings; without ``finalists`` and ``notify`` where there are none.

        So the record of a sweep that has none is what it was before there were any.
        """
        plain = super().to_plain()
        unset = {name for name in ("finalists", "notify") if not plain[name]}
        return {name: value for name, value in plain.items() if name not in unset}

    @classmethod
    @checked_arguments
    def from_yaml(cls, path: str | Path, overrides: Iterable[str] = ()) -> "SweepConfig":
        """Read a sweep file, then ``key=value`` overrides by dotted name.

        Args:
            path: The path or URI of the file, or the name of a preset, which goes before a file of
                that very name (``./NAME`` is the file).
            overrides: The ``key=value`` texts.

        Raises:
            UserError: No such file and no such preset, not YAML, or any setting unknown, missing,
                of a wrong type or out of range; one message names each. Or a file of another
                user that names code.

        """
        file = preset_file(path) or file_here(path)
        with guarded(file):
            config = cls.from_dict(override(read_file(file), overrides))
        refuse_code(file, "dataset", config.data.dataset)
        config.tracking.check()
        return config

    @classmethod
    @checked_arguments
    def from_dict(cls, raw: Mapping[str, Any]) -> "SweepConfig":
        """Check plain nested data, search space included.

        Raises:
            UserError: See ``from_yaml``.

        """
        raw = _without_short_forms(raw)
        refuse_truths(raw, cls)
        try:
            config = _adapter().validate_python(raw)
        except ValidationError as error:
            raise explained(error, cls) from None
        config._check_space()
        config._check_limits()
        config._check_finalists()
        check_front(config.keep, config.search.objectives)
        return config

    def to_yaml(self) -> str:
        """The resolved sweep, defaults included, as YAML."""
        return yaml.safe_dump(self.to_plain(), sort_keys=False, allow_unicode=True)

    def replace(self, values: Mapping[str, Any]) -> "SweepConfig":
        """The same sweep with some settings, by dotted name, set to other values.

        Raises:
            UserError: An unknown name, or a value that its setting refuses.

        """
        raw = self.to_plain()
        for name, value in values.items():
            set_dotted(raw, name, value)
        return SweepConfig.from_dict(raw)

    def fixed(self, params: Mapping[str, Any]) -> "SweepConfig":
        """The sweep with these searched values set and nothing left to search."""
        nothing = {"objective": self.search.objective, "stratify": None}
        values = without_arm(params, self.search.arms)
        return self.replace({**values, "search": nothing, "finalists": None, "keep": {}})

    def trial(self, params: Mapping[str, Any]) -> TrialConfig:
        """What the trial with these searched ``params`` is made of."""
        trial = self.fixed(params)
        return TrialConfig(
            data=trial.data,
            model=trial.model,
            train=trial.train,
            stress=trial.stress,
            objective=trial.search.objective,
            seed=trial.seed,
            screen=self.search.screening(self.train.epochs),
        )

    def networks(self) -> list[ModelSettings]:
        """The model as set, with every arch and norm that is searched, each with each."""
        offered = combinations(self.search.dimensions(), (ARM, "model.arch", "model.norm"))
        return list(dict.fromkeys(self.fixed(params).model for params in offered))

    def augmentations(self, *settings: str) -> list[AugmentSettings]:
        """The augmentation as set, with each searched value of these settings, each with each.

        Raises:
            UserError: Values that cannot be set together.

        """
        names = (ARM, *map("train.augment.{}".format, settings))
        offered = [params for params in combinations(self.search.dimensions(), names) if params]
        return [self.fixed(params).train.augment for params in offered] or [self.train.augment]

    def offered(self, name: str) -> tuple[Any, ...]:
        """What a setting, by dotted name, may be in a trial: what is searched, or the value set."""
        dimension = self.search.dimensions().get(name)
        if dimension is not None and not dimension.when:
            return dimension.values
        arms = [self.fixed({ARM: arm}) for arm in self.search.arms] or [self]
        found = (*(dimension.values if dimension else ()), *(one.setting(name) for one in arms))
        return tuple(value for at, value in enumerate(found) if value not in found[:at])

    def setting(self, name: str) -> Any:
        """The value of a setting, by dotted name."""
        value: Any = self
        for part in name.split("."):
            value = getattr(value, part)
        return value

    def groups(self) -> tuple[str, ...]:
        """What the sweep compares: its arms, or else its norms."""
        return tuple(self.search.arms) or tuple(map(str, self.offered("model.norm")))

    def _check_limits(self) -> None:
        """Refuse a limit that nothing of the sweep comes nearer to."""
        shares = self.cluster.trial.gpu, self.cluster.evaluator.gpu
        if self.search.limits.gpu_hours is not None and not any(shares):
            raise UserError(
                "search.limits.gpu_hours is set, and neither a trial nor an evaluator takes a GPU",
                f"{self.search.limits.gpu_hours:g}, cluster.trial.gpu and cluster.evaluator.gpu 0",
                "set the GPU shares, or limit search.limits.hours",
            )

    def _check_finalists(self) -> None:
        """Refuse finalists that could be scored nowhere, or by what nobody knows."""
        finalists = self.finalists
        if finalists is None:
            return
        if not self.data.test and not finalists.external:
            raise UserError(
                "finalists are scored on patients that nothing was chosen on, and there are none",
                "data.test without a split, finalists.external without a store",
                "name the splits in data.test, or a store in finalists.external",
            )
        if finalists.by is not None:
            require_known("finalists.by", terms(finalists.by), objectives())
        known = known_names(self.stress.options)
        require_known("finalists.holdout", artifacts_sim.expand(finalists.holdout), known)
        reference = finalists.reference
        if reference not in (None, FinalistSettings().reference):
            require_known("finalists.reference", (reference,), self.groups())
        for name in finalists.primary.between if finalists.primary else ():
            if name.startswith(RULE):
                score = name.removeprefix(RULE)
                require_known("finalists.primary.between", tuple(terms(score)), objectives())
            else:
                require_known("finalists.primary.between", (name,), self.groups())

    def _check_networks(self, dimensions: Mapping[str, Dimension]) -> None:
        """Refuse what would make trials fail that have one arch of several."""
        arms = any(name.startswith("model.") for arm in self.search.arms.values() for name in arm)
        if "model.arch" not in dimensions and not arms:
            return
        if "model.arch" in dimensions and self.model.weights is not None:
            raise UserError(
                "search.space has model.arch, and weights are of one arch",
                f"{self.model.weights!r}",
                "leave model.weights out, or search among norms alone",
            )
        try:
            self.networks()
        except UserError as error:
            raise within("search.space offers a norm to an arch", error) from None

    def _check_values(self, name: str, dimension: Dimension, beside: Mapping[str, Any]) -> None:
        kinds = alternatives(place_at(name.split("."), SweepConfig).declared)
        if int in kinds and float not in kinds:
            dimension.require_whole(name)
        for value in dimension.samples():
            try:
                self.fixed({**beside, name: value})
            except UserError as error:
                offers = f"search.space.{name} offers {as_written(value)}"
                raise within(f"search.arms.{value}" if name == ARM else offers, error) from None

    def _check_space(self) -> None:
        dimensions = self.search.dimensions()
        check_search(self.search)
        check_stopping(self.search, self.train.epochs)
        for arm, settings in self.search.arms.items():
            for name in settings:
                _refuse_unsearchable(f"search.arms.{arm}", name)
        for name, dimension in dimensions.items():
            if name != ARM:
                _refuse_unsearchable("search.space", name)
            for beside in combinations(dimensions, dimension.when):
                if dimension.applies(beside):
                    self._check_values(name, dimension, beside)
        self._check_networks(dimensions)
        try:
            self.augmentations("artifacts", "augmix", "augmix_consistency")
        except UserError as error:
            raise within("search.space offers values that do not go together", error) from None


def given_names(path: str | Path, overrides: Iterable[str] = ()) -> frozenset[str]:
    """The dotted names of what a sweep file, and ``key=value`` overrides, set.

    Raises:
        UserError: See ``SweepConfig.from_yaml``.

    """
    raw = override(read_file(preset_file(path) or file_here(path)), overrides)
    return frozenset(name for name, _ in by_dotted_name(raw))


@cache
def _adapter() -> TypeAdapter[SweepConfig]:
    """The reader of sweeps; it takes 40 ms to make, and a search space is checked by values."""
    return TypeAdapter(SweepConfig)


def _refuse_unsearchable(where: str, name: str) -> None:
    inside = [
        f"{section}{key_of(item.name)}"
        for section in SEARCHABLE[:2]
        for item in fields(place_at([section.rstrip(".")], SweepConfig).declared)
    ]
    if meant := next((one for one in inside if one.partition(".")[2] == name), None):
        raise UserError(
            f"{where}: there is no such setting", f"{name!r}", f"did you mean {meant!r}?"
        )
    if not name.startswith(SEARCHABLE):
        raise UserError(
            f"{where} has a setting that cannot be searched, as it changes what trials are "
            "compared on or where they run",
            f"{name!r}",
            f"search among {', '.join(SEARCHABLE)}",
        )
    if name == "seed" and where != "search.space":
        raise UserError(
            f"{where} has the seed, and what is compared are then the seeds",
            f"{name!r}",
            "leave it out",
        )
    if name in ("model.weights", "model.weights_digest"):
        raise UserError(
            f"{where} has the weights of a network, and a sweep is bound to one file",
            f"{name!r}",
            "set model.weights, or run one sweep with and one without",
        )


def _with_families_expanded(raw: Mapping[str, Any]) -> dict[str, Any]:
    """A copy in which the name of a family of artifacts has given way to its members."""
    expanded = copy.deepcopy(dict(raw))
    for section in (("stress",), ("train", "augment")):
        node: Any = expanded
        for name in section:
            node = node.get(name) if isinstance(node, dict) else None
        wanted = node.get("artifacts") if isinstance(node, dict) else None
        if isinstance(wanted, list | tuple) and all(isinstance(name, str) for name in wanted):
            node["artifacts"] = list(artifacts_sim.expand(wanted))
    return expanded


def _without_short_forms(raw: Mapping[str, Any]) -> dict[str, Any]:
    """A copy with the members of families, and ``modes`` and ``notify`` in their long forms.

    ``modes: [blend]`` is short for ``{names: [blend]}``, a section of ``notify`` for a list of it.

    Raises:
        UserError: ``modes`` is the name of one alone, or ``notify`` is a text.

    """
    expanded = _with_families_expanded(raw)
    stress = expanded.get("stress")
    modes = stress.get("modes") if isinstance(stress, dict) else None
    if isinstance(modes, str):
        raise UserError("stress.modes is no list", f"{modes!r}", f"write it as [{modes}]")
    if isinstance(stress, dict) and isinstance(modes, list | tuple):
        stress["modes"] = {"names": list(modes)}
    if "notify" in expanded:
        expanded["notify"] = listed(expanded["notify"])
    return expanded


def given_modes(assignments: Iterable[str], modes: ModeSettings) -> ModeSettings:
    """Settings of modes with those of ``batch_size=16`` texts in their place.

    Raises:
        UserError: A text that is none of these, an unknown setting, or a value that it refuses.

    """
    flag = "--mode-settings"
    read = override({}, assignments, flag, "give key=value, such as batch_size=16")
    require_known(flag, read, modes.to_plain().keys() - {"names"})
    try:
        return TypeAdapter(ModeSettings).validate_python({**modes.to_plain(), **read})
    except ValidationError as error:
        raise within(flag, explained(error, ModeSettings)) from None
