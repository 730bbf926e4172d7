"""Whether a search chooses alike on the same images saved again, which no eye can tell apart.

    python benchmarks/stability.py --data ../shared/data/tcga_lgg

Two searches, that of today and that of old, each on the images as they are and on the same ones
saved at another JPEG quality; and that of today followed by finalists: the two best of a norm are
retrained with five seeds on the images of the search, and the better mean is the choice. What is
chosen of every norm is retrained on the images as they are, with five common seeds that no choice
has seen; the difference between the two choices is what the saving did. Three quarters of an hour
on two cores.
"""

import argparse
import csv
import json
import multiprocessing
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from PIL import Image
from ray.tune.search import Searcher
from results import Record

from sweep.api.preflight import bind
from sweep.config.settings import TrialConfig
from sweep.config.sweep import SweepConfig
from sweep.core.objective import value_of
from sweep.core.records import best_epoch, is_screened, of_one_fidelity
from sweep.learn.fit import LocalEvaluator, Run
from sweep.search.fidelity import Fidelity
from sweep.search.scheduler import StratifiedScheduler
from sweep.search.searcher import StudySearcher
from sweep.search.study import Study, Suggestion
from sweep.store import Store

NORMS = ("batch", "group", "layer")
SEEDS = range(100, 105)  # of what is compared
FINALIST_SEEDS = range(200, 205)  # of what is chosen by
FINALISTS = 2
QUALITY = 70
SPACE = {
    "model.norm": {"choice": list(NORMS)},
    "train.lr": {"log": [5.0e-4, 1.0e-2]},
    "train.weight_decay": {"log": [1.0e-4, 1.0e-1]},
}
SEARCHES: dict[str, dict[str, Any]] = {
    "as it was, 12 trials": {
        "trials": 12,
        "sampler": "tpe",
        "budget": "turns",
        "scheduler": "asha",
        "grace_epochs": 1,
        "screen": None,
    },
    "default, 24 trials": {"trials": 24},
}
WITH_FINALISTS = "default, 24 trials, then finalists"
SCREEN = {"patients": 0.25, "levels": 1}  # of the retrainings, of which the last epoch counts


class Job(NamedTuple):
    """One search on one version of the images."""

    search: str
    images: str


def config_of(store: Path, search: Mapping[str, Any]) -> SweepConfig:
    """The sweep between hospitals: chosen on one, whose images are these."""
    return SweepConfig.from_dict(
        {
            "name": "stability",
            "data": {
                "store": str(store),
                "train": ["DU1", "DU2"],
                "validation": ["DU3"],
                "test": ["HT"],
            },
            "model": {"width": 16, "stem_stride": 2},
            "search": {"space": SPACE, **search},
            "train": {"epochs": 6, "batch_size": 32},
        }
    )


def made(images: str, source: Path, work: Path) -> Path:
    """The store of one version of the images."""
    store = work / f"{images}.h5"
    if store.exists():
        return store
    folder = source / "images"
    if images != "as they are":
        folder = work / images
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        with (source / "manifest.csv").open() as file:
            for row in csv.DictReader(file):
                with Image.open(source / "images" / row["file"]) as image:
                    image.save(folder / row["file"], quality=QUALITY)
    command = ["ingest", "images", str(source / "manifest.csv"), "--images", str(folder)]
    options = ["--out", str(store), "--size", "64"]
    subprocess.run([sys.executable, "-m", "sweep", *command, *options], check=True)
    return store


def trained(config: TrialConfig, store: Store, evaluator: LocalEvaluator) -> float:
    """The objective at the last epoch of a trial."""
    with tempfile.TemporaryDirectory() as folder:
        run = Run(config, store, Path(folder), evaluator=evaluator)
        for _ in run.epochs():
            pass
        run.complete()
    return value_of(run.history[-1].metrics, config.objective)


def searched(config: SweepConfig, store: Store) -> dict[str, Any]:
    """The best of each norm, best first, and the epochs of the search; a trial after the other."""
    search, epochs = config.search, config.train.epochs
    fidelity = Fidelity(search, epochs)
    scheduler = StratifiedScheduler.of(search, epochs)
    runs: dict[str, Run] = {}
    evaluator: LocalEvaluator | None = None

    def best(trial: str) -> dict[str, float]:
        history = runs[trial].history
        found = best_epoch(((one.epoch, one.metrics) for one in history), search.objective)
        return of_one_fidelity(history[found[0] - 1].metrics) if found else {}

    with tempfile.TemporaryDirectory() as folder:
        study = Study(Path(folder) / "journal", config.name, search, config.seed, epochs)
        searcher = StudySearcher(study, search.objective, search.total, scheduler, best, fidelity)
        suggestions: dict[str, Suggestion] = {}
        turn = 0
        while (asked := searcher.suggest(f"turn-{turn}")) not in (None, Searcher.FINISHED):
            name, turn = f"turn-{turn}", turn + 1
            suggestion = Suggestion.from_tune(asked)
            suggestions[suggestion.trial] = suggestion
            trial = config.trial(suggestion.params)
            evaluator = evaluator or LocalEvaluator(trial, store)
            before = runs[suggestion.trial].history if suggestion.trial in runs else ()
            run = runs[suggestion.trial] = Run(
                trial,
                store,
                Path(folder) / suggestion.trial,
                evaluator=evaluator,
                history=before,
                trial=suggestion.trial,
                waits_after=search.waits_after(epochs),
            )
            result: dict[str, Any] = {}
            for record in run.epochs():
                over = run.over()
                if over:
                    run.complete()
                result = {"epoch": record.epoch, **run.history[record.epoch - 1].metrics}
                if over or scheduler.observe(suggestion, record.epoch, result) == "STOP":
                    break
                searcher.on_trial_result(name, result)
            run.close()
            searcher.on_trial_complete(name, result)
        chosen = {}
        for norm in NORMS:
            own = [one for one in suggestions.values() if one.params["model.norm"] == norm]
            ranked = [one for one in own if (found := best(one.trial)) and not is_screened(found)]
            ranked.sort(key=lambda one: -value_of(best(one.trial), search.objective))
            chosen[norm] = [one.params for one in ranked[:FINALISTS]]
    used = sum(len(run.history) for run in runs.values())
    return {"chosen": chosen, "epochs": used}


