"""A checkpoint as a file for other programs: the same predictions, and what it says of itself."""

import dataclasses
import json
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

import sweep
from sweep.api.export import export
from sweep.config.settings import TrialConfig
from sweep.core.errors import UserError, WorkError
from sweep.learn.checkpoints import load_checkpoint
from sweep.learn.fit import fit
from sweep.learn.inputs import gather, normalize
from sweep.portable.agreement import check_agreement
from sweep.portable.graph import contiguous
from sweep.results.folder import SweepFolder
from sweep.store import Store
from tests.support.kspace import make_kspace_store

CPU = torch.device("cpu")
NORMS = ("batch", "group", "layer", "instance")


def trained(path: Path, config: TrialConfig, store: Store, **model: object) -> Path:
    """A checkpoint of one epoch."""
    config = dataclasses.replace(
        config,
        model=dataclasses.replace(config.model, **model),
        train=dataclasses.replace(config.train, epochs=1),
    )
    checkpoint = fit(config, store, path).checkpoint
    assert checkpoint is not None
    return checkpoint


def in_onnx(path: Path, images: torch.Tensor) -> torch.Tensor:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run(["logits"], {"images": images.numpy()})[0])


def in_torch(path: Path, images: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        logits: torch.Tensor = torch.export.load(path).module()(images)
    return logits


@torch.inference_mode()
def in_place(checkpoint: Path, images: torch.Tensor) -> torch.Tensor:
    model, info = contiguous(load_checkpoint(checkpoint, CPU))
    logits: torch.Tensor = model(normalize(images[:, 0], info.config.data.normalize))
    return logits


def pictures() -> list[torch.Tensor]:
    """Several counts and sizes, and the edges: nothing, one grey, one bright pixel."""
    generator = torch.Generator().manual_seed(2)
    sizes = [(1, 17, 40), (5, 24, 24), (2, 100, 61), (3, 160, 200)]
    random = [torch.rand(n, 1, h, w, generator=generator) * 300 for n, h, w in sizes]
    edges = torch.zeros(3, 1, 60, 50)
    edges[1] = 137.3
    edges[2, 0, 20, 7] = 90
    return [*random, edges]


@pytest.mark.filterwarnings("ignore::FutureWarning")  # of torch, as it reads its own file
@pytest.mark.parametrize(
    ("norm", "how", "model"),
    [
        ("batch", "zscore", {}),
        pytest.param("group", "robust", {}, marks=pytest.mark.long),
        pytest.param("layer", "max", {"head": "pool10", "antialias": True}, marks=pytest.mark.long),
        pytest.param("instance", "none", {"stem_stride": 2}, marks=pytest.mark.long),
    ],
)
def test_files_give_the_logits_of_the_checkpoint(
    norm: str,
    how: str,
    model: dict[str, object],
    trial_config: TrialConfig,
    store: Store,
    tmp_path: Path,
) -> None:
    data = dataclasses.replace(trial_config.data, normalize=how)
    config = dataclasses.replace(trial_config, data=data)
    checkpoint = trained(tmp_path / "fit", config, store, norm=norm, **model)
    paths = export(checkpoint, tmp_path / "m.onnx", tmp_path / "m.pt2")
    assert [path.name for path in paths] == ["m.onnx", "m.pt2", "m.md"]
    for images in pictures():
        expected = in_place(checkpoint, images)
        for found in (in_onnx(paths[0], images), in_torch(paths[1], images)):
            torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.fixture(scope="module")
def exported(sweep_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The best trial of the finished sweep in ONNX, its card beside it."""
    path = tmp_path_factory.mktemp("exported") / "best.onnx"
    sweep.export(sweep.best(sweep_folder)[0].checkpoint, onnx=path)
    return path


@pytest.mark.slow
def test_onnx_runtime_gives_the_predictions_of_the_sweep(
    exported: Path, sweep_folder: Path, store: Store
) -> None:
    best = sweep.best(sweep_folder)[0]
    (clean, *_), _ = SweepFolder.open(sweep_folder).predictions(best.trial, best.epoch)
    images = torch.from_numpy(store.read(store.indices([3])))[:, None]
    found = in_onnx(exported, images).softmax(dim=1)
    np.testing.assert_allclose(found, clean.probability, atol=1e-5)
    alone = torch.cat([in_onnx(exported, one).softmax(dim=1) for one in images[:4].split(1)])
    np.testing.assert_allclose(alone, clean.probability[:4], atol=1e-5)


@pytest.mark.slow
def test_the_file_says_what_it_is(exported: Path, store: Store) -> None:
    model = onnx.load(exported)
    said = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(said["labels"]) == ["a", "b"]
    assert (said["task"], said["signal"], said["arch"]) == (
        "multiclass",
        "images",
        "preact_resnet18",
    )
    assert said["data"] == store.fingerprint
    assert said["input"].startswith("images: float32 (N, 1, H, W), N of 1 or more, H and W of 9")
    (images,), (logits,) = model.graph.input, model.graph.output
    assert [one.dim_param or one.dim_value for one in images.type.tensor_type.shape.dim] == [
        *("N", 1, "H", "W")
    ]
    assert [one.dim_param or one.dim_value for one in logits.type.tensor_type.shape.dim] == ["N", 2]


@pytest.mark.slow
def test_the_card_has_the_recorded_scores_and_what_was_not_tested(
    exported: Path, sweep_folder: Path, store: Store
) -> None:
    card = exported.with_suffix(".md").read_text(encoding="utf-8")
    best = sweep.best(sweep_folder)[0]
    low, high = best.intervals["clean/auroc"]
    assert f"| auroc | {best.metrics['clean/auroc']:.3f} [{low:.3f}, {high:.3f}] |" in card
    assert "| rician | 5 |" in card
    assert "| validation | 3 | 32 | 8 |" in card
    assert store.fingerprint in card
    untested = card.partition("## What it was not tested on")[2]
    assert "motion, ghosting, spike" in untested
    assert "rician" not in untested
    assert "Levels 2, 3, 4 of 1 to 5" in untested
    assert "other sizes than 24 x 24" in untested.lower()


def test_a_file_that_differs_is_refused(sweep_folder: Path) -> None:
    loaded = contiguous(load_checkpoint(Path(sweep.best(sweep_folder)[0].checkpoint), CPU))

    def off(images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = loaded.model(normalize(images[:, 0], "robust"))
        return logits + 2e-5 * (images.amax() == 0)

    with pytest.raises(WorkError, match=r"is not kept; received .* differ by 2e-05 on zeros of"):
        check_agreement(off, loaded, "m.onnx")


@pytest.mark.filterwarnings("ignore::FutureWarning")  # of torch, as it reads its own file
def test_a_network_of_k_space_takes_the_magnitude_and_says_so(
    trial_config: TrialConfig, tmp_path: Path
) -> None:
    store = make_kspace_store(tmp_path / "k.h5")
    data = dataclasses.replace(
        trial_config.data, store=str(store.path), train=(1,), validation=(2,), signal="kspace"
    )
    config = dataclasses.replace(trial_config, data=data)
    checkpoint = trained(tmp_path / "fit", config, store, norm="batch")
    said: list[str] = []
    (path, card) = export(checkpoint, torch=tmp_path / "m.pt2", say=said.append)
    assert "magnitude reconstructed from k-space" in card.read_text()
    assert ["takes the magnitude" in text for text in said] == [True]
    outputs = sweep.predict(checkpoint, store.path)
    reconstructed = gather(store, np.arange(len(store)), CPU, "kspace").signals.clean()
    found = in_torch(path, reconstructed[:, None]).softmax(dim=1)
    np.testing.assert_allclose(found, outputs.probability, atol=1e-5)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "no format is asked for; received neither; give --onnx FILE or --torch FILE"),
        ({"torch": "a.md"}, "two of the files, models and model card, would have one name"),
        ({"onnx": "a.pt2", "torch": "a.pt2"}, "would have one name"),
        ({"torch": "mine.pt2"}, "the output exists"),
        ({"onnx": "new.onnx", "torch": "file/m.pt2"}, "a part of the output's path is no folder"),
    ],
)
def test_files_that_cannot_be_are_refused_before_the_work(
    files: dict[str, str], message: str, tmp_path: Path
) -> None:
    for name in ("file", "mine.md"):
        (tmp_path / name).write_text("mine")
    with pytest.raises(UserError) as refused:
        export(tmp_path / "none.pt", **{name: tmp_path / file for name, file in files.items()})
    assert message in str(refused.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "mine.md"]


def test_onnx_without_its_packages_says_how_to_get_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(
        UserError, match=r"without onnxscript; install them with `pip install 'mrisweep\[export\]'`"
    ):
        export(tmp_path / "none.pt", onnx=tmp_path / "m.onnx")
