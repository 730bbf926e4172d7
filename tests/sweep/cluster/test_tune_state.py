"""What Tune keeps of ended trials does not grow with what they have reported."""

from pathlib import Path

import pytest
from ray.tune.experiment import Trial

from sweep.cluster.tune_state import Forgetting, cleared


def reported(metrics: int, epochs: int = 3) -> Trial:
    trial = Trial("SweepTrial", stub=True, config={})
    for epoch in range(1, epochs + 1):
        scores = {f"robust/score-{at}": at / epoch for at in range(metrics)}
        trial.update_last_result({"training_iteration": epoch, **scores})
    return trial


@pytest.mark.parametrize("told", ["on_trial_complete", "on_trial_error"])
def test_an_ended_trial_takes_as_much_whatever_it_has_reported(told: str) -> None:
    few, many = reported(1), reported(100)
    assert len(many.get_json_state()[1]) > 50_000, "it would be held for as long as the sweep runs"
    for trial in (few, many):
        getattr(Forgetting(), told)(1, [few, many], trial)
    states = [trial.get_json_state()[1] for trial in (few, many)]
    assert len(states[1]) < 2000
    assert len(states[0]) == pytest.approx(len(states[1]), abs=10)
    assert many.last_result["done"], "and nobody asks its worker again"


def test_the_folder_of_tune_goes_before_and_after_a_run(tmp_path: Path) -> None:
    tune = tmp_path / "tune"
    (tune / "1").mkdir(parents=True)
    (tune / "1" / "tuner.pkl").write_bytes(b"of a run that was killed")

    def interrupted() -> None:
        with cleared(tune):
            assert not (tune / "1" / "tuner.pkl").exists()
            (tune / "2" / "trial-0001-b").mkdir(parents=True)
            (tune / "2" / "state.json").write_bytes(b"of this run")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not tune.exists()
