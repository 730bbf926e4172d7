"""A stress test with options shows the network what the artifact makes with these in Python."""

import dataclasses

import numpy as np
import pytest
import torch

import artifacts_sim
from artifacts_sim import Artifact
from sweep.api.preflight import open_data
from sweep.config.settings import DataSettings, StressSettings
from sweep.config.sweep import SweepConfig
from sweep.core.errors import UserError
from sweep.core.records import Cell
from sweep.learn.inputs import names_of
from sweep.learn.stress import cells_of, predict
from sweep.store import Store
from tests.support.sweeps import settings

CPU = torch.device("cpu")
ROWS = np.arange(12)
OPTIONS = {
    "motion": {"order": "interleaved", "interleaves": 2},
    "motion-slices": {"moves": "between_slices"},
    "gibbs-lines": {"axes": "pe"},
}


class Seen(torch.nn.Module):
    """Keeps its inputs."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.outputs, self.inputs = outputs, []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.inputs.append(x[:, 0])
        return x.new_zeros(len(x), self.outputs)


@pytest.fixture
def numbered(store: Store) -> Store:
    """Its slices are those of scans of four, one after the other."""
    places = np.arange(len(store))
    scans = np.array([f"scan {place // 4}".encode() for place in places])
    columns = {**store.columns, "scan": scans, "number": (places % 4).astype("<i4")}
    return dataclasses.replace(store, columns=columns)


def python(name: str) -> Artifact:
    return artifacts_sim.get(name.partition("-")[0], **OPTIONS[name])


@pytest.mark.parametrize("name", OPTIONS)
def test_the_network_sees_what_python_makes(numbered: Store, name: str) -> None:
    stress = StressSettings(
        artifacts=tuple(OPTIONS), levels=(4,), grid="physical", options=OPTIONS, seed=5
    )
    data = DataSettings(store=str(numbered.path), train=(1, 2), validation=(3,), normalize="none")
    network, art = Seen(len(numbered.label_names)), python(name)
    assert Cell(name, 4) in cells_of(stress)
    predict(network, numbered, ROWS, Cell(name, 4), data, stress, CPU)
    names = dataclasses.asdict(names_of(numbered, ROWS, True))
    drawn = art.sample(knob=art.knob.physical[3], seed=5, **names)
    images = torch.from_numpy(numbered.read(ROWS))
    torch.testing.assert_close(torch.cat(network.inputs), art.apply(images, drawn), atol=0, rtol=0)
    plain = artifacts_sim.get(art.name)
    by_default = plain.sample(knob=art.knob.physical[3], seed=5, **names)
    assert (torch.cat(network.inputs) != plain.apply(images, by_default)).any()


def test_options_that_need_what_the_store_does_not_say_are_refused_at_once(store: Store) -> None:
    raw = settings(store)
    raw["stress"] = {"artifacts": ["motion-slices"], "options": OPTIONS}
    with pytest.raises(
        UserError,
        match=r"stress.options.motion-slices: motion draws by the place of a slice in its scan, .*;"
        r" received .*between_slices.*; take other options, or a store whose source numbers",
    ):
        open_data(SweepConfig.from_dict(raw))
    raw["stress"]["artifacts"] = ["motion"]
    open_data(SweepConfig.from_dict(raw))
