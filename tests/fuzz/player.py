"""A process that plays batches as it is told by lines of JSON, so that it can be watched over.

    python -m tests.fuzz.player LOG

A line in: seed, family, numbers of cases, interrupt, an empty folder. A line out: the verdicts, and
what was said beside the answer, such as by a library of C.
"""

import json
import multiprocessing
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

from tests.fuzz.harness import Verdict, case_of, play
from tests.fuzz.others import OTHERS, play_trees
from tests.fuzz.samples import FAMILIES, Sample, all_samples

# What reads files, here and in the libraries that are compared with.
PRELOADED = [
    "sweep.ingest.tasks",
    "sweep.ingest.images",
    "sweep.ingest.fastmri.planning",
    "sweep.ingest.formats.dicom.volume",
    "sweep.ingest.formats.volumes.reading",
    "tests.fuzz.reference",
]
PLAYED = (*FAMILIES, "trees", *OTHERS)


def play_asked(asked: Mapping[str, Any], samples: Mapping[str, Sequence[Sample]]) -> list[Verdict]:
    """Play what is asked for."""
    folder, family = Path(asked["folder"]), asked["family"]
    seed, numbers, interrupt = asked["seed"], asked["numbers"], asked["interrupt"]
    if family in OTHERS:
        return OTHERS[family](folder, seed, numbers, interrupt)
    if family == "trees":
        return play_trees(folder, seed, numbers, samples)
    return play(folder, [case_of(seed, n, family, samples[family]) for n in numbers], interrupt)


def import_once() -> None:
    """Have what readers need imported before workers are forked: each then starts at once."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    forkserver.ensure_running()


def serve(log: Path) -> None:
    """Answer until nobody asks any more."""
    answers = os.fdopen(os.dup(1), "w")
    noise = os.open(log, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    os.dup2(noise, 1)
    os.dup2(noise, 2)
    import_once()
    samples = all_samples()
    for line in sys.stdin:
        asked = json.loads(line)
        os.ftruncate(noise, 0)
        os.lseek(noise, 0, os.SEEK_SET)
        verdicts = play_asked(asked, samples)
        sys.stderr.flush()
        said = log.read_bytes()[:5000].decode(errors="replace")
        answers.write(json.dumps({"verdicts": list(map(asdict, verdicts)), "noise": said}) + "\n")
        answers.flush()


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
