"""A place in which what the documents say can be typed: their files in small, and what it lacks."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.documents import Block

# What a document's part of a sweep file leaves to the reader.
REST: Mapping[str, Any] = {
    "name": "part",
    "data": {"store": "store.h5", "train": [1, 2, 3], "validation": [4], "test": [5]},
    "search": {"trials": 12, "space": {"model.norm": {"choice": ["batch", "group", "layer"]}}},
}
# The user's own network and dataset that documents speak of.
OWN_PACKAGE = {
    "nets.py": "from tests.support.networks import Own as Small\n",
    "data.py": "from tests.support.datasets import Brain\n",
}


@dataclass(frozen=True)
class Excuse:
    """Why lines of a document are parsed only, and not typed.

    Attributes:
        page: Of these documents: the path, or that of their folder.
        begins: Lines of shell blocks, and first lines of other blocks, that begin so.
        why: What they would need.

    """

    page: str
    begins: str
    why: str

    def holds(self, block: Block, text: str) -> bool:
        """Whether it is for this line of the block."""
        return block.page.startswith(self.page) and text.lstrip().startswith(self.begins)


EXCUSES = (
    Excuse("README.md", "make test", "is what runs this"),
    Excuse("CONTRIBUTING.md", "make", "make the environment, or run these tests"),
)


def excused(block: Block, text: str) -> Excuse | None:
    """Why a line of a block is not typed; None if it is."""
    return next((excuse for excuse in EXCUSES if excuse.holds(block, text)), None)


def furnish_package(folder: Path) -> None:
    """Put the user's own package into a folder."""
    (folder / "my_package").mkdir()
    for name, text in {"__init__.py": "", **OWN_PACKAGE}.items():
        (folder / "my_package" / name).write_text(text, encoding="utf-8")


def whole_sweep(part: Mapping[str, Any]) -> dict[str, Any]:
    """A sweep file with the part in it, and the rest as small as it can be."""
    if "name" in part:
        return dict(part)
    whole = _merged(REST, part)
    if "arms" in whole["search"]:  # they take the norm's place, and divide the trials
        del whole["search"]["space"]["model.norm"]
    return whole


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = {**below, **above}
    for name in below.keys() & above.keys():
        if isinstance(below[name], Mapping) and isinstance(above[name], Mapping):
            merged[name] = _merged(below[name], above[name])
    return merged
