"""What the documents say, typed as it stands there; README and tutorial from top to bottom."""

import shutil
from pathlib import Path

import pytest

from tests.support.documents import Block, every_block
from tests.support.workshop import (
    IN_ORDER,
    PRELUDES,
    Workshop,
    clear,
    excused,
    furnish,
    missing,
    parts,
    script,
)

pytestmark = pytest.mark.long

MARK = "@@ the next block"


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return Workshop(tmp_path_factory.mktemp("typed"))


@pytest.fixture(scope="module")
def furniture(workshop: Workshop) -> Path:
    return furnish(workshop)


def alone(*kinds: str) -> list[Block]:
    """The blocks that are typed each by itself, of these kinds."""
    return [
        block
        for block in every_block()
        if block.page not in IN_ORDER
        and block.kind in kinds
        and not all(excused(block, part) for part in parts(block))
    ]


@pytest.mark.parametrize("page", IN_ORDER)
def test_a_page_is_typed_from_top_to_bottom(
    workshop: Workshop, page: str, request: pytest.FixtureRequest
) -> None:
    clone = workshop.clone(page.replace("/", "-"))
    if page == "README.md":  # it begins with the reader's own pictures
        furniture: Path = request.getfixturevalue("furniture")
        shutil.copytree(furniture / "images", clone / "images")
        shutil.copy(furniture / "manifest.csv", clone)
    typed = [block for block in every_block() if block.page == page]
    scripts = [f"echo; echo '{MARK}'\n{script(block)}" for block in typed]
    came = workshop.type(clone, "".join(scripts)).split(f"{MARK}\n")[1:]
    assert len(came) == len(typed)
    said = ""
    for block, out in zip(typed, came, strict=True):
        if block.kind == "text":
            assert missing(block, said) == [], said
        said = out


@pytest.mark.parametrize("block", alone("sh", "yaml"), ids=str)
def test_a_block_is_typed(workshop: Workshop, furniture: Path, block: Block) -> None:
    clone = workshop.clone(str(block).replace("/", "-"), furniture)
    clear(clone, block)
    workshop.type(clone, script(block))
    shutil.rmtree(clone)


@pytest.mark.parametrize("page", sorted({block.page for block in alone("python")}))
def test_the_python_of_a_page_runs(workshop: Workshop, furniture: Path, page: str) -> None:
    clone = workshop.clone(page.replace("/", "-"), furniture)
    blocks = [block.text for block in alone("python") if block.page == page]
    (clone / "page.py").write_text("\n".join([PRELUDES[page], *blocks]), encoding="utf-8")
    workshop.type(clone, "python page.py")
    shutil.rmtree(clone)
