"""A whole sweep as configured: read, checked, resolved, written."""

import copy
import dataclasses
import itertools
import reprlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

import artifacts_sim
from artifacts_sim import LEVELS
from sweep.config.artifacts import check_options, known_names
from sweep.config.base import Settings, require
from sweep.config.modes import ModeSettings
from sweep.config.settings import (
    ArtifactOptions,
    DataSettings,
    ModelSettings,
    StressSettings,
    TrialConfig,
)
from sweep.config.space import Dimension
from sweep.config.training import TrainSettings
from sweep.core.errors import SeveralFaultsError, UserError, nearest, require_known, told, within
from sweep.core.text import one_line
from sweep.metrics import objectives

# A trial may differ from its neighbours in these alone: the data split and the stress test are
# the yardstick, and a yardstick that is searched measures nothing.
SEARCHABLE = ("model.", "train.", "data.normalize", "seed")
# What PyYAML raises of a text; beside its own errors, those of a date or a number that cannot be.
NOT_YAML = (yaml.YAMLError, ValueError, LookupError, AttributeError, RecursionError)


@dataclass(frozen=True, kw_only=True)
class SearchSettings(Settings):
    """How configurations are chosen.

    Attributes:
        trials: How many.
        space: Dotted setting -> ``{kind: values}``, see ``sweep.config.space``.
        sampler: Optuna's ``tpe`` or ``random``.
        scheduler: ``asha`` stops weak trials early; ``none`` lets each run to its end.
        objective: The score to maximise, on the validation patients.
        stratify: A searched choice whose values take turns, so that each gets the same number of
            trials and competes for epochs with its like only; null: the sampler decides.
        grace_epochs: ASHA stops no trial before this epoch.
        reduction: ASHA lets the best 1 / ``reduction`` of a rung go on.

    """

    trials: int = 20
    space: dict[str, Any] = field(default_factory=dict)
    sampler: Literal["tpe", "random"] = "tpe"
    scheduler: Literal["asha", "none"] = "asha"
    objective: str = "robust/auroc_cvar"
    stratify: str | None = "model.norm"
    grace_epochs: int = 1
    reduction: float = 2.0

    def __post_init__(self) -> None:
        require(self.trials >= 1, "trials", "1 or more", self.trials)
        require(self.grace_epochs >= 1, "grace_epochs", "1 or more", self.grace_epochs)
        require(self.reduction > 1, "reduction", "a number above 1", self.reduction)
        require_known("objective", (self.objective,), objectives())

    def dimensions(self) -> dict[str, Dimension]:
        """The search space, read."""
        return {name: Dimension.parse(name, written) for name, written in self.space.items()}

    def strata(self) -> tuple[Any, ...]:
        """The values that take turns; empty where nothing is stratified."""
        dimension = self.dimensions().get(self.stratify or "")
        return dimension.values if dimension and dimension.kind == "choice" else ()


@dataclass(frozen=True, kw_only=True)
class Share(Settings):
    """What one Ray worker takes of a node; fractions are allowed."""

    cpu: float = 1
    gpu: float = 0

    def __post_init__(self) -> None:
        require(self.cpu >= 0, "cpu", "0 or more", self.cpu)
        require(self.gpu >= 0, "gpu", "0 or more", self.gpu)

    @property
    def threads(self) -> int:
        """CPU threads for torch: whole CPUs, at least one."""
        return max(1, int(self.cpu))


@dataclass(frozen=True, kw_only=True)
class ClusterSettings(Settings):
    """Where the sweep runs and what each part takes.

    Attributes:
        address: The address of a running Ray cluster, or ``auto``; null: ``RAY_ADDRESS`` if set (as
            it is in a Ray job), else a cluster of this machine alone, for the time of the sweep.
        trial: What one trial takes.
        evaluators: Actors that stress-test checkpoints.
        evaluator: What one evaluator takes.
        concurrent: Trials at a time at most; null: as many as fit beside the evaluators.
        retries: How often a trial whose worker died starts again from its last epoch.
        stage: Folder, by the same path on every node, to copy the store to and work on, such as
            on a node's own fast disk; null: the store is used where it is, and copied to the
            folder for temporary files of a node that does not see it.

    """

    address: str | None = None
    trial: Share = field(default_factory=Share)
    evaluators: int = 1
    evaluator: Share = field(default_factory=Share)
    concurrent: int | None = None
    retries: int = 3
    stage: str | None = None

    def __post_init__(self) -> None:
        require(self.evaluators >= 1, "evaluators", "1 or more", self.evaluators)
        require(self.retries >= 0, "retries", "0 or more", self.retries)
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
        require(
            self.trial.cpu + self.trial.gpu > 0, "trial", "a share of a CPU or a GPU", self.trial
        )


