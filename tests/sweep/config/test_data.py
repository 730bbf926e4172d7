"""The dataset that a sweep file names."""

import pytest
import yaml

from sweep.config.reading import override
from sweep.config.sweep import SweepConfig
from sweep.core.errors import UserError

RAW = {"name": "x", "data": {"store": "s.h5", "train": [1], "validation": [2]}}
NAMED = {"dataset": "my.data:Brain", "dataset_options": {"root": "/x", "sizes": [1, 2]}}


def config_of(**data: object) -> SweepConfig:
    return SweepConfig.from_dict({**RAW, "data": {**RAW["data"], **data}})


def test_the_record_of_a_sweep_without_one_is_what_it_was() -> None:
    assert not [name for name in config_of().to_plain()["data"] if name.startswith("dataset")]


def test_a_sweep_equals_its_record() -> None:
    config = config_of(**NAMED)
    assert config.to_plain()["data"]["dataset_options"] == NAMED["dataset_options"]
    assert SweepConfig.from_dict(yaml.safe_load(config.to_yaml())) == config
    assert SweepConfig.from_plain(config.to_plain()) == config


def test_its_options_can_be_set_by_name() -> None:
    sets = ["data.dataset=a:B", "data.dataset_options.root=/y"]
    config = SweepConfig.from_dict(override({**RAW, "data": dict(RAW["data"])}, sets))
    assert config.data.dataset_options == {"root": "/y"}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"dataset": "my.data.Brain"}, "received 'my.data.Brain'; give package.module:Class"),
        ({"dataset_options": {"root": 1}}, r"no dataset to take .*; received {root: 1}; set"),
        ({"dataset": "a:B", "dataset_options": 3}, "dataset_options .*; received 3"),
    ],
)
def test_what_names_no_dataset_is_refused(data: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        config_of(**data)
