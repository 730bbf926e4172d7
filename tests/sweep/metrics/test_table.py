"""The table of metrics: what a row says is what becomes of it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from sweep.config.sweep import SweepConfig
from sweep.core.errors import UserError
from sweep.core.records import CLEAN, Cell, Predictions
from sweep.metrics import Metric, metric_of, metrics, objectives
from sweep.metrics.functions import Probability, Truth, Values, Weights, auroc
from sweep.metrics.summary import score, summarize
from sweep.metrics.table import sign
from sweep.stats.checkpoint import intervals_of
from tests.support.plugins import install


def squared(probability: Probability, truth: Truth, weights: Weights | None) -> Values:
    rows = np.ones((1, len(truth))) if weights is None else weights
    return (rows @ (probability - truth) ** 2) / rows.sum(axis=1)


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package with two metrics: an error, and AUROC of patients."""
    install(
        tmp_path,
        monkeypatch,
        {"mrisweep.metrics": {"squared": "mine:SQUARED", "greatest_auroc": "mine:GREATEST"}},
        mine="from sweep.metrics import Metric\n"
        "from sweep.metrics.functions import auroc\n"
        "from tests.sweep.metrics.test_table import squared\n"
        "SQUARED = Metric('squared', squared, higher_is_better=False, may_be_objective=False)\n"
        "GREATEST = Metric('greatest_auroc', auroc, unit='patient')\n",
    )
    metrics.cache_clear()
    yield
    metrics.cache_clear()


def test_an_objective_is_any_summary_of_a_metric_that_may_be_one(plugin: None) -> None:
    assert "robust/balanced_accuracy_cvar" in objectives()
    assert "clean/greatest_auroc" in objectives()
    assert not [name for name in objectives() if "squared" in name]
    data = {"store": "s.h5", "train": [1], "validation": [2]}
    wanted = {"objective": "robust/squared_mean"}
    with pytest.raises(
        UserError, match=r"objective has an unknown name; received 'robust/squared_mean'"
    ):
        SweepConfig.from_dict({"name": "x", "data": data, "search": wanted})


@pytest.mark.parametrize(
    ("summary", "name"),
    [
        ("robust/auroc_cvar", "auroc"),
        ("clean/auroc", "auroc"),
        ("clean/auroc_tear", "auroc"),
        ("clean/balanced_accuracy_a", "balanced_accuracy"),
        ("train/loss", None),
        ("clean/aurocs", None),
    ],
)
def test_a_summary_knows_its_metric(summary: str, name: str | None) -> None:
    metric = metric_of(summary)
    assert (metric.name if metric else None) == name


def test_of_an_error_less_is_better(plugin: None) -> None:
    assert sign("robust/squared_worst") == -1
    assert sign("robust/auroc_worst") == sign("train/loss") == 1


def predictions() -> tuple[list[Predictions], np.ndarray, list[str]]:
    generator = np.random.default_rng(1)
    truth = generator.random((120, 2)) < 0.15
    patients = [f"p{n // 4}" for n in range(120)]
    cells = [CLEAN, Cell("noise", 1), Cell("noise", 5)]
    return (
        [Predictions(cell, generator.normal(size=(120, 2)).astype(np.float32)) for cell in cells],
        truth,
        patients,
    )


def test_a_new_metric_is_scored_summed_up_and_given_an_interval(plugin: None) -> None:
    cells, truth, patients = predictions()
    scores = score(cells, truth, ["a", "b"], patients)
    assert {item.metric for item in scores} == set(metrics())
    summary = summarize(scores)
    per_cell = [
        np.mean([((item.probability[:, n] - truth[:, n]) ** 2).mean() for n in range(2)])
        for item in cells
    ]
    assert summary["clean/squared"] == pytest.approx(per_cell[0])
    assert summary["robust/squared_worst"] == pytest.approx(max(per_cell[1:]))
    intervals, _ = intervals_of(cells, truth, ["a", "b"], patients, resamples=100)
    for name in ("clean/squared", "robust/greatest_auroc_cvar", "robust/balanced_accuracy_mean"):
        low, high = intervals[name]
        assert low <= summary[name] <= high


@pytest.mark.parametrize(
    ("metric", "pooling"), [("patient_auroc", np.max), ("patient_mean_auroc", np.mean)]
)
def test_a_metric_of_patients_pools_the_slices_of_each(
    metric: str, pooling: Callable[[np.ndarray], float]
) -> None:
    cells, truth, patients = predictions()
    p, t = cells[0].probability[:, 0].astype(np.float64), truth[:, 0]
    groups = [[n for n, of in enumerate(patients) if of == name] for name in sorted(set(patients))]
    pooled = np.array([pooling(p[group]) for group in groups])
    shown = np.array([t[group].any() for group in groups])
    (found,) = (
        item.value
        for item in score(cells[:1], truth, ["a", "b"], patients)
        if (item.metric, item.label) == (metric, "a")
    )
    assert found == pytest.approx(float(auroc(pooled, shown)[0]))


def test_patients_have_no_operating_point() -> None:
    with pytest.raises(ValueError, match="received 'named'; let it take log_odds or probability"):
        Metric("named", auroc, unit="patient", of="margin")


def test_what_is_lost_is_no_objective_and_less_of_it_is_better() -> None:
    assert "robust/auroc_area" in objectives()
    assert "robust/auroc_degradation" not in objectives()
    assert sign("robust/auroc_degradation") == -1
    assert not [name for name in metrics()["brier"].names() if "retention" in name]


def test_a_metric_that_was_uninstalled_is_left_out_of_the_summary(plugin: None) -> None:
    cells, truth, patients = predictions()
    scores = score(cells, truth, ["a", "b"], patients)
    metrics.cache_clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.path", [])
        assert not [name for name in summarize(scores) if "squared" in name]
    metrics.cache_clear()


@pytest.mark.parametrize("name", ["no identifier", "epoch", ""])
def test_a_name_that_no_table_could_hold_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not an identifier"):
        Metric(name, auroc)


def test_an_error_cannot_be_maximised() -> None:
    with pytest.raises(
        ValueError, match="is better; received 'squared'; set may_be_objective=False"
    ):
        Metric("squared", squared, higher_is_better=False)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("raise OSError('gone')", r"'other' of mine cannot be imported; received OSError: gone"),
        ("METRIC = 3", r"does not name a Metric of that name; received 3"),
    ],
)
def test_a_broken_package_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, message: str
) -> None:
    install(tmp_path, monkeypatch, {"mrisweep.metrics": {"other": "broken:METRIC"}}, broken=code)
    metrics.cache_clear()
    with pytest.raises(UserError, match=message):
        metrics()
    monkeypatch.undo()
    metrics.cache_clear()
