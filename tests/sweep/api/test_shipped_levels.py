"""The levels that ship are those of the artifacts as they are now, on the slices they name."""

import copy

import pytest

import artifacts_sim
from artifacts_sim.calibration.curve import likeness
from artifacts_sim.levels import calibrated_record
from sweep.learn.levels import describe
from sweep.learn.reference import Chosen, ReferencePlan, choose
from sweep.store import Store
from tests.support.data import BRAIN, needs
from tools.reference_levels import differences, reference_plan, reference_store

pytestmark = [pytest.mark.slow, needs(BRAIN)]
RECORD = calibrated_record()


@pytest.fixture(scope="module")
def plan() -> ReferencePlan:
    return reference_plan()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return reference_store(BRAIN, tmp_path_factory.mktemp("levels"))


@pytest.fixture(scope="module")
def chosen(store: Store, plan: ReferencePlan) -> Chosen:
    return choose(store, plan)


def test_the_reference_is_the_one_it_names(
    store: Store, plan: ReferencePlan, chosen: Chosen
) -> None:
    assert describe(store, plan, chosen) == RECORD["reference"]


@pytest.mark.parametrize(
    "name",
    [
        # Its 160 slices take a minute; what it measures on fewer, test_calibrate checks.
        pytest.param(name, marks=pytest.mark.long if name == "sense" else ())
        for name, row in RECORD["artifacts"].items()
        if any(row["values"])
    ],
)
def test_the_harshest_level_reaches_its_similarity(
    name: str, plan: ReferencePlan, chosen: Chosen
) -> None:
    row = RECORD["artifacts"][name]
    art = artifacts_sim.get(name)
    knob, ssim = next(
        pair for pair in zip(row["values"][::-1], row["ssim"][::-1], strict=True) if pair[0]
    )
    assert row["knob"] == art.knob.name
    found = likeness(art, chosen.reference, knob, plan.seed).mean_ssim("foreground")
    assert found == pytest.approx(ssim, abs=1e-3)


def test_a_level_that_moved_is_named() -> None:
    moved = copy.deepcopy(RECORD)
    assert not list(differences(RECORD, moved))
    moved["artifacts"]["bias"]["values"][1] *= 1.02
    (line,) = differences(RECORD, moved)
    assert line.startswith("bias 2: ")
