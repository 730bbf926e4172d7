"""Record the table that search.py replays: many trials, each run to its end with every cell scored.

    python benchmarks/search_table.py --data ../shared/data --out search_table.parquet

Two data sets, three norms, the same Sobol points of learning rate and weight decay for each norm,
two seeds: every epoch of every trial is scored on every cell, on all validation patients and on
the shares of them that a screening may take. It takes an hour on two cores, and goes on where it
was interrupted.
"""

import argparse
import itertools
import json
import multiprocessing
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import torch

from sweep.api.preflight import bind
from sweep.config.levels import shift_of
from sweep.config.settings import TrialConfig
from sweep.config.space import Dimension
from sweep.config.sweep import SweepConfig
from sweep.core.files import write_text
from sweep.core.records import EpochRecord, Predictions
from sweep.core.screening import screened_slices
from sweep.learn.checkpoints import load_checkpoint
from sweep.learn.fit import Done, Evaluation, fit
from sweep.learn.outputs import log_odds
from sweep.learn.screening import Screening
from sweep.learn.stress import cells_of, inputs
from sweep.metrics.summary import macro_by_cell, score
from sweep.results.tables import validation_slices
from sweep.search.sobol import sobol_point
from sweep.store import Store

NORMS = ("batch", "group", "layer")
SEEDS = (0, 1)
SHARES = (1.0, 0.5, 0.25)
SPACE = {"train.lr": {"log": [1.0e-4, 3.0e-2]}, "train.weight_decay": {"log": [1.0e-5, 1.0e-1]}}
POINT_SEED = 0


class Source(NamedTuple):
    """A data set and how it is split."""

    folder: str
    train: tuple[str, ...]
    validation: tuple[str, ...]


SOURCES = {
    "brain": Source("brain_tumor_mri", ("2", "4"), ("3",)),
    "glioma": Source("tcga_lgg", ("DU1", "DU2", "DU3"), ("HT",)),
}


class Job(NamedTuple):
    """One trial of the table."""

    data: str
    point: int
    norm: str
    seed: int

    @property
    def name(self) -> str:
        """Of its file."""
        return f"{self.data}-{self.point:02d}-{self.norm}-{self.seed}"


def jobs(points: int) -> Iterator[Job]:
    """Every trial, those of the first points first."""
    for point, data, norm, seed in itertools.product(range(points), SOURCES, NORMS, SEEDS):
        yield Job(data, point, norm, seed)


def config_of(data: str, store: Path) -> SweepConfig:
    """The sweep that the trials of a data set are of."""
    source = SOURCES[data]
    return SweepConfig.from_dict(
        {
            "name": data,
            "data": {
                "store": str(store),
                "train": list(source.train),
                "validation": list(source.validation),
                "test": [],
            },
            "model": {"arch": "preact_resnet18", "width": 8, "stem_stride": 2},
            "search": {"trials": 3, "space": {"model.norm": {"choice": list(NORMS)}, **SPACE}},
            "train": {"epochs": 8, "batch_size": 32},
            "stress": {"levels": [1, 3, 5], "batch_size": 64},
        }
    )


def point_of(number: int) -> dict[str, Any]:
    """The searched values of a point, the same for every norm."""
    dimensions = {name: Dimension.parse(name, written) for name, written in SPACE.items()}
    return sobol_point(dimensions, POINT_SEED, number)


class Kept:
    """Evaluates in this process, on inputs that are damaged once for all trials of a data set."""

    in_flight = 0

    def __init__(self, trial: TrialConfig, store: Store) -> None:
        self.task = store.task
        device, indices = torch.device("cpu"), store.indices(trial.data.validation)
        size, seed = trial.stress.batch_size, trial.stress.seed
        batches = [indices[start : start + size] for start in range(0, len(indices), size)]
        self.inputs = {
            cell: [
                batch.to(memory_format=torch.channels_last)
                for batch in inputs(
                    store, batches, shift_of(trial.stress, cell), trial.data, seed, device
                )
            ]
            for cell in cells_of(trial.stress)
        }

    @torch.inference_mode()
    def evaluate(self, checkpoint: Path, screening: Screening | None = None) -> Evaluation:
        """Evaluate now, in full: nothing is screened here."""
        model = load_checkpoint(checkpoint, torch.device("cpu")).model
        model = model.to(memory_format=torch.channels_last)
        found = []
        for cell, batches in self.inputs.items():
            parts = [log_odds(model(batch), self.task) for batch in batches]
            found.append(Predictions(cell, torch.cat(parts).numpy()))
        return Done(found)


KEPT: dict[str, Kept] = {}


