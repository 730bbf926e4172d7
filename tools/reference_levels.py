"""The levels that ship, made anew from the public data set of brain tumours, or checked against it.

    python tools/reference_levels.py --out levels.json        # all artifacts, minutes each
    python tools/reference_levels.py --check --artifacts bias # compares only

The recipe is in the file that ships: the size of the images, the folds and the number of slices
stand in its entry ``reference``, beside the fingerprint of the store and a hash of the slices.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from artifacts_sim.levels import calibrated_record
from sweep.api.calibrate import calibrate_store
from sweep.core.errors import UserError
from sweep.ingest.engine import ingest
from sweep.ingest.images import plan_images
from sweep.ingest.making import Making
from sweep.learn.reference import ReferencePlan
from sweep.store import Store
from sweep.store.geometry import UNKNOWN
from sweep.store.splits import SplitAssigner

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("MRISWEEP_TEST_DATA", ROOT.parent / "shared"))
SAME = 0.01  # of a knob value: what other processors round apart is far less


def reference_store(data: Path, folder: Path) -> Store:
    """Make the store that the levels were calibrated on.

    Args:
        data: The folder of the data set: ``manifest.csv`` and, below ``images``, the pictures.
        folder: Where the store is to lie.

    Raises:
        UserError: The data set is not there, or cannot be read.

    """
    made = calibrated_record()["reference"]
    plan = plan_images(
        data / "manifest.csv", data / "images", Making(SplitAssigner(), size=made["height"])
    )
    # The levels are for images of that size as such: a pixel of a knob is one that is shown.
    items = [
        replace(item, slices=tuple(replace(one, geometry=UNKNOWN) for one in item.slices))
        for item in plan.items
    ]
    return ingest(replace(plan, items=tuple(items)), folder / made["source"]).store


def reference_plan() -> ReferencePlan:
    """Which of the store's slices the levels were calibrated on."""
    made = calibrated_record()["reference"]
    return ReferencePlan(
        tuple(made["split"]),
        made["slices"],
        made["held_out_slices"],
        made["seed"],
        normalize="none",  # they are for whoever has images, not for one classifier's inputs
    )


def differences(shipped: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[str]:
    """A line for each entry of a file of levels that is not as in the one that ships.

    Args:
        shipped: The file that ships.
        found: The file to compare, of all artifacts or of some.

    """
    for entry in ("format", "version", "measure", "targets", "reference"):
        if shipped[entry] != found[entry]:
            yield f"{entry}: {found[entry]} here, {shipped[entry]} in the file that ships"
    for name, row in found["artifacts"].items():
        ours = shipped["artifacts"].get(name, {"knob": None, "values": [None] * len(row["values"])})
        if row["knob"] != ours["knob"]:
            yield f"{name}: the knob is {row['knob']} here, {ours['knob']} in the file that ships"
        for level, pair in enumerate(zip(row["values"], ours["values"], strict=True), start=1):
            if not _same(*pair):
                yield f"{name} {level}: {pair[0]} here, {pair[1]} in the file that ships"


def _same(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return abs(one - other) <= SAME * other


def main(arguments: Sequence[str] | None = None) -> int:
    """Calibrate, then write or compare; 1 where the comparison finds a difference."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    folder = DATA / "data" / "brain_tumor_mri"
    parser.add_argument("data", type=Path, nargs="?", default=folder, help=f"default: {folder}")
    parser.add_argument("--artifacts", nargs="+", metavar="NAME", help="default: all")
    parser.add_argument("--check", action="store_true", help="compare with the levels that ship")
    parser.add_argument("--out", type=Path, metavar="LEVELS.json", help="new file")
    options = parser.parse_args(arguments)
    if not options.check and options.out is None:
        parser.error("nothing to do; give --check, --out or both")
    try:
        return _run(options)
    except UserError as error:
        parser.error(str(error))


def _run(options: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory() as name:
        store = reference_store(options.data, Path(name))
        out = options.out or Path(name) / "levels.json"
        calibrate_store(store.path, reference_plan(), out, options.artifacts, print)
        found = json.loads(out.read_text(encoding="utf-8"))
    if not options.check:
        return 0
    lines = list(differences(calibrated_record(), found))
    print("\n".join(lines) or "as in the file that ships")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
