"""Tables in the documents agree with the code, and links lead somewhere."""

import re
from dataclasses import fields
from pathlib import Path

import artifacts_sim
from artifacts_sim.acquisition.operators import Stage
from benchmarks import results
from tests.support.data import ROOT
from tests.support.documents import every_block, lines
from tools import links

ARTIFACTS = ROOT / "docs" / "artifacts.md"


def rows(columns: int) -> dict[str, list[str]]:
    """By its first cell, the other cells of each row of the table of so many columns."""
    lines = re.findall(r"^\| (`.*) \|$", ARTIFACTS.read_text(encoding="utf-8"), re.MULTILINE)
    split = [[cell.strip().replace("`", "") for cell in line.split("|")] for line in lines]
    return {cells[0]: cells[1:] for cells in split if len(cells) == columns}


def shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def test_every_artifact_is_described_with_its_stage_knob_and_options() -> None:
    table = rows(5)
    assert set(table) == set(artifacts_sim.names())
    for name, (stage, _, knob, options) in table.items():
        art = artifacts_sim.get(name)
        assert (stage, knob) == (art.stage.name.lower(), art.knob.name)
        assert options == ", ".join(field.name for field in fields(art))


def test_the_order_within_the_stages_is_the_one_of_the_chain() -> None:
    acting: dict[Stage, list[tuple[int, str]]] = {}
    for name in artifacts_sim.names():
        art = artifacts_sim.get(name)
        for stage in art.stages:
            acting.setdefault(stage, []).append((art.place, name))
    ordered = {
        stage.name.lower(): (", ".join(f"`{name}`" for _, name in sorted(of)),)
        for stage, of in acting.items()
    }
    text = ARTIFACTS.read_text(encoding="utf-8")
    table = re.findall(r"^\| ([a-z]+) \| (`[^|]*) \|$", text, re.MULTILINE)
    assert {stage: (names,) for stage, names in table} == ordered


def test_the_table_of_levels_is_the_one_that_ships() -> None:
    table = rows(9)
    assert set(table) == set(artifacts_sim.names())
    for name, (knob, *levels, physical, _) in table.items():
        art = artifacts_sim.get(name)
        assert knob == art.knob.name
        assert levels == [
            shown(value) for value in artifacts_sim.named_grid("calibrated").knobs_of(name)
        ]
        assert physical == ", ".join(shown(value) for value in art.knob.physical)


def test_the_tables_of_figures_are_those_of_the_results() -> None:
    texts = [path.read_text(encoding="utf-8") for path in results.DOCUMENTS.glob("*.md")]
    for text in texts:
        assert results.refreshed(text) == text, "run python benchmarks/results.py"
    shown = {benchmark for text in texts for _, benchmark, *_ in results.PLACE.findall(text)}
    assert shown == {path.stem for path in results.FOLDER.glob("*.json")}


def test_the_first_screen_leads_from_a_manifest_to_the_best() -> None:
    readme = [block for block in every_block() if block.page == "README.md" and block.line < 40]
    commands = [words for block in readme for line in lines(block) for words in line.ours()]
    assert [words[0] for words in commands] == ["ingest", "check", "run", "best"]


def test_every_link_of_the_documents_leads_somewhere() -> None:
    pages = links.pages([ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "docs"])
    assert len(pages) > 5
    assert list(links.broken(pages)) == []


def test_a_link_that_leads_nowhere_is_found(tmp_path: Path) -> None:
    page = tmp_path / "a.md"
    (tmp_path / "b.html").write_text('<h1 id="top">B</h1><a href="a.md#how-to-go">back</a>')
    page.write_text(
        "# How to go\n[here](#how-to-go) [b](b.html#top) [far](https://host/none)\n"
        "```\n[code](none)\n```\n[gone](none.md) [no](b.html#end) [not](#how)\n"
    )
    gone = ["none.md", "b.html#end", "#how"]
    assert list(links.broken(links.pages([tmp_path]))) == [f"{page}: {link}" for link in gone]
