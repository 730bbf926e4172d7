"""No line of a table is wider than the terminal, and what matters most stays."""

import math
from collections.abc import Callable

import pytest

from sweep.core.records import CLEAN, Cell, EpochRecord, Score
from sweep.core.text import fitted, fitted_table, wrapped
from sweep.metrics import metrics
from sweep.results.final_table import FinalistRow, final_table, shown_of
from sweep.results.stress_text import artifact_table, stress_table
from sweep.stats.checkpoint import ArtifactScore

AUROC = metrics()["auroc"]
WIDTHS = [60, 80, 120, 200]


def finalists(width: int | None) -> str:
    scores = dict.fromkeys(shown_of(AUROC), 0.7)
    params = {"train.lr": 0.00123, "train.weight_decay": 0.0456, "model.width": 16}
    row = FinalistRow("test", "trial-0003", "instance", params, 5, 0, scores, scores)
    return final_table([row], "robust/auroc_cvar", width)


def cells(width: int | None) -> str:
    labels = [f"a label with a long name {number}" for number in range(5)]
    scores = tuple(
        Score(cell, label, "auroc", 0.7, 1, 2)
        for cell in (CLEAN, Cell("noncentral_chi", 5))
        for label in labels
    )
    return stress_table(EpochRecord("t", 1, 0.1, 1.0, 0, scores, {}), "auroc", width)


def artifacts(width: int | None) -> str:
    one = ArtifactScore("noncentral_chi-mine", (1, 2, 3, 4, 5), 0.7, (0.6, 0.8), 0.5, 5)
    lost = ArtifactScore("bias", (1,), math.nan, (math.nan, math.nan), math.nan, None)
    return artifact_table([one, lost], AUROC, width)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(
    ("made", "stays"),
    [
        (finalists, ("trial", "norm", "holdout/auroc_mean")),
        (cells, ("artifact", "level", "macro")),
        (artifacts, ("artifact", "mean auroc", "worst")),
    ],
)
def test_a_table_fits_and_names_what_it_leaves_out(
    made: Callable[[int | None], str], stays: tuple[str, ...], width: int
) -> None:
    text, whole = made(width), made(None)
    assert max(map(len, text.splitlines())) <= width
    header = next(line for line in text.splitlines() if line.startswith(stays[0]))
    assert all(name in header for name in stays)
    left_out = "left out, as the terminal is too narrow"
    fits = max(map(len, whole.splitlines()[:4])) <= width
    assert (left_out in text) == (not fits)
    assert left_out not in whole


def test_columns_go_in_the_order_asked_and_two_of_one_name_together() -> None:
    rows = [["name", "lr", "lr", "score"], ["a", "1", "2", "0.5"]]
    assert fitted(rows, ("lr",), None) == rows
    assert fitted(rows, ("lr", "lr"), 12) == [["name", "score"], ["a", "0.5"]]
    said = "left out, as the terminal is too narrow: lr; a file, a pipe and --json get them."
    assert said in " ".join(fitted_table(rows[0], rows[1:], ("lr",), 12).split())


def test_a_sentence_is_broken_between_words_and_a_command_is_whole() -> None:
    text = "note      to go on: mrisweep-resume-some-where-far-away now"
    lines = wrapped(text, 24, " " * 10).splitlines()
    assert " ".join(" ".join(lines).split()) == " ".join(text.split())
    assert all(line.startswith(" " * 10) for line in lines[1:])
    assert wrapped(text, None) == text