def run(job: Job, bound: Mapping[str, dict[str, Any]], rows: Path) -> None:
    """Train one trial and write its rows."""
    file = rows / f"{job.name}.json"
    if file.exists():
        return
    torch.set_num_threads(1)
    values = point_of(job.point)
    config = SweepConfig.from_dict(bound[job.data])
    trial = config.trial({"model.norm": job.norm, **values})
    trial = replace(trial, seed=job.seed, screen=None)
    store = Store.open(config.data.store)
    slices = validation_slices(store, trial.data.validation)
    chosen = {
        share: screened_slices(slices.patients, slices.truth, share, trial.stress.seed)
        for share in SHARES
    }
    found: list[dict[str, Any]] = []

    def report(record: EpochRecord, predictions: Sequence[Predictions]) -> None:
        for share, at in chosen.items():
            patients = [slices.patients[one] for one in at]
            part = [replace(one, log_odds=one.log_odds[at]) for one in predictions]
            scores = score(part, slices.truth[at], slices.labels, patients)
            found.extend(
                {
                    **job._asdict(),
                    **values,
                    "epoch": record.epoch,
                    "share": share,
                    "artifact": cell.artifact,
                    "level": cell.level,
                    "auroc": round(value, 4),
                    "train_loss": round(record.train_loss, 4),
                }
                for cell, value in macro_by_cell(scores, "auroc").items()
            )

    if job.data not in KEPT:
        KEPT[job.data] = Kept(trial, store)
    evaluator = KEPT[job.data]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "trial"
        fit(trial, store, folder, evaluator=evaluator, report=report, trial=job.name)
    write_text(file, json.dumps(found))
    print(job.name, flush=True)


def bound_config(data: str, root: Path, work: Path) -> dict[str, Any]:
    """The sweep of a data set, with a store and calibrated levels."""
    file = work / f"{data}.json"
    if not file.exists():
        store = work / f"{data}.h5"
        images = root / SOURCES[data].folder
        command = ["ingest", "images", str(images / "manifest.csv"), "--images"]
        options = [str(images / "images"), "--out", str(store), "--size", "64"]
        if not store.exists():
            subprocess.run([sys.executable, "-m", "sweep", *command, *options], check=True)
        config, _ = bind(config_of(data, store), Store.open(store), print)
        write_text(file, json.dumps(config.to_plain()))
    return dict(json.loads(file.read_text()))


def counted(bound: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, int]]:
    """What a trial of each data set sees: slices to train on and, by share, to score."""
    found = {}
    for data, plain in bound.items():
        config = SweepConfig.from_dict(plain)
        store = Store.open(config.data.store)
        slices = validation_slices(store, config.data.validation)
        seed = config.stress.seed
        scored = {
            str(share): len(screened_slices(slices.patients, slices.truth, share, seed))
            for share in SHARES
        }
        found[data] = {"train": len(store.indices(config.data.train)), **scored}
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is missing, then write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of both data sets")
    parser.add_argument("--work", type=Path, default=Path("search_table"), help="for what is run")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "search_table.parquet")
    parser.add_argument("--points", type=int, default=24, help="configurations of each norm")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--so-far", action="store_true", help="run nothing, write whole points")
    options = parser.parse_args(arguments)
    rows = options.work / "rows"
    rows.mkdir(parents=True, exist_ok=True)
    bound = {data: bound_config(data, options.data, options.work.resolve()) for data in SOURCES}
    if not options.so_far:
        todo = [(job, bound, rows) for job in jobs(options.points)]
        with multiprocessing.get_context("spawn").Pool(options.processes) as pool:
            pool.starmap(run, todo, chunksize=1)
    found = [row for job in _whole(options.points, rows) for row in _rows(rows, job)]
    table = pa.Table.from_pylist(found)
    about = {"slices": counted(bound), "sweeps": {data: _unbound(bound[data]) for data in bound}}
    table = table.replace_schema_metadata({key: json.dumps(what) for key, what in about.items()})
    pq.write_table(_compact(table), options.out, compression="zstd", compression_level=19)
    print(f"{options.out}: {len(found)} rows, {options.out.stat().st_size / 1e3:.0f} kB")


def _unbound(plain: Mapping[str, Any]) -> dict[str, Any]:
    """A sweep without the place of its store."""
    return {**plain, "data": {**plain["data"], "store": f"{plain['name']}.h5"}}


def _whole(points: int, folder: Path) -> list[Job]:
    """The trials of the points of which none is lacking."""
    there = {job: (folder / f"{job.name}.json").exists() for job in jobs(points)}
    lacking = {job.point for job, is_there in there.items() if not is_there}
    return [job for job in there if job.point not in lacking]


def _rows(folder: Path, job: Job) -> list[dict[str, Any]]:
    return list(json.loads((folder / f"{job.name}.json").read_text()))


def _compact(table: pa.Table) -> pa.Table:
    """The same values in types that need less room."""
    small = {
        **dict.fromkeys(("point", "seed", "epoch", "level"), pa.int8()),
        **dict.fromkeys(("auroc", "train_loss", "share"), pa.float32()),
    }
    fields = [pa.field(one.name, small.get(one.name, one.type)) for one in table.schema]
    return table.cast(pa.schema(fields, metadata=table.schema.metadata))


if __name__ == "__main__":
    main()
