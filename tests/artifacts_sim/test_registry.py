"""Artifacts by name: those that ship, one's own, and those of other packages."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import artifacts_sim
from artifacts_sim import ArtifactError
from tests.support.plugins import install
from tests.support.shading import Shading


@pytest.fixture
def shading() -> Iterator[None]:
    artifacts_sim.register(Shading())
    yield
    artifacts_sim.unregister("shading")


def test_one_s_own_is_known_by_its_name_until_it_is_forgotten(shading: None) -> None:
    assert artifacts_sim.names()[-1] == "shading"
    assert artifacts_sim.get("shading") == Shading()
    family = artifacts_sim.family("holdout", level=3, grid="physical")
    assert "shading" in [steps[0].artifact.name for steps in family.chains]
    artifacts_sim.unregister("shading")
    assert "shading" not in artifacts_sim.names()
    with pytest.raises(ArtifactError, match=r"no such artifact; received 'shading'"):
        artifacts_sim.get("shading")


def test_a_name_that_is_taken_is_refused(shading: None) -> None:
    with pytest.raises(ArtifactError, match=r"of this name already; received 'shading' again"):
        artifacts_sim.register(Shading())


def test_without_calibrated_levels_it_works_by_knob_and_by_physical_level(shading: None) -> None:
    art = artifacts_sim.get("shading")
    x = torch.rand(2, 9, 12, generator=torch.Generator().manual_seed(0))
    keys = ["a", "b"]
    by_level = art.apply(x, art.sample(level=3, keys=keys, seed=0, grid="physical"))
    assert torch.equal(by_level, art.apply(x, art.sample(knob=0.3, keys=keys, seed=0)))
    with pytest.raises(ArtifactError, match=r"'shading'.*take grid='physical', or calibrate"):
        art.sample(level=3, keys=keys, seed=0)
    assert artifacts_sim.named_grid("physical").reaches("shading", 5)


PLUGIN = {"mrisweep.artifacts": {"shading": "my_artifacts:Shading"}}
SOURCE = "from tests.support.shading import Shading"


def test_a_package_can_add_one_and_nothing_is_imported_before_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "imported"
    source = f"{SOURCE}\nimport pathlib; pathlib.Path({str(log)!r}).touch()"
    site = tmp_path / "site"
    site.mkdir()
    install(site, monkeypatch, PLUGIN, my_artifacts=source)
    try:
        assert "shading" in artifacts_sim.names()
        assert not log.exists()
        assert artifacts_sim.get("shading") == Shading()
        assert log.exists()
    finally:
        artifacts_sim.unregister("shading")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("raise OSError('gone')", r"of mine cannot be imported; received OSError: gone"),
        ("Shading = 3", r"is not an artifact of that name; received 3"),
        (
            "from artifacts_sim.kinds.bias import Bias as Shading",
            r"is not an artifact of that name",
        ),
    ],
)
def test_a_broken_package_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, message: str
) -> None:
    install(tmp_path, monkeypatch, PLUGIN, my_artifacts=source)
    with pytest.raises(ArtifactError, match=message):
        artifacts_sim.get("shading")


def test_a_broken_package_leaves_what_ships_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, PLUGIN, my_artifacts="raise OSError('gone')")
    assert artifacts_sim.get("bias").name == "bias"
    assert artifacts_sim.named_grid("calibrated").reaches("bias", 2)
    assert artifacts_sim.get("bias").at(3, "physical") == artifacts_sim.get("bias").knob.physical[2]


def test_a_package_cannot_take_the_name_of_one_that_ships(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = {"mrisweep.artifacts": {"bias": "my_artifacts:Shading"}}
    install(tmp_path, monkeypatch, taken, my_artifacts=SOURCE)
    with pytest.raises(
        ArtifactError, match=r"'bias' of mine has a name that is taken; received my_artifacts:Sh"
    ):
        artifacts_sim.names()
    assert type(artifacts_sim.get("bias")).__name__ == "Bias"


def test_what_is_known_is_found_without_a_look_at_what_is_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The look takes as long as damaging a hundred slices, and every batch asks for artifacts."""

    def looked(**_: object) -> None:
        raise AssertionError

    monkeypatch.setattr("artifacts_sim.catalogue.entry_points", looked)
    assert artifacts_sim.get("motion").name == "motion"


def test_names_are_known_without_torch() -> None:
    code = (
        "import artifacts_sim, sys\n"
        "assert 'metal' in artifacts_sim.expand(['holdout'])\n"
        "print('torch' in sys.modules, artifacts_sim.get('metal').name)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "False metal\n"


def test_every_public_name_is_there() -> None:
    for name in artifacts_sim.__all__:
        assert getattr(artifacts_sim, name) is not None
    assert set(artifacts_sim.__all__) <= set(dir(artifacts_sim))
