"""What a sweep has left, from its folder alone: python read_a_sweep.py SWEEP_FOLDER."""

import sys
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq

import sweep


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = Path(sys.argv[1])
    print("the best trials, by the sweep's own objective")
    for row in sweep.best(folder, top=3):
        shown = {name: round(value, 3) for name, value in row.metrics.items() if "robust" in name}
        print(f"  {row.trial} {row.norm} epoch {row.epoch}: {shown}")

    # One row for each trial, epoch, artifact, level and label; one column for each metric.
    results = pq.read_table(folder / "results")
    print("AUROC by artifact and level, averaged over trials, epochs and labels")
    means = results.group_by(["artifact", "level"]).aggregate([("auroc", "mean")])
    for cell in means.sort_by([("artifact", "ascending"), ("level", "ascending")]).to_pylist():
        print(f"  {cell['artifact']} {cell['level']}: {cell['auroc_mean']:.3f}")

    # One row for each trial, epoch, cell and slice: p_<label> the probability, y_<label> the truth.
    predictions = pq.read_table(folder / "predictions")
    clean = predictions.filter(pc.field("artifact") == "clean")
    print(f"{predictions.num_rows} predictions, {clean.num_rows} of them on clean slices")


if __name__ == "__main__":
    main()
