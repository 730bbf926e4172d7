"""One model trained and stress-tested without Ray or MLflow: python fit_one_model.py OUT."""

import sys
from pathlib import Path

import numpy as np

import sweep
from sweep.config.sweep import SweepConfig
from sweep.store import Store, write_store
from sweep.store.slices import Slice


def make_store(path: Path) -> Store:
    """Twenty-four patients with two slices each, a bright spot on the left or on the right."""
    generator = np.random.default_rng(0)
    slices, images = [], []
    for patient in range(24):
        side = patient % 2
        for number in range(2):
            image = generator.normal(100, 10, (32, 32)).clip(0).astype(np.float32)
            image[12:20, 4 + 18 * side : 10 + 18 * side] += 60
            images.append(image)
            name, split = f"p{patient}", str(1 + patient // 2 % 3)
            label = frozenset({("left", "right")[side]})
            slices.append(Slice(f"{name}/{number}", name, split, label, origin="example"))
    return write_store(
        path,
        slices,
        images,
        shape=(32, 32),
        label_names=("left", "right"),
        task="multiclass",
        source={"kind": "example"},
    )


def main() -> None:
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    store = make_store(out / "store.h5")
    config = SweepConfig.from_dict(
        {
            "name": "example",
            "data": {"store": str(store.path), "train": [1, 2], "validation": [3]},
            "model": {"norm": "group", "width": 4},
            "train": {"epochs": 3, "batch_size": 8},
            "stress": {"artifacts": ["rician", "bias"], "levels": [1, 5]},
            "search": {"screen": None},  # every epoch is scored on all patients and cells
        }
    )
    result = sweep.fit(config.trial({}), store, out / "checkpoints")
    for record in result.history:
        clean, robust = record.metrics["clean/auroc"], record.metrics["robust/auroc_cvar"]
        print(f"epoch {record.epoch}: clean AUROC {clean:.3f}, in the worst cells {robust:.3f}")
    print(f"best epoch {result.best_epoch}: {result.checkpoint}")


if __name__ == "__main__":
    main()
