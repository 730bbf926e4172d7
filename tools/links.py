"""Whether the links of Markdown and HTML pages lead somewhere: ``python tools/links.py PATH ...``.

Links to other hosts are left alone: whether those answer is not this project's to promise.
"""

import re
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


class _Page(HTMLParser):
    """The links and the anchors of an HTML page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what the tag links to and what it can be reached by."""
        for name, value in attrs:
            if value and (name in ("id", "name")):
                self.anchors.add(value)
            elif value and name in ("href", "src"):
                self.links.append(value)


@cache
def _parsed(path: Path) -> tuple[tuple[str, ...], frozenset[str]]:
    """The links of a page and its anchors."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".html":
        page = _Page(text)
        return tuple(page.links), frozenset(page.anchors)
    prose = FENCE.sub("", text)
    anchors = (re.sub(r"[^\w\- ]", "", title.lower()) for title in HEADING.findall(prose))
    return tuple(LINK.findall(prose)), frozenset(one.replace(" ", "-") for one in anchors)


def pages(paths: Iterable[Path]) -> list[Path]:
    """The pages named, and those below the folders named."""
    return [
        page
        for path in paths
        for page in (
            [path] if path.is_file() else sorted([*path.rglob("*.md"), *path.rglob("*.html")])
        )
    ]


def broken(among: Iterable[Path]) -> Iterator[str]:
    """What leads nowhere: the page and the link."""
    for page in among:
        for link in _parsed(page)[0]:
            to = urlsplit(link)
            if to.scheme or to.netloc:
                continue
            target = page.parent / unquote(to.path) if to.path else page
            known = target.suffix in (".md", ".html") and target.is_file()
            if not target.exists() or (
                to.fragment and known and to.fragment not in _parsed(target)[1]
            ):
                yield f"{page}: {link}"


def main() -> None:
    """Check the pages of the command line; exit 1 if a link is broken."""
    checked = pages(map(Path, sys.argv[1:]))
    found = list(broken(checked))
    print("\n".join(found) or f"{len(checked)} pages, every link leads somewhere")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
