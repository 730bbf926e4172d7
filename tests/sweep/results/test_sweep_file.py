"""What a sweep was asked for, read without torch: the same as its whole configuration says."""

from pathlib import Path

import pytest

from sweep.config.presets import presets
from sweep.config.sweep import SweepConfig
from sweep.core.errors import UserError
from sweep.results.folder import SweepFolder
from sweep.results.sweep_file import FILE, asked, opened

GIVEN = ["data.store=s.h5", "data.train=[1]", "data.validation=[2]"]


@pytest.mark.parametrize("name", presets())
def test_every_preset_is_read_as_its_configuration_is(name: str, tmp_path: Path) -> None:
    config = SweepConfig.from_yaml(name, [*GIVEN, "data.test=[3]"])
    folder = SweepFolder.create(tmp_path / "sweep", config)
    found = asked(folder.path)
    assert (found.name, found.seed, found.epochs) == (config.name, config.seed, config.train.epochs)
    assert found.finalists == (config.finalists is not None)
    for part in ("objective", "objectives", "total", "scheduler", "stratify", "arms"):
        assert getattr(found.search, part) == getattr(config.search, part)
    assert found.search.dimensions() == config.search.dimensions()
    assert found.search.screening(found.epochs) == config.search.screening(config.train.epochs)
    assert found.search.limits == config.search.limits
    assert found.search.start == config.search.start


def test_a_file_that_somebody_has_written_by_hand_is_read_as_users_are(
    config: SweepConfig, tmp_path: Path
) -> None:
    folder = SweepFolder.create(tmp_path / "sweep", config)
    text = (folder.path / FILE).read_text()
    short = text.replace("\nseed: 0\n", "\n").replace("epochs: 2", "epochs: '2'")
    (folder.path / FILE).write_text(short)
    found = asked(folder.path)
    assert (found.seed, found.epochs, found.search) == (0, 2, config.search)
    (folder.path / FILE).write_text(text.replace("scheduler:", "schedular:"))
    with pytest.raises(UserError, match="schedular"):
        asked(folder.path)


@pytest.mark.parametrize(
    ("name", "message"), [("none", "no such folder of a sweep; received"), (".", "no sweep.yaml")]
)
def test_what_is_no_sweep_is_not_opened(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        opened(tmp_path / name)
