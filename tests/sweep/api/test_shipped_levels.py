"""The levels that ship are those of the artifacts as they are now, on the slices they name."""

import pytest

import artifacts_sim
from artifacts_sim.calibration.curve import measure
from artifacts_sim.levels import calibrated_record
from sweep.api.calibrate import describe
from sweep.api.reference import Chosen, ReferencePlan, choose
from sweep.ingest.engine import ingest
from sweep.ingest.images import plan_images
from sweep.store import Store
from sweep.store.splits import Dealing
from tests.support.data import BRAIN, needs

pytestmark = needs(BRAIN)
RECORD = calibrated_record()


@pytest.fixture(scope="module")
def plan() -> ReferencePlan:
    made = RECORD["reference"]
    return ReferencePlan(
        tuple(made["split"]), made["slices"], made["held_out_slices"], made["seed"]
    )


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    path = tmp_path_factory.mktemp("levels") / RECORD["reference"]["source"]
    height = RECORD["reference"]["height"]
    plan = plan_images(BRAIN / "manifest.csv", BRAIN / "images", size=height, dealing=Dealing())
    return ingest(plan, path).store


@pytest.fixture(scope="module")
def chosen(store: Store, plan: ReferencePlan) -> Chosen:
    return choose(store, plan)


def test_the_reference_is_the_one_it_names(
    store: Store, plan: ReferencePlan, chosen: Chosen
) -> None:
    assert describe(store, plan, chosen) == RECORD["reference"]


@pytest.mark.parametrize("name", artifacts_sim.names())
def test_the_harshest_level_reaches_its_similarity(
    name: str, plan: ReferencePlan, chosen: Chosen
) -> None:
    row = RECORD["artifacts"][name]
    art = artifacts_sim.get(name)
    knob, ssim = next(
        pair for pair in zip(row["values"][::-1], row["ssim"][::-1], strict=True) if pair[0]
    )
    assert row["knob"] == art.knob.name
    assert measure(art, chosen.reference, knob, plan.seed).mean_ssim == pytest.approx(
        ssim, abs=1e-3
    )
