"""A notebook that reads a sweep's folder and goes on from where the page ends."""

import json
from pathlib import Path

TITLE = "# {name}\n\nThe sweep in `{folder}`, read from its folder. Every cell runs by itself."
CELLS = (
    (
        "What the tests say, as on the page.",
        """from pathlib import Path

import pandas as pd

from sweep.api.report import report_of

FOLDER = Path({folder!r})
report = report_of(FOLDER, metric={metric!r})
print("\\n".join(report.conclusion))""",
    ),
    (
        "Every table and figure of the page as a table of values.",
        """from sweep.report.data_tables import data_of

data = {{name: pd.DataFrame(rows) for name, rows in data_of(report)}}
print("\\n".join(data))""",
    ),
    (
        "The trials of the search, ranked.",
        """from sweep.api.best import best

rows = best(FOLDER)
flat = [{{"trial": r.trial, "norm": r.norm, **r.params, **r.metrics}} for r in rows]
pd.DataFrame(flat).head(20)""",
    ),
    (
        "Every score of one trial: artifact, level and label.",
        """import pyarrow.parquet as pq

first = rows[0]
scores = pq.read_table(FOLDER / "results" / first.trial / f"epoch-{{first.epoch:04d}}.parquet")
scores.to_pandas().head(20)""",
    ),
    (
        "What it said of every slice, as log-odds.",
        """file = FOLDER / "predictions" / first.trial / f"epoch-{{first.epoch:04d}}.parquet"
said = pq.read_table(file)
said.to_pandas().head(20)""",
    ),
    (
        "Severity curves, from the values of the page.",
        """import matplotlib.pyplot as plt

curves = pd.concat([table for name, table in data.items() if name.startswith("severity")])
artifact = curves["artifact"].iloc[0]
for group, own in curves[curves["artifact"] == artifact].groupby("group"):
    plt.plot(own["level"], own["mean"], marker="o", label=group)
plt.xlabel(f"level of {{artifact}}")
plt.legend()
plt.show()""",
    ),
)


def notebook(folder: Path, name: str, metric: str | None = None) -> str:
    """A notebook of format 4.5, as JSON.

    Args:
        folder: The sweep's folder.
        name: The name of the sweep.
        metric: By which its report is; None: by that of the objective.

    """
    cells = [_markdown("title", TITLE.format(name=name, folder=folder))]
    for number, (text, code) in enumerate(CELLS):
        cells.append(_markdown(f"about-{number}", text))
        cells.append(
            {
                "id": f"code-{number}",
                "cell_type": "code",
                "metadata": {},
                "execution_count": None,
                "outputs": [],
                "source": code.format(folder=str(folder), metric=metric),
            }
        )
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    plain = {
        "cells": cells,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(plain, indent=1)


def _markdown(name: str, text: str) -> dict[str, object]:
    return {"id": name, "cell_type": "markdown", "metadata": {}, "source": text}
