"""Which label a finding counts for: a rule, read from a YAML file."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from reprlib import repr as shortened
from typing import Any, Literal, get_args

from sweep.config.reading import MOST_BYTES, NOT_YAML, load_yaml
from sweep.core.errors import UserError, nearest, refuse, require_known, told
from sweep.core.reading import read_text
from sweep.core.text import number_of
from sweep.ingest.fastmri.findings import Finding

StudyLevel = Literal["slice", "volume", "drop"]
KEYS = ("labels", "ignore", "study_level", "anatomy", "known")
PRESETS = files("sweep.ingest.fastmri") / "presets"
REMEDY = 'write it as in labels: {acl: ["*ACL*"], other: ["*"]}'


@dataclass(frozen=True)
class LabelRule:
    """Patterns are globs over the whole name of a finding, in upper or lower case alike.

    Attributes:
        labels: For each label its patterns; the first label with a match takes the
            finding.
        ignore: Findings that count for nothing.
        study_level: A finding of the whole volume counts at the slice that its row names, at
            every slice, or not at all.
        anatomy: What its findings are of, such as "knee"; empty = it does not say.
        known: The findings that it is for; a label file with others is refused. Empty = any.
        name: The name by which it was loaded.

    """

    labels: Mapping[str, tuple[str, ...]]
    ignore: tuple[str, ...] = ()
    study_level: StudyLevel = "drop"
    anatomy: str = ""
    known: tuple[str, ...] = ()
    name: str = ""

    def label_of(self, finding: str) -> str | None:
        """Give the label that takes a finding; None = no pattern does."""
        return next((name for name, globs in self.labels.items() if _matches(finding, globs)), None)

    def ignores(self, finding: str) -> bool:
        """Whether a finding counts for nothing."""
        return _matches(finding, self.ignore)

    def knows(self, finding: str) -> bool:
        """Whether the rule is for a finding."""
        return not self.known or _matches(finding, self.known)

    def to_plain(self) -> dict[str, Any]:
        """Give what JSON can say of the rule."""
        return asdict(self)


@dataclass(frozen=True)
class Labelled:
    """Findings as labels.

    Attributes:
        slices: For each volume and slice the label of each row that names them.
        volumes: For each volume the labels of all its slices.
        ignored: Rows that the rule ignores.
        study_level: Other rows about a whole volume, dropped or not.

    """

    slices: Mapping[str, Mapping[int, tuple[str, ...]]]
    volumes: Mapping[str, frozenset[str]]
    ignored: int
    study_level: int


def shipped_rules() -> tuple[str, ...]:
    """The names of the rules that are shipped."""
    return tuple(sorted(_shipped()))


def load_rule(rule: str | Path) -> LabelRule:
    """Load a rule by the name of one that is shipped, or from a file.

    Raises:
        UserError: Neither; not YAML in UTF-8; a key, a value or a pattern of the wrong kind.

    """
    presets = _shipped()
    try:
        preset = presets.get(str(rule))
        text = preset.read_text(encoding="utf-8") if preset else read_text(rule, MOST_BYTES)
        # All scalars as text: a label may be called 'no', which YAML would take for false.
        raw = load_yaml(text, texts=True)
    except FileNotFoundError:
        raise UserError(
            "there is no label rule and no YAML file of this name",
            repr(str(rule)),
            nearest(str(rule), presets),
        ) from None
    except (OSError, *NOT_YAML) as error:
        raise UserError(
            "the label rule is not a YAML file in UTF-8",
            f"{rule} ({told(error)})",
            "correct the file, or give another",
        ) from error
    return _rule(raw, str(rule))


def apply_rule(findings: Iterable[Finding], rule: LabelRule) -> Labelled:
    """Turn findings into labels.

    Raises:
        UserError: A finding that no pattern takes.

    """
    findings = list(findings)
    heeded = [one for one in findings if not rule.ignores(one.name)]
    local = [one for one in heeded if not one.study_level]
    counted = local if rule.study_level == "drop" else heeded
    unknown = Counter(one.name for one in counted if rule.label_of(one.name) is None)
    refuse(
        f"findings match no label ({', '.join(rule.labels)}) and are not ignored",
        [f"{name!r} ({number_of(count, 'row')})" for name, count in unknown.items()],
        "add patterns to the rule, under a label or under 'ignore'",
    )
    slices: dict[str, dict[int, tuple[str, ...]]] = {}
    volumes: dict[str, frozenset[str]] = {}
    for one in counted:
        label = str(rule.label_of(one.name))
        if one.study_level and rule.study_level == "volume":
            volumes[one.file] = volumes.get(one.file, frozenset()) | {label}
        else:
            of_file = slices.setdefault(one.file, {})
            of_file[one.slice] = (*of_file.get(one.slice, ()), label)
    return Labelled(slices, volumes, len(findings) - len(heeded), len(heeded) - len(local))


def _shipped() -> dict[str, Traversable]:
    return {entry.name.removesuffix(".yaml"): entry for entry in PRESETS.iterdir()}


def _matches(finding: str, globs: Iterable[str]) -> bool:
    return any(fnmatchcase(finding.casefold(), pattern.casefold()) for pattern in globs)


def _rule(raw: Any, origin: str) -> LabelRule:
    if not isinstance(raw, dict) or not isinstance(raw.get("labels"), dict) or not raw["labels"]:
        raise UserError(
            "the label rule has no 'labels' with patterns", f"{origin}: {shortened(raw)}", REMEDY
        )
    require_known(f"a key of the label rule {origin}", raw, KEYS)
    study_level = raw.get("study_level", "drop")
    require_known(
        f"the 'study_level' of the label rule {origin}", [study_level], get_args(StudyLevel)
    )
    if "" in raw["labels"]:
        raise UserError("a label of the label rule has an empty name", f"{origin}: ''", REMEDY)
    labels = {
        name: _globs(globs, f"label {name!r}", origin) for name, globs in raw["labels"].items()
    }
    ignore, known = (
        _globs(raw[name], f"'{name}'", origin) if name in raw else ()
        for name in ("ignore", "known")
    )
    anatomy = raw.get("anatomy", "")
    if not isinstance(anatomy, str):
        raise UserError(
            "the 'anatomy' of the label rule is not a word", f"{origin}: {anatomy!r}", REMEDY
        )
    return LabelRule(labels, ignore, study_level, anatomy, known, origin)


def _globs(raw: Any, name: str, origin: str) -> tuple[str, ...]:
    if not isinstance(raw, list) or not raw or not all(isinstance(one, str) and one for one in raw):
        raise UserError(
            f"{name} of the label rule is not a list of patterns", f"{origin}: {raw!r}", REMEDY
        )
    return tuple(raw)
