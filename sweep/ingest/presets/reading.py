"""Presets read from their files, and checked."""

import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from reprlib import repr as shortened
from typing import Any, get_args

from sweep.config.reading import MOST_BYTES, NOT_YAML, load_yaml
from sweep.core.errors import UserError, nearest, require_known, told
from sweep.core.reading import read_text
from sweep.ingest.formats.marks.marking import mask_names
from sweep.ingest.presets.paths import Pattern, names_in
from sweep.ingest.presets.preset import Choice, Fastmri, Kind, PatientIs, Places, Preset, Table

SHIPPED = {path.stem: path for path in sorted(Path(__file__).parent.glob("*.yaml"))}
REMEDY = "write it as docs/layouts.md says"
TOLD = ("what", "source", "licence", "terms", "layout", "labels", "plain")  # never empty


def preset_names() -> tuple[str, ...]:
    """The names of the presets that ship."""
    return tuple(SHIPPED)


def load_preset(name: str) -> Preset:
    """Load a preset by its name, or from a file of the user's that ends in .yaml.

    Raises:
        UserError: Neither; not YAML in UTF-8; a key, a value or a pattern that cannot be.

    """
    path = SHIPPED.get(name)
    if path is None:
        if not name.endswith((".yaml", ".yml")):
            raise UserError("there is no such preset", repr(name), nearest(name, SHIPPED))
        path = Path(name)
    try:
        raw = load_yaml(read_text(path, MOST_BYTES), texts=True)
    except (OSError, *NOT_YAML) as error:
        raise UserError(
            "the preset is not a YAML file in UTF-8", f"{path} ({told(error)})", "give another file"
        ) from error
    return preset_of(raw, path.stem, str(path))


def preset_of(raw: Any, name: str, origin: str) -> Preset:
    """Make a preset of what its file holds, all scalars being texts.

    Raises:
        UserError: It cannot be one.

    """
    _require(isinstance(raw, dict), "does not hold keys with values", raw, origin)
    of_fields = _texts(raw.pop("fields", {}), "fields", origin)
    read: dict[str, Callable[[Any, str], object]] = {
        "version": lambda value, where: int(_word(value, where, r"[0-9]{1,9}")),
        "kind": lambda value, where: _one_of(value, get_args(Kind), where),
        "patient_is": lambda value, where: _one_of(value, get_args(PatientIs), where),
        "leaves_open": _list,
        "notes": _list,
        "files": lambda value, where: tuple(Pattern(one, of_fields) for one in _list(value, where)),
        "choose": lambda value, where: {
            key: _choice(one, f"{where}.{key}") for key, one in _mapping(value, where).items()
        },
        "split": lambda value, where: _texts(value, where, ""),
        "columns": lambda value, where: _texts(value, where, ""),
        "tables": lambda value, where: tuple(
            _part(Table, one, f"{where}[{place}]")
            for place, one in enumerate(_sequence(value, where))
        ),
        "mask_labels": _mask_labels,
        "places": lambda value, where: _part(Places, value, where),
        "fastmri": lambda value, where: _part(Fastmri, value, where),
    }
    known = [one.name for one in fields(Preset) if one.name != "name"]
    require_known(f"a key of the preset {origin}", list(raw), [*known, "fields"])
    values: dict[str, Any] = {}
    for key, value in raw.items():
        reads: Callable[[Any, str], object] = read.get(key, _text)
        values[key] = reads(value, f"{key} of the preset {origin}")
    missing = [
        one.name
        for one in fields(Preset)
        if one.name != "name"
        and one.name not in values
        and one.default is MISSING
        and one.default_factory is MISSING
    ]
    _require(not missing, f"has no {', '.join(map(repr, missing))}", list(raw), origin)
    for key in TOLD:
        _require(bool(values[key].strip()), f"has an empty {key!r}", raw[key], origin)
    made = Preset(name=name, **values)
    _check(made, origin)
    return made


