"""The end of a sweep's own cluster, where a Ctrl-C comes in its midst."""

from pathlib import Path

import pytest

from sweep.cluster import local


class Ray:
    """Starts nothing; a Ctrl-C comes as it is shut down, ``times`` times."""

    def __init__(self, times: int) -> None:
        self.interrupts = times
        self.ended = False

    def init(self, **options: object) -> None:
        """Nothing is to be started."""

    def shutdown(self) -> None:
        if self.interrupts:
            self.interrupts -= 1
            raise KeyboardInterrupt
        self.ended = True


@pytest.mark.parametrize("times", [0, 1, 2])
def test_a_ctrl_c_while_ray_ends_leaves_no_folder_and_has_no_guard_speak(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    times: int,
) -> None:
    ray = Ray(times)
    monkeypatch.setattr(local, "ray", ray)
    monkeypatch.setattr(local, "_forget_secret", lambda: None)
    monkeypatch.setattr(local, "_vital", lambda mark: {})
    monkeypatch.setattr(local, "_scratch", lambda: str(tmp_path))
    monkeypatch.setattr(local.ray_constants, "ENABLE_RAY_CLUSTER", False)
    try:
        with local.own_cluster("mrisweep resume DIR", None, {}):
            pass
    except KeyboardInterrupt:
        assert times
    else:
        assert not times
    assert ray.ended == (times < 2)
    assert local._own is None
    assert not list(tmp_path.iterdir())
    assert "continue with" not in capfd.readouterr().err
