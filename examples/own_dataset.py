"""A store of a torch dataset of one's own, split by patient: python own_dataset.py OUT."""

import sys
from pathlib import Path

import torch
from torch.utils.data import Dataset

import sweep


class Spots(Dataset):
    """Twenty-four patients of two sites, three slices each, a spot on the left or on the right."""

    classes = ("left", "right")

    def __len__(self):
        return 24 * 3

    def __getitem__(self, i):
        patient, number = divmod(i, 3)
        side = patient % 2
        image = 100 + 10 * torch.randn(1, 32, 32, generator=torch.Generator().manual_seed(i))
        image[:, 12:20, 4 + 18 * side : 10 + 18 * side] += 60
        return {
            "image": image.clamp(min=0),
            "labels": side,
            "patient": f"p{patient}",
            "key": f"p{patient}/{number}",
            "scan": "head",
            "number": number,
            "site": "AB"[patient // 12],
        }


def main() -> None:
    out = Path(sys.argv[1])
    report = sweep.ingest_dataset(Spots(), out / "spots.h5", folds=4)
    store = report.store
    print(f"{store.path}: {len(store)} slices, labels {', '.join(store.label_names)}")
    for split, slices in store.split_counts().items():
        patients = set(store.patients[store.indices([split])])
        sites = set(store.column("site")[store.indices([split])])
        print(f"fold {split}: {slices} slices, {len(patients)} patients of {len(sites)} sites")
    for remark in report.remarks():
        print(remark)


if __name__ == "__main__":
    main()