@dataclass(frozen=True, kw_only=True)
class TrackingSettings(Settings):
    """Who is told of the results, beside the sweep's folder.

    Attributes:
        uri: The MLflow server; ``sqlite`` is ``mlflow.db`` beside the sweep's folder.
        to: The trackers: ``mlflow``, ``jsonl`` (lines of JSON in the sweep's folder), or one that
            an installed package adds.

    """

    uri: str = "sqlite"
    to: tuple[str, ...] = ("mlflow",)

    def server(self, folder: Path) -> str:
        """The MLflow server of the sweep in ``folder``, as MLflow takes it."""
        return f"sqlite:///{folder.parent / 'mlflow.db'}" if self.uri == "sqlite" else self.uri


@dataclass(frozen=True, kw_only=True)
class SweepConfig(Settings):
    """A sweep. Every key can be set by its dotted name.

    Attributes:
        name: The name of the sweep, and of its MLflow experiment.
        seed: The seed of initial weights, batches and the sampler.

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

    def __post_init__(self) -> None:
        require(
            self.name not in ("", ".", "..") and not set(self.name) & set('/\\:*?"<>|'),
            "name",
            'a name that a folder can have, without / \\ : * ? " < > |',
            self.name,
        )
        check_options(self.stress.options)
        known = known_names(self.stress.options)
        require_known("stress.artifacts", self.stress.artifacts, known)
        require_known("train.augment.artifacts", self.train.augment.artifacts, known)
        for where, levels in (
            ("stress.levels", self.stress.levels),
            ("train.augment.levels", self.train.augment.levels),
        ):
            rule = f"levels of {LEVELS[0]} to {LEVELS[-1]}"
            require(set(levels) <= set(LEVELS), where, rule, levels)

    @classmethod
    def from_yaml(cls, path: str | Path, overrides: Iterable[str] = ()) -> "SweepConfig":
        """Read a sweep file, then ``key=value`` overrides by dotted name.

        Raises:
            UserError: No such file, not YAML, or any setting unknown, of a wrong type or out of
                range; one message names each.

        """
        return cls.from_dict(override(_read_yaml(Path(path)), overrides))

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> "SweepConfig":
        """Check plain nested data, search space included.

        Raises:
            UserError: See ``from_yaml``.

        """
        try:
            config = TypeAdapter(cls).validate_python(_without_short_forms(raw))
        except ValidationError as error:
            raise _explained(error) from None
        config._check_space()
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
        return self.replace({**params, "search.space": {}, "search.stratify": None})

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
        )

    def networks(self) -> list[ModelSettings]:
        """The model as set, with every arch and norm that is searched, each with each."""
        dimensions = self.search.dimensions()
        names = [name for name in ("model.arch", "model.norm") if name in dimensions]
        offered = itertools.product(*(dimensions[name].values for name in names))
        return [self.fixed(dict(zip(names, values, strict=True))).model for values in offered]

    def _check_networks(self, dimensions: Mapping[str, Dimension]) -> None:
        """Refuse what would make trials fail that have one arch of several."""
        if "model.arch" not in dimensions:
            return
        if self.model.weights is not None:
            raise UserError(
                "search.space has model.arch, and weights are of one arch",
                f"{self.model.weights!r}",
                "leave model.weights out, or search among norms alone",
            )
        try:
            self.networks()
        except UserError as error:
            raise within("search.space offers a norm to an arch", error) from None

    def _check_space(self) -> None:
        dimensions = self.search.dimensions()
        for name, dimension in dimensions.items():
            if not name.startswith(SEARCHABLE):
                raise UserError(
                    "search.space has a setting that cannot be searched, as it changes what "
                    "trials are compared on or where they run",
                    f"{name!r}",
                    f"search among {', '.join(SEARCHABLE)}",
                )
            if name in ("model.weights", "model.weights_digest"):
                raise UserError(
                    "search.space has the weights of a network, and a sweep is bound to one file",
                    f"{name!r}",
                    "set model.weights, or run one sweep with and one without",
                )
            for value in dimension.values:
                try:
                    self.fixed({name: value})
                except UserError as error:
                    raise within(f"search.space.{name} offers {value!r}", error) from None
        self._check_networks(dimensions)
        choices = [name for name, one in dimensions.items() if one.kind == "choice"]
        if self.search.stratify not in (None, "model.norm", *choices):
            raise UserError(
                "search.stratify does not name a choice of search.space",
                f"{self.search.stratify!r}",
                f"search it by {{choice: [...]}}, or set it to null; "
                f"{nearest(str(self.search.stratify), ('model.norm', *choices))}",
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
    """A copy with the members of families, and with ``modes: [blend]`` as ``{names: [blend]}``."""
    expanded = _with_families_expanded(raw)
    stress = expanded.get("stress")
    if isinstance(stress, dict) and isinstance(stress.get("modes"), list | tuple):
        stress["modes"] = {"names": list(stress["modes"])}
    return expanded


class _EachKeyOnce(yaml.SafeLoader):
    """YAML of which no key of a mapping is there twice: the first would be lost in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            name = str(key.value)
            if name != "<<" and name in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {name!r} is there twice", key.start_mark
                )
            seen.add(name)
        return super().construct_mapping(node, deep=deep)


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(
            "there is no such sweep file", f"{str(path)!r}", "correct the path"
        ) from None
    except (OSError, ValueError) as error:  # the second is of bytes that are no text, or a NUL
        raise UserError(
            "the sweep file cannot be read",
            f"{str(path)!r} ({one_line(error)})",
            "give a text file in UTF-8 that you may read",
        ) from None
    try:
        raw = yaml.load(text, Loader=_EachKeyOnce)
    except NOT_YAML as error:
        raise UserError(
            "the sweep file is not YAML", f"{str(path)!r} ({told(error)})", "correct it there"
        ) from None
    if not isinstance(raw, dict):
        raise UserError(
            "the sweep file does not hold keys with values",
            f"{str(path)!r}",
            "begin it with name: and data:, as deploy/sweeps/demo.yaml does",
        )
    return raw


