"""What a benchmark has measured, as JSON in ``benchmarks/results``, and the tables made of it.

A figure stands in a table, a row and a column. ``python benchmarks/results.py`` writes the tables
into the documents of docs/, each between ``<!-- table: BENCHMARK, TITLE -->`` and ``<!-- end -->``.
"""

import json
import platform
import re
import sys
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent / "results"
DOCUMENTS = FOLDER.parents[1] / "docs"
PLACE = re.compile(r"(<!-- table: (\w+), (.+?) -->\n).*?(<!-- end -->)", re.DOTALL)


class Record:
    """The figures of one run of a benchmark.

    Args:
        name: The name of the benchmark, and of its file.

    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.figures: list[dict[str, str]] = []

    def add(self, table: str, row: str, column: str, value: float | str) -> None:
        """Note a figure; a number is written with three significant digits."""
        text = value if isinstance(value, str) else f"{value:.3g}"
        self.figures.append({"table": table, "row": row, "column": column, "value": text})

    def save(self, folder: Path = FOLDER) -> Path:
        """Write ``<name>.json``."""
        path = folder / f"{self.name}.json"
        content = {
            "benchmark": self.name,
            "command": " ".join(["python", f"benchmarks/{self.name}.py", *sys.argv[1:]]),
            "measured": {
                "date": date.today().isoformat(),
                "release": version("mrisweep"),
                "processor": _processor(),
                "python": platform.python_version(),
                "torch": version("torch"),
            },
            "figures": self.figures,
        }
        path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        return path


def read(name: str, folder: Path = FOLDER) -> dict[str, Any]:
    """What a benchmark has left."""
    content: dict[str, Any] = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    return content


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{len(models)} x {models[0]}" if models else platform.processor()


def table(benchmark: str, title: str) -> str:
    """A table of the figures of one benchmark, rows and columns as they were noted."""
    figures = [one for one in read(benchmark)["figures"] if one["table"] == title]
    rows = list(dict.fromkeys(one["row"] for one in figures))
    columns = list(dict.fromkeys(one["column"] for one in figures))
    cells = {(one["row"], one["column"]): one["value"] for one in figures}
    lines = [[title, *columns], ["---"] * (len(columns) + 1)]
    lines += [[row, *(cells.get((row, column), "") for column in columns)] for row in rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def refreshed(text: str) -> str:
    """A document with every table as the results have it."""
    return PLACE.sub(lambda found: found[1] + table(found[2], found[3]) + found[4], text)


def main() -> int:
    """Rewrite the documents."""
    for document in sorted(DOCUMENTS.glob("*.md")):
        before = document.read_text(encoding="utf-8")
        if PLACE.search(before):
            after = refreshed(before)
            document.write_text(after, encoding="utf-8")
            print(f"{document.name}: {'unchanged' if after == before else 'written anew'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