def do_search(job: Job, stores: Mapping[str, Path], work: Path) -> None:
    """Search and note what was chosen."""
    file = work / f"{job.search}, {job.images}.json"
    if file.exists():
        return
    torch.set_num_threads(1)
    store = Store.open(stores[job.images])
    config, _ = bind(config_of(stores[job.images], SEARCHES[job.search]), store, lambda text: None)
    file.write_text(json.dumps(searched(config, store)))
    print(file.name, flush=True)


def do_retrain(params: dict[str, Any], images: str, store: Path, seeds: range, work: Path) -> None:
    """Retrain a configuration on one version of the images, with every seed."""
    file = retrained(params, images, seeds, work)
    if file.exists():
        return
    torch.set_num_threads(1)
    opened = Store.open(store)
    config, _ = bind(config_of(store, {"trials": 3, "screen": SCREEN}), opened, lambda text: None)
    trial = config.trial(params)
    evaluator = LocalEvaluator(trial, opened)
    scores = [trained(replace(trial, seed=seed), opened, evaluator) for seed in seeds]
    file.write_text(json.dumps(scores))
    print(file.name, f"{statistics.fmean(scores):.3f}", flush=True)


def retrained(params: Mapping[str, Any], images: str, seeds: range, work: Path) -> Path:
    """The file of the scores of ``do_retrain``."""
    values = " ".join(str(value) for value in params.values())
    return work / f"retrained {values}, {images}, seeds from {seeds.start}.json"


def mean_of(params: Mapping[str, Any], images: str, seeds: range, work: Path) -> float:
    """The mean score of a configuration over seeds."""
    return statistics.fmean(json.loads(retrained(params, images, seeds, work).read_text()))


def main(arguments: Sequence[str] | None = None) -> None:
    """Search, retrain, compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the images")
    parser.add_argument("--work", type=Path, default=Path("stability"), help="for what is run")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--save", action="store_true", help="write results/stability.json")
    options = parser.parse_args(arguments)
    options.work.mkdir(parents=True, exist_ok=True)
    versions = ("as they are", "saved again")
    stores = {one: made(one, options.data, options.work.resolve()) for one in versions}
    jobs = [Job(search, images) for search in SEARCHES for images in versions]
    work = options.work
    choices: dict[Job, dict[str, dict[str, Any]]] = {}
    with multiprocessing.get_context("spawn").Pool(options.processes) as pool:

        def retrain(wanted: Iterable[tuple[dict[str, Any], str]], seeds: range) -> None:
            unique = {(json.dumps(params), images): params for params, images in wanted}
            calls = [
                (params, images, stores[images], seeds, work)
                for (_, images), params in unique.items()
            ]
            pool.starmap(do_retrain, calls, chunksize=1)

        pool.starmap(do_search, [(job, stores, work) for job in jobs], chunksize=1)
        found = {
            job: json.loads((work / f"{job.search}, {job.images}.json").read_text()) for job in jobs
        }
        last = [job for job in jobs if job.search == list(SEARCHES)[-1]]
        finalists = [
            (params, job.images)
            for job in last
            for best in found[job]["chosen"].values()
            for params in best
        ]
        retrain(finalists, FINALIST_SEEDS)
        for job in jobs:
            choices[job] = {norm: found[job]["chosen"][norm][0] for norm in NORMS}
        for job in last:
            choices[Job(WITH_FINALISTS, job.images)] = {
                norm: max(
                    found[job]["chosen"][norm],
                    key=lambda params: mean_of(params, job.images, FINALIST_SEEDS, work),
                )
                for norm in NORMS
            }
        every = [params for chosen in choices.values() for params in chosen.values()]
        retrain([(params, versions[0]) for params in every], SEEDS)
    record = Record("stability")
    for search in (*SEARCHES, WITH_FINALISTS):
        title = "mean CVaR of five seeds"
        for norm in NORMS:
            one, other = (
                mean_of(choices[Job(search, images)][norm], versions[0], SEEDS, work)
                for images in versions
            )
            said = f"{one:.3f}, {other:.3f}: {abs(one - other):.3f}"
            record.add(title, search, norm, said)
            print(f"{search:<34} {norm:<6} {said}")
        searched_by = list(SEARCHES)[-1] if search == WITH_FINALISTS else search
        epochs = [str(found[Job(searched_by, images)]["epochs"]) for images in versions]
        record.add(title, search, "epochs of the search", ", ".join(epochs))
    if options.save:
        print(f"written to {record.save()}")


if __name__ == "__main__":
    main()