def override(
    raw: dict[str, Any],
    assignments: Iterable[str],
    flag: str = "--set",
    remedy: str = "give key=value, such as train.epochs=2",
) -> dict[str, Any]:
    """Apply ``key=value`` texts, values read as YAML, to nested data.

    Args:
        raw: The data, which are changed.
        assignments: The texts.
        flag: What they were given by, for messages.
        remedy: What to do where a text is none of these.

    Raises:
        UserError: No ``=``, or a value that is not YAML.

    """
    for text in assignments:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise UserError(f"{flag} cannot be read", f"{text!r}", remedy)
        try:
            read = yaml.safe_load(value)
        except NOT_YAML as error:
            raise UserError(
                f"the value of {flag} {name} is not YAML",
                f"{value!r} ({told(error)})",
                "correct it, or quote it",
            ) from None
        set_dotted(raw, name.strip(), read)
    return raw


def given_options(assignments: Iterable[str], flag: str = "--options") -> ArtifactOptions:
    """The options of artifacts in ``motion.order=interleaved`` texts.

    Raises:
        UserError: A text that is none of these, an unknown artifact or option, or a value that the
            artifact refuses.

    """
    remedy = "give ARTIFACT.OPTION=VALUE, such as motion.order=interleaved"
    read = override({}, assignments, flag, remedy)
    for name, options in read.items():
        if not isinstance(options, dict):
            raise UserError(f"{flag} cannot be read", f"'{name}={options}'", remedy)
    check_options(read, f"{flag} ")
    return read


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
        raise within(flag, _explained(error)) from None


def set_dotted(raw: dict[str, Any], name: str, value: Any) -> None:
    """Set one value in nested data by its dotted name.

    ``search.space`` has dotted names for keys, so what follows it is one key.
    """
    if name.startswith("search.space."):
        parents, last = ["search", "space"], name.removeprefix("search.space.")
    else:
        *parents, last = name.split(".")
    node = raw
    for parent in parents:
        child = node.setdefault(parent, {})
        if not isinstance(child, dict):
            raise UserError(
                f"{name!r} cannot be set",
                f"{parent!r}, which is a value and no section",
                "correct the name",
            )
        node = child
    node[last] = value


def _explained(error: ValidationError) -> Exception:
    errors = [_one(details) for details in error.errors()]
    return errors[0] if len(errors) == 1 else SeveralFaultsError(errors)


def _one(details: ErrorDetails) -> Exception:
    path = [str(part) for part in details["loc"]]
    name = ".".join(path)
    received = details["input"]
    match details["type"]:
        case "value_error":  # of ours, raised when a section was made
            found = details["ctx"]["error"]
            return within(name, found) if name else UserError(*found.args)
        case "unexpected_keyword_argument":
            hint = nearest(path[-1], _keys(path[:-1]))
            return UserError("there is no such setting", f"{name!r}", hint)
        case "missing":
            return UserError(f"{name} is missing and has no default", "none", f"set {name}")
        case "dataclass_type":
            keys = ", ".join(_keys(path))
            return UserError(f"{name} is a section", f"{received!r}", f"give it keys: {keys}")
        case "invalid_key":
            return UserError("there is no such setting", f"{name!r}", "take the name of a setting")
        case "tuple_type":
            asked = "give a list, such as [a, b]"
        case "dict_type":
            asked = "give keys with values"
        case _:
            asked = details["msg"].replace("Input should be", "give")
    remedy = asked[0].lower() + asked[1:]
    return UserError(f"{name} cannot take this value", reprlib.repr(received), remedy)


def _keys(path: list[str]) -> list[str]:
    """The names of the settings in the section at ``path``."""
    section: Any = SweepConfig
    for part in path:
        section = next(field.type for field in dataclasses.fields(section) if field.name == part)
    return [item.name for item in dataclasses.fields(section)]
