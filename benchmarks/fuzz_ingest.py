"""Damaged files of every format, for hours: does one cost more than itself?

    python benchmarks/fuzz_ingest.py --minutes 120            # some ten thousand an hour
    python benchmarks/fuzz_ingest.py --minutes 120 --at-once 2
    python benchmarks/fuzz_ingest.py --family dicom --number 17   # this case of seed 0 again
    python benchmarks/fuzz_ingest.py --minutes 120 --save     # and write the results

What is damaged, and how, is drawn from the seed: see tests/fuzz. Cases are ingested in batches
between whole files, by the command's own code. A batch in which anything goes wrong is played again
case by case, and how to play again what goes wrong alone is kept in the folder. ``totals.json``
there is written every minute.
"""

import argparse
import contextlib
import json
import os
import random
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from results import Record

from tests.fuzz.player import PLAYED

ROOT = Path(__file__).resolve().parents[1]
TITLE = "what is damaged"
WORDS = {
    "images": "pictures",
    "volumes": "volumes",
    "dicom": "DICOM, files and series",
    "fastmri": "fastMRI, ISMRMRD",
    "trees": "files in a tree without a manifest",
    "stores": "stores, by `data show --verify`",
    "tables": "tables: manifests, labels, patients, rules",
    "partial": "unfinished ingests",
}
COLUMNS = {
    "refused": "left out, or refused",
    "same": "read as by others",
    "taken": "read in another way",
    "passed over": "passed over",
    "fault": "faults",
}
BATCH = 100
SMALL = {"tables": 8, "partial": 5}  # where each case is an ingest of its own
BATCH_S, CASE_S = 1800, 1800  # after which it hangs; long, as other work may come first
KEPT = 5  # of each kind of remark
INTERRUPTED = 0.12  # share of batches
WEIGHTS = {"images": 3, "volumes": 4, "dicom": 3, "fastmri": 2, "trees": 2, "stores": 2}
WEIGHTS |= {"tables": 1.5, "partial": 1}


class Player:
    """A process that plays, watched over."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.process: subprocess.Popen[bytes] | None = None

    def play(self, asked: dict[str, Any], limit_s: float) -> dict[str, Any] | str:
        """The answer; or 'hang', or how the process ended."""
        process = self._process()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(asked).encode() + b"\n")
            process.stdin.flush()
        except BrokenPipeError:
            self.end()
            return "the process had ended"
        line, until = b"", time.monotonic() + limit_s
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([process.stdout], [], [], max(0, until - time.monotonic()))
            if not ready:
                self.end()
                return "hang"
            some = os.read(process.stdout.fileno(), 1 << 20)
            if not some:
                process.wait()
                self.end()
                log = (self.folder / "noise.log").read_bytes()[-3000:].decode(errors="replace")
                return f"the process ended with {process.returncode}: {log}"
            line += some
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _process(self) -> subprocess.Popen[bytes]:
        if self.process is None or self.process.poll() is not None:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.fuzz.player", str(self.folder / "noise.log")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                cwd=ROOT,
                start_new_session=True,
                bufsize=0,
            )
        return self.process

    def end(self) -> None:
        """End the process and all that it started."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            for stream in (self.process.stdin, self.process.stdout):
                if stream is not None:
                    stream.close()
        self.process = None


