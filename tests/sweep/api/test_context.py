"""Slices with their neighbours, end to end: what is refused, asked, exported, and said of it."""

import dataclasses
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

import mrimodels
import sweep
from sweep.api import preflight
from sweep.api.export import export
from sweep.api.init import first_sweep
from sweep.api.smoke import smoke
from sweep.api.stress import stress_checkpoint
from sweep.config.settings import TrialConfig
from sweep.config.sweep import SweepConfig
from sweep.core.errors import UserError
from sweep.learn.checkpoints import CheckpointInfo
from sweep.learn.fit import fit
from sweep.results.mlflow.model_content import GRAPH, write_content
from sweep.store import Store
from sweep.store.excerpt import chosen
from tests.support.stores import make_volumes
from tests.support.sweeps import settings

VIEWING, SEQUENCE, COLOUR = (
    f"tests.support.networks:{name}" for name in ("Viewing", "Sequence", "Colour")
)


@pytest.fixture(scope="module")
def volumes(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Numbered slices of several scans, with one left out of each."""
    return make_volumes(tmp_path_factory.mktemp("volumes") / "volumes.h5")


@pytest.fixture
def config(volumes: Store) -> SweepConfig:
    """With one neighbour on either side."""
    return SweepConfig.from_dict(settings(volumes)).replace({"data.context": 1})


def trained(path: Path, trial_config: TrialConfig, volumes: Store, **model: object) -> Path:
    config = dataclasses.replace(
        trial_config,
        data=dataclasses.replace(trial_config.data, store=str(volumes.path), context=1),
        model=dataclasses.replace(trial_config.model, **model),
        train=dataclasses.replace(trial_config.train, epochs=1),
    )
    found = fit(config, volumes, path).checkpoint
    assert found is not None
    return found


def test_a_sweep_of_volumes_is_taken_and_its_context_may_be_searched(
    config: SweepConfig, volumes: Store
) -> None:
    preflight.open_data(config)
    assert config.trial({}).spec(n_outputs=2).in_channels == 3
    space = {"data.context": {"choice": [0, 1, 2]}, "model.norm": {"choice": ["group"]}}
    searched = config.replace({"search.space": space})
    preflight.open_data(searched)
    assert [searched.trial({"data.context": n}).data.channels for n in (0, 1, 2)] == [1, 3, 5]


def test_a_store_whose_slices_have_no_neighbours_is_refused(store: Store) -> None:
    message = (
        r"no slice has a neighbour; received data.context: 2, and 96 slices of .*; ingest whole "
        r"volumes .* or take what was trained with data.context: 0"
    )
    plain = SweepConfig.from_dict(settings(store))
    searched = {"search.space": {"data.context": {"choice": [0, 2]}}}
    for changes in ({"data.context": 2}, searched):
        with pytest.raises(UserError, match=message):
            preflight.open_data(plain.replace(changes))


def test_slices_that_are_alone_are_said(config: SweepConfig, volumes: Store) -> None:
    """The numbers 0, 1, 2 and 4: of each scan one slice has no neighbour but two steps away."""
    said = preflight.about_evidence(config, volumes)
    assert [line for line in said if "data.context" in line] == [
        "24 of 96 slices have no slice of their scan beside them, and stand themselves where "
        "data.context: 1 asks for its neighbours"
    ]
    wider = config.replace({"data.context": 2})
    assert not any("data.context" in line for line in preflight.about_evidence(wider, volumes))


@pytest.mark.parametrize("context", [-1, 0.5, "one"])
def test_a_context_is_a_whole_number(context: object, config: SweepConfig) -> None:
    with pytest.raises(UserError, match=r"data.* context|data\.context"):
        config.replace({"data.context": context})


def test_a_network_of_other_channels_is_refused_by_their_number(config: SweepConfig) -> None:
    own = {"model": {"arch": VIEWING, "norm": "keep"}, "search.space": {}}
    with pytest.raises(
        UserError, match=r"data.context 1, which makes inputs of 3 channels: .*\(2, 3, 64, 64\)"
    ):
        preflight.open_data(config.replace(own))
    takes_any = {"model": {"arch": SEQUENCE, "norm": "keep"}, "search.space": {}}
    preflight.open_data(config.replace(takes_any))


def test_a_network_that_takes_colours_gets_three_slices_as_it_is(volumes: Store) -> None:
    config = SweepConfig.from_dict(settings(volumes)).replace(
        {"data.context": 1, "model": {"arch": COLOUR, "norm": "keep"}, "search.space": {}}
    )
    preflight.open_data(config)
    network = mrimodels.build(config.trial({}).spec(n_outputs=2), 0)
    assert next(iter(network.parameters())).shape[1] == 3
    with pytest.raises(UserError, match=r"data.context 2, which makes inputs of 5 channels"):
        preflight.open_data(config.replace({"data.context": 2}))


def test_a_checkpoint_asked_on_slices_without_neighbours_says_so(
    trial_config: TrialConfig, volumes: Store, store: Store, tmp_path: Path
) -> None:
    checkpoint = trained(tmp_path, trial_config, volumes)
    for ask in (sweep.predict, stress_checkpoint):
        with pytest.raises(UserError, match=r"no slice has a neighbour; received data.context: 1"):
            ask(checkpoint, store.path)


@pytest.mark.filterwarnings("ignore::FutureWarning")  # of torch, as it reads its own file
def test_exported_files_take_stacks_as_stored_and_say_what_the_channels_are(
    trial_config: TrialConfig, volumes: Store, tmp_path: Path
) -> None:
    checkpoint = trained(tmp_path / "fit", trial_config, volumes, norm="batch")
    in_onnx, in_torch, card = export(checkpoint, tmp_path / "m.onnx", tmp_path / "m.pt2")
    outputs = sweep.predict(checkpoint, volumes.path)
    around = volumes.neighbours.around(np.arange(len(volumes)), 1)
    stacks = volumes.images[around]
    session = onnxruntime.InferenceSession(in_onnx, providers=["CPUExecutionProvider"])
    (found,) = session.run(["logits"], {"images": stacks})
    as_onnx = torch.from_numpy(found).softmax(dim=1)
    np.testing.assert_allclose(as_onnx, outputs.probability, atol=1e-5)
    with torch.inference_mode():
        as_torch = torch.export.load(in_torch).module()(torch.from_numpy(stacks)).softmax(dim=1)
    np.testing.assert_allclose(as_torch, outputs.probability, atol=1e-5)
    said = {entry.key: entry.value for entry in onnx.load(in_onnx).metadata_props}
    assert said["input"].startswith("images: float32 (N, 3, H, W)")
    assert (
        "3 channels: the slice that is classified in the middle, 1 slice before it"
        in (said["input"])
    )
    assert said["scaling"] == "robust, inside the graph, of its channels together"
    assert said["input"] in card.read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_logged_model_takes_stacks_and_says_so(
    trial_config: TrialConfig, volumes: Store, tmp_path: Path
) -> None:
    import mlflow

    checkpoint = trained(tmp_path / "fit", trial_config, volumes)
    network, spec = mrimodels.load(checkpoint)
    info = CheckpointInfo.read(checkpoint)
    size = tuple(map(int, volumes.images.shape[1:]))
    content = tmp_path / "model"
    assert write_content(content, network, spec, info, size, checkpoint) == GRAPH
    model = mlflow.models.Model.load(str(content))
    assert model.signature.inputs.inputs[0].shape == (-1, 3, -1, -1)
    stacks = torch.from_numpy(volumes.images[volumes.neighbours.around(np.arange(8), 1)])
    found = mlflow.pytorch.load_model(str(content))(stacks)
    expected = sweep.predict(checkpoint, volumes.path).probability[:8]
    np.testing.assert_allclose(found.detach(), expected, atol=1e-5)


def test_a_sweep_that_is_tried_out_has_the_neighbours_of_its_slices(
    config: SweepConfig, volumes: Store, tmp_path: Path
) -> None:
    said: list[str] = []
    tried, _ = smoke(config, 8, tmp_path / "tried", said.append)
    excerpt = preflight.open_data(tried)
    count = f"tried out on {len(excerpt)} slices, 8 of a split at most and their neighbours"
    assert said[0].startswith(count)
    rows = chosen(volumes, (*tried.data.train, *tried.data.validation), 8)
    wanted = volumes.keys[np.unique(volumes.neighbours.around(rows, 1))]
    assert set(wanted) == set(excerpt.keys)


def test_a_first_sweep_offers_it_where_slices_have_neighbours(volumes: Store, store: Store) -> None:
    assert "  # context: 1  # with the slices beside it" in first_sweep(volumes, "a", 0)
    assert "context" not in first_sweep(store, "a", 0)
