"""Nothing outside of a sweep's folder is read, written or deleted for what stands in it."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from sweep.results.folder import SweepFolder
from sweep.store import Store
from tests.support.commands import ask, commands, contents, quiet

ELSEWHERE = ("../../victim", "../victim", "/etc", "..", "trial-0001/../../../victim")


def changed(file: Path, *where: str, to: Any) -> None:
    plain = json.loads(file.read_text())
    node = plain
    for name in where[:-1]:
        node = node[int(name)] if name.isdigit() else node[name]
    node[where[-1]] = to
    file.write_text(json.dumps(plain))


def all_but(folder: SweepFolder, root: Path) -> dict[str, str]:
    inner = f"{folder.path.relative_to(root)}/"
    return {k: v for k, v in contents(root).items() if not k.startswith((inner, "out/"))}


def ask_all(folder: SweepFolder, store: Store, root: Path) -> str:
    """What all commands say, none of which may change anything outside."""
    (root / "out").mkdir(exist_ok=True)
    before, said = all_but(folder, root), []
    for name, arguments in commands(folder.path, store.path, root / "out").items():
        if name not in ("check", "predict"):
            answer = ask(*arguments)
            quiet(answer, name)
            said.append(answer.err)
    assert all_but(folder, root) == before
    return "\n".join(said)


@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_record_of_a_trial_elsewhere(
    folder: SweepFolder, store: Store, tmp_path: Path, name: str
) -> None:
    changed(folder.path / "trials" / "trial-0000.json", "trial", to=name)
    said = ask_all(folder, store, tmp_path)
    assert said.count(f"ValueError: it is of {name!r}, number 0") >= 5
    assert sorted(folder.checkpoints("trial-0000").iterdir()), "nor is the trial's own cleared"


@pytest.mark.parametrize(
    ("file", "where"),
    [
        ("trials/trial-0000.json", ("modes",)),
        ("finalists/plan.json", ("runs", "0", "name")),
        ("finalists/plan.json", ("places", "1", "name")),
    ],
)
def test_other_names_that_lead_elsewhere(
    folder: SweepFolder, store: Store, tmp_path: Path, file: str, where: tuple[str, ...]
) -> None:
    place = folder.path / file
    to: Any = ELSEWHERE[0]
    if where == ("modes",):
        to = {to: json.loads(place.read_text())["modes"]["blend"]}
    changed(place, *where, to=to)
    assert "is no name of a file of the sweep" in ask_all(folder, store, tmp_path)


@pytest.mark.parametrize("link", ["checkpoints/trial-0000", "results", "finalists", ".lock"])
def test_a_link_that_leads_out_of_the_folder(
    folder: SweepFolder, store: Store, tmp_path: Path, link: str
) -> None:
    place = folder.path / link
    target = tmp_path / "victim" / ("state.pt" if link == ".lock" else "")
    if place.is_dir():
        shutil.rmtree(place)
    place.unlink(missing_ok=True)
    place.symlink_to(target)
    said = ask_all(folder, store, tmp_path)
    assert "a link in the sweep's folder leads out of it; received" in said
    assert "put in its place what it leads to" in said


def test_a_link_to_a_whole_folder_is_as_good_as_the_folder(
    folder: SweepFolder, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(folder.path)
    assert ask("best", tmp_path / "link").status == 0
    assert ask("sync", tmp_path / "link").status == 0
