"""Sweeps that are disturbed at drawn moments: do they come to what undisturbed ones come to?

    python benchmarks/chaos.py --runs 100 --seed 0           # under a minute each on 2 cores
    python benchmarks/chaos.py --runs 100 --at-once 2        # disturbed by each other, too
    python benchmarks/chaos.py --only "disk full" SIGHUP     # these alone
    python benchmarks/chaos.py --runs 100 --number 17 42     # these of a series again
    python benchmarks/chaos.py --runs 100 --save             # and write results/chaos.json

Every run is a small real sweep. What happens to it, and when, is drawn from the seed; it is resumed
until it is done, and compared with one that nothing happened to: trials and scores bit for bit,
Optuna's states, MLflow's runs and every point of their metrics, the list of files. No process and
no temporary file may be left. See tests/chaos.
"""

import argparse
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from results import Record

from tests.chaos.disturbances import DISTURBANCES
from tests.chaos.harness import Outcome, drawn_names, play, possible, undisturbed
from tests.support.stores import make_store

TITLE = "what happened"


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--seed", default="0")
    parser.add_argument("--only", nargs="+", choices=DISTURBANCES, metavar="NAME")
    parser.add_argument("--number", nargs="+", type=int, help="these runs of the series alone")
    parser.add_argument("--at-once", type=int, default=1, metavar="N", help="runs side by side")
    parser.add_argument("--save", action="store_true", help="write results/chaos.json")
    return parser.parse_args(arguments)


def table(outcomes: Sequence[Outcome]) -> list[tuple[str, int, int, int]]:
    """For each disturbance the sweeps that met it, how often they were resumed, how many are equal.

    A sweep that met two counts for both.
    """
    rows = []
    for name in (*DISTURBANCES, "nothing"):
        met = [one for one in outcomes if name in one.disturbances]
        if met:
            resumes = sum(one.resumes for one in met)
            rows.append((name, len(met), resumes, sum(one.equal for one in met)))
    total = sum(one.resumes for one in outcomes), sum(one.equal for one in outcomes)
    return [*rows, ("all sweeps", len(outcomes), *total)]


def told(one: Outcome) -> str:
    """A line of what came of a run, and one for each fault."""
    verdict = "equal" if one.equal else "NOT EQUAL"
    head = f"{verdict}, {one.resumes} resumes, {one.seconds:.0f} s: {', '.join(one.disturbances)}"
    return "\n".join((head, *(f"      {line[:500]}" for line in (*one.faults, *one.differs))))


def main(arguments: Sequence[str] | None = None) -> int:
    """Play, print a line for each run and the table; 1 where one is not equal."""
    options = parse(arguments)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # what `nohup` ignores, all below it would, too
    names = options.only or possible()
    for lacking in sorted(set(DISTURBANCES) - set(possible())):
        print(f"left out, as this user may mount nothing: {lacking}")
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory() as place:
        store = make_store(Path(place) / "tiny.h5")
        with undisturbed(store) as whole:
            series = dict(enumerate(drawn_names(names, options.seed, options.runs)))
            asked = [one for one in series if not options.number or one in options.number]
            with ThreadPoolExecutor(options.at_once) as pool:
                played = pool.map(
                    lambda one: play(store, whole, series[one], f"{options.seed} {one}"), asked
                )
                for number, one in zip(asked, played, strict=True):
                    outcomes.append(one)
                    print(f"{number:3} {told(one)}", flush=True)
    record = Record("chaos")
    for name, *counts in table(outcomes):
        print(f"{name:32} sweeps {counts[0]:3}  resumes {counts[1]:3}  equal {counts[2]:3}")
        for column, count in zip(("sweeps", "resumes", "equal"), counts, strict=True):
            record.add(TITLE, name, column, str(count))
    if options.save:
        print(f"written to {record.save()}")
    return 0 if all(one.equal for one in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