class Totals:
    """What has come of all cases so far."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.started = time.monotonic()
        self.lock = threading.Lock()
        self.outcomes: Counter[tuple[str, str]] = Counter()
        self.families: Counter[tuple[str, str]] = Counter()
        self.ways: Counter[str] = Counter()
        self.remarks: Counter[tuple[str, str]] = Counter()
        self.noises: Counter[str] = Counter()
        self.faults: list[dict[str, Any]] = []
        self.cases = self.batches = self.interrupted = self.hangs = self.told = 0
        self.saved = 0.0

    def add(
        self, family: str, verdicts: Sequence[dict[str, Any]], noise: str, interrupted: bool
    ) -> None:
        """Count a batch."""
        with self.lock:
            self.batches += 1
            self.interrupted += interrupted
            self.cases += len(verdicts)
            for one in verdicts:
                self.outcomes[one["kind"], one["outcome"]] += 1
                self.families[family, one["outcome"]] += 1
                self.ways[one["what"]] += 1
                if one["remark"]:
                    self.remarks[one["kind"], one["remark"][:90]] += 1
            if noise:
                self.noises[noise[:400]] += 1
            if self.cases // 1000 > self.told:
                self.told = self.cases // 1000
                self.say()
            if time.monotonic() - self.saved > 60:
                self.save()

    def say(self) -> None:
        """A line on what has come so far."""
        kinds = Counter[str]()
        for (_, outcome), count in self.outcomes.items():
            kinds[outcome] += count
        print(
            f"{time.strftime('%H:%M:%S')} {self.cases} cases in {self.seconds:.0f} s, "
            f"{dict(kinds)}, {len(self.faults)} faults, {self.hangs} hangs",
            flush=True,
        )

    @property
    def seconds(self) -> float:
        """Since the first case."""
        return time.monotonic() - self.started

    def save(self) -> None:
        """Write ``totals.json``."""
        self.saved = time.monotonic()
        outcomes: dict[str, dict[str, int]] = {}
        for (kind, outcome), count in sorted(self.outcomes.items()):
            outcomes.setdefault(kind, {})[outcome] = count
        remarks: dict[str, dict[str, int]] = {}
        for (kind, remark), count in self.remarks.most_common():
            remarks.setdefault(kind, {})[remark] = count
        content = {
            "seconds": round(self.seconds),
            "cases": self.cases,
            "batches": self.batches,
            "interrupted batches": self.interrupted,
            "hangs": self.hangs,
            "faults": self.faults,
            "outcomes": outcomes,
            "ways": dict(self.ways.most_common()),
            "remarks": remarks,
            "said beside": dict(self.noises.most_common(50)),
        }
        path = self.out / "totals.json"
        path.with_suffix(".tmp").write_text(json.dumps(content, indent=1))
        path.with_suffix(".tmp").replace(path)


def batch(player: Player, totals: Totals, seed: str, number: int, families: Sequence[str]) -> None:
    """Play a batch; where anything is wrong, each of its cases alone."""
    rng = random.Random(f"{seed}/batch/{number}")
    family = rng.choices(families, [WEIGHTS[one] for one in families])[0]
    interrupt = rng.uniform(0, 1.1) if rng.random() < INTERRUPTED else None
    first, count = number * BATCH, SMALL.get(family, BATCH)
    numbers = list(range(first, first + count))
    asked = {"seed": seed, "family": family, "numbers": numbers, "interrupt": interrupt}
    answer = played(player, asked, BATCH_S)
    if isinstance(answer, str) or any(one["faults"] for one in answer["verdicts"]):
        first = (
            answer
            if isinstance(answer, str)
            else "; ".join(sorted({fault for one in answer["verdicts"] for fault in one["faults"]}))
        )
        print(f"batch {number} of {family}: {first[:600]}", flush=True)
        alone = [one_case(player, totals, asked | {"numbers": [one]}) for one in numbers]
        answer = {"verdicts": alone, "noise": ""}
        if not any(one["faults"] for one in alone):
            fault = {"family": family, "batch": number, "faults": [f"together: {first[:3000]}"]}
            totals.faults.append(fault)
    for one in answer["verdicts"]:
        if one["remark"] and totals.remarks[one["kind"], one["remark"][:90]] < KEPT:
            keep(totals, asked, one, "remarks")
    totals.add(family, answer["verdicts"], answer["noise"], interrupt is not None)


def one_case(player: Player, totals: Totals, asked: dict[str, Any]) -> dict[str, Any]:
    """Play a case alone; where anything is wrong, keep it."""
    answer = played(player, asked, CASE_S)
    number = asked["numbers"][0]
    if isinstance(answer, str):
        kind = asked["family"]
        one = {"case": f"c{number:07}", "kind": kind, "what": "", "outcome": "fault"}
        one |= {"faults": [answer], "remark": "", "said": ""}
        totals.hangs += answer == "hang"
    else:
        one = answer["verdicts"][0]
    if one["faults"]:
        one["outcome"] = "fault"
        totals.faults.append({"family": asked["family"], "number": number, **one})
        print(
            f"  FAULT {asked['family']} {number} {one['kind']}, {one['what']}: "
            f"{one['faults'][0][-900:]}",
            flush=True,
        )
        keep(totals, asked | {"numbers": [number]}, one, "faults")
    return one


def keep(totals: Totals, asked: dict[str, Any], one: dict[str, Any], where: str) -> None:
    """Note how to play a case again."""
    path = totals.out / where / f"{asked['family']}-{one['case']}.json"
    path.parent.mkdir(exist_ok=True)
    number = int(one["case"][1:])
    path.write_text(json.dumps({**asked, "numbers": [number], "verdict": one}, indent=1))


def played(player: Player, asked: dict[str, Any], limit_s: float) -> dict[str, Any] | str:
    """Play in a folder of its own, which goes."""
    folder = player.folder / "work"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return player.play(asked | {"folder": str(folder)}, limit_s)


def record_of(totals: Totals) -> Record:
    """The counts of each family, and of all."""
    record = Record("fuzz_ingest")
    for family, words in (*WORDS.items(), ("", "all")):
        counts = Counter[str]()
        for (of, outcome), count in totals.families.items():
            counts[outcome] += count if family in ("", of) else 0
        record.add(TITLE, words, "cases", f"{counts.total():,}")
        for outcome, column in COLUMNS.items():
            record.add(TITLE, words, column, f"{counts[outcome]:,}")
    return record


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=120)
    parser.add_argument("--seed", default="0")
    parser.add_argument("--out", type=Path, default=Path("build/fuzz"), help="of what is kept")
    parser.add_argument("--family", nargs="+", choices=PLAYED, default=list(PLAYED))
    parser.add_argument("--number", nargs="+", type=int, help="these cases of one family alone")
    parser.add_argument("--at-once", type=int, default=1, metavar="N", help="players side by side")
    parser.add_argument("--save", action="store_true", help="write results/fuzz_ingest.json")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Play until the time is over; 1 where anything went wrong."""
    options = parse(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    totals = Totals(options.out)
    counter = iter(range(10**9))
    until = time.monotonic() + 60 * options.minutes

    def go_on(place: int) -> None:
        player = Player(options.out / f"player{place}")
        try:
            while time.monotonic() < until:
                with totals.lock:
                    number = next(counter)
                batch(player, totals, options.seed, number, options.family)
        finally:
            player.end()

    if options.number:
        player = Player(options.out / "player")
        for number in options.number:
            asked = {"seed": options.seed, "family": options.family[0], "interrupt": None}
            print(json.dumps(one_case(player, totals, asked | {"numbers": [number]}), indent=1))
        player.end()
        return int(bool(totals.faults))
    threads = [threading.Thread(target=go_on, args=(place,)) for place in range(options.at_once)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    totals.save()
    totals.say()
    if options.save:
        print(f"written to {record_of(totals).save()}")
    return int(bool(totals.faults))


if __name__ == "__main__":
    sys.exit(main())
