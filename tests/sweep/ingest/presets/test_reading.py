"""Files of presets: every one that ships holds, and one that cannot be right is refused."""

import copy
import re
from pathlib import Path

import pytest

from sweep.config.reading import load_yaml
from sweep.core.errors import UserError
from sweep.ingest.presets import reading
from sweep.ingest.presets.reading import load_preset, preset_names, preset_of
from sweep.ingest.presets.telling import HEADER, row_of
from tests.support.commands import ask
from tests.support.data import ROOT

FOLDER = Path(reading.__file__).parent
ALL = sorted(path.stem for path in FOLDER.glob("*.yaml"))


def raw(name: str) -> dict:
    text = (FOLDER / f"{name}.yaml").read_text(encoding="utf-8")
    return load_yaml(text, texts=True)


def test_the_presets_are_the_files() -> None:
    assert sorted(preset_names()) == ALL


@pytest.mark.parametrize("name", ALL)
def test_a_file_that_ships_says_all_that_it_has_to(name: str) -> None:
    preset = load_preset(name)
    assert re.search(r"https://", preset.source)
    assert preset.notes
    assert preset.leaves_open
    assert all(note == " ".join(note.split()) and note.endswith(".") for note in preset.notes)
    assert len(preset.what) <= 100


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("wrong", ["licence_", "file", "pattern", "patients"])
def test_a_wrong_key_of_any_file_is_refused(name: str, wrong: str) -> None:
    with pytest.raises(UserError, match=wrong):
        preset_of({**raw(name), wrong: "x"}, name, name)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("key", ["what", "kind", "source", "licence", "layout", "labels"])
def test_a_missing_key_of_any_file_is_refused(name: str, key: str) -> None:
    without = {one: value for one, value in raw(name).items() if one != key}
    with pytest.raises(UserError, match=key):
        preset_of(without, name, name)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "video"}, "'video'"),
        ({"version": "one"}, "version"),
        ({"version": "9" * 5000}, "version"),
        ({"fields": {"exam": "a{99999999999}"}}, "pattern of paths"),
        ({"fields": {"exam": "(" * 2000 + ")" * 2000}}, "pattern of paths"),
        ({"what": ""}, "empty 'what'"),
        ({"files": ["train/{plane"]}, "pattern of paths"),
        ({"files": ["train/{Plane}.npy"]}, "pattern of paths"),
        ({"files": ["train/{plane}[.gz"]}, "pattern of paths"),
        ({"files": []}, "files"),
        ({"files": "train"}, "files"),
        ({"patient": "{person}"}, "person"),
        ({"split": {"a": "b"}, "files": ["{plane}/{exam}.npy"]}, "split"),
        ({"label": "{plane}"}, "one of 'label'"),
        ({"tables": []}, "tables"),
        ({"tables": [{"file": "a.csv"}]}, "lacks key"),
        ({"tables": [{"file": "a.csv", "key": {"a": "{b}"}}]}, "'b'"),
        ({"tables": [{"file": "a.csv", "key": {"a": "{exam}"}, "label": {}}]}, "'label'"),
        ({"choose": {"plane": {"what": "it", "values": ["a"], "default": "b"}}}, "default"),
        ({"choose": {"plane": {"what": "it", "value": ["a"]}}}, "'value'"),
        ({"mask_labels": {"0": "none"}}, "0, which is background"),
        ({"notes": "a"}, "notes"),
    ],
)
def test_what_contradicts_itself_is_refused(change: dict, said: str) -> None:
    with pytest.raises(UserError, match=re.escape(said)):
        preset_of(copy.deepcopy({**raw("mrnet"), **change}), "mrnet", "mrnet.yaml")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("mrnat", "did you mean 'mrnet'?"),
        ("there/is/none.yaml", "not a YAML file"),
        ("", "no such preset"),
    ],
)
def test_a_name_that_is_none_is_refused(name: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=re.escape(said)):
        load_preset(name)
    answer = ask("ingest", "presets", name or "x")
    assert answer.status == 2
    assert "Traceback" not in answer.err


def test_a_mask_lies_beside_its_image() -> None:
    with pytest.raises(UserError, match="a mask that is not beside its image"):
        preset_of({**raw("brats"), "mask": "../{case}_seg.nii.gz"}, "brats", "brats.yaml")


def test_a_preset_of_the_users_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text((FOLDER / "mrnet.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    assert load_preset(str(path)).name == "mine"
    path.write_text("- a\n", encoding="utf-8")
    with pytest.raises(UserError, match="keys with values"):
        load_preset(str(path))


def test_all_are_listed_and_each_is_told() -> None:
    listed = ask("ingest", "presets").out
    for name in ALL:
        preset = load_preset(name)
        assert re.search(f"^{name} ", listed, re.MULTILINE)
        said = ask("ingest", "presets", name).out
        for text in (preset.source, preset.licence, preset.terms, *preset.leaves_open):
            assert text in said
        for line in (*preset.layout.splitlines(), *preset.plain.splitlines()):
            assert line in said
        for choice, one in preset.choose.items():
            assert f"--choose {choice}=VALUE" in said
            assert all(value in said for value in one.values)


def test_the_page_has_the_same_table() -> None:
    page = (ROOT / "docs" / "layouts.md").read_text(encoding="utf-8")
    rows = [row_of(load_preset(name)) for name in preset_names()]
    lines = [
        f"| {' | '.join(HEADER)} |",
        f"|{'---|' * len(HEADER)}",
        *(f"| `{row[0]}` | {' | '.join(row[1:])} |" for row in rows),
    ]
    assert "\n".join(lines) in page, "\n".join(lines)


@pytest.mark.parametrize("name", ALL)
def test_the_command_without_the_preset_is_one(name: str) -> None:
    from sweep.cli import parser

    command = load_preset(name).plain.splitlines()[0].split()
    assert command[:2] == ["mrisweep", "ingest"]
    words = [word.strip("'") for word in command[1:]]
    needed = [] if "--out" in words else ["--out", "a.h5"]
    parser().parse_args([*words, *needed])