def _check(preset: Preset, origin: str) -> None:
    """Refuse what contradicts itself, before a user's files are looked at."""
    if preset.kind == "fastmri":
        _require(preset.fastmri is not None, "is of fastMRI and has no 'fastmri'", "", origin)
        return
    _require(bool(preset.files), "has no 'files'", "", origin)
    in_all = frozenset.intersection(*(one.names for one in preset.files))
    in_some = frozenset().union(*(one.names for one in preset.files))
    beside: list[Table | Places] = [*preset.tables, *([preset.places] if preset.places else [])]
    for table in beside:
        for text in table.key.values():
            _known_fields(names_in(text), in_all, origin)
        _known_fields(names_in(table.file), in_all | set(preset.choose), origin)
        _require(bool(table.key), "has a table without a key", table.file, origin)
    for text in (preset.label, preset.patient, preset.scan, preset.number, preset.mask):
        _known_fields(names_in(text), in_all, origin)
    _require("/" not in preset.mask, "has a mask that is not beside its image", preset.mask, origin)
    for text in preset.columns.values():
        _known_fields(names_in(text), in_some, origin)
    _require(not preset.split or "split" in in_all, "has splits and no field 'split'", "", origin)
    tabled = any(table.labels for table in preset.tables)
    labelled = bool(preset.label) + bool(preset.mask) + tabled
    _require(labelled == 1, "has not one of 'label', 'mask' and tables with 'labels'", "", origin)
    for name, choice in preset.choose.items():
        _require(
            not choice.default or not choice.values or choice.default in choice.values,
            f"has a default of {name!r} that is no value of it",
            choice.default,
            origin,
        )


def _known_fields(names: Any, known: Any, origin: str) -> None:
    for name in names:
        _require(name in known, "names a field that its 'files' do not have", name, origin)


def _part(kind: Any, raw: Any, where: str) -> Any:
    """A dataclass of texts, lists of texts and mappings of texts."""
    values = _mapping(raw, where)
    known = {one.name: one for one in fields(kind)}
    require_known(f"a key of {where}", list(values), list(known))
    missing = [
        name
        for name, one in known.items()
        if name not in values and one.default is MISSING and one.default_factory is MISSING
    ]
    _require(not missing, f"lacks {', '.join(missing)}", raw, where)
    of_kind = {"key": _plain_texts, "columns": _plain_texts, "labels": _meanings, "header": _list}
    if kind is Fastmri:
        of_kind = {}
    return kind(**{key: of_kind.get(key, _text)(one, where) for key, one in values.items()})


def _mask_labels(raw: Any, where: str) -> dict[int, tuple[str, ...]]:
    return mask_names([f"{value}={name}" for value, name in _texts(raw, where, "").items()])


def _choice(raw: Any, where: str) -> Choice:
    values = _mapping(raw, where)
    require_known(f"a key of {where}", list(values), [one.name for one in fields(Choice)])
    spellings = values.get("values", {})
    if isinstance(spellings, list):
        spellings = {one: [one] for one in _list(spellings, where)}
    return Choice(
        what=_text(values.get("what"), where),
        values={name: _list(one, where) for name, one in _mapping(spellings, where).items()},
        default=_text(values.get("default", ""), where),
    )


def _meanings(raw: Any, where: str) -> dict[str, dict[str, str]]:
    return {
        column: _plain_texts(meaning, f"{column} in {where}")
        for column, meaning in _mapping(raw, where).items()
    }


def _plain_texts(raw: Any, where: str) -> dict[str, str]:
    return _texts(raw, where, "")


def _texts(raw: Any, where: str, origin: str) -> dict[str, str]:
    return {
        key: _text(value, f"{key} in {where}{f' of {origin}' if origin else ''}")
        for key, value in _mapping(raw, where).items()
    }


def _mapping(raw: Any, where: str) -> Mapping[str, Any]:
    _require(isinstance(raw, dict), "is not a mapping", raw, where)
    return dict(raw)


def _sequence(raw: Any, where: str) -> list[Any]:
    _require(isinstance(raw, list) and bool(raw), "is not a list", raw, where)
    return list(raw)


def _list(raw: Any, where: str) -> tuple[str, ...]:
    return tuple(_text(one, where) for one in _sequence(raw, where))


def _text(raw: Any, where: str) -> str:
    _require(isinstance(raw, str), "is not a text", raw, where)
    return str(raw).strip("\n")


def _word(raw: Any, where: str, pattern: str) -> str:
    _require(bool(re.fullmatch(pattern, str(raw))), "is not a number", raw, where)
    return str(raw)


def _one_of(raw: Any, known: tuple[str, ...], where: str) -> str:
    require_known(where, [raw], known)
    return str(raw)


def _require(holds: bool, wrong: str, received: Any, where: str) -> None:
    if not holds:
        subject = where if " of " in where or " in " in where else f"the preset {where}"
        raise UserError(f"{subject} {wrong}", shortened(received), REMEDY)
