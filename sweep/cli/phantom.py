"""``phantom``: data to try everything on."""

import argparse
from pathlib import Path

from sweep.cli.base import Commands, add_seed, command, counter
from sweep.core.text import number_of


def add_phantom(commands: Commands) -> None:
    """``mrisweep phantom``."""
    phantom = command(
        commands,
        "phantom",
        _do_phantom,
        "make knee-like volumes of the fastMRI layout, with lesions as labels",
        "Writes volumes/*.h5 with complex k-space, a fastMRI+ style labels.csv with its label "
        "rule, and the same slices as images/*.png with a manifest.csv for `mrisweep ingest "
        "images`.",
    )
    phantom.add_argument("--out", type=Path, required=True, metavar="DIR", help="new folder")
    phantom.add_argument("--patients", type=int, default=40, help="volumes, one for each patient")
    phantom.add_argument("--slices", type=int, default=6, help="slices of a volume")
    phantom.add_argument(
        "--findings",
        choices=("one", "four"),
        default="one",
        help="one: a lesion of the bone; four: of ligament, meniscus, cartilage and bone, the four "
        "labels of the rule madaan2023",
    )
    add_seed(phantom, "another seed, other patients")


def _do_phantom(options: argparse.Namespace) -> None:
    from sweep.phantom.folder import make_phantom

    made = make_phantom(
        options.out,
        options.patients,
        options.seed,
        slices=options.slices,
        findings=options.findings,
        progress=counter("patients"),
    )
    print(
        f"{made.folder}: {number_of(made.patients, 'patient')}, {number_of(made.slices, 'slice')}, "
        f"{made.lesions} with a lesion"
    )
    print(
        f"next: mrisweep ingest fastmri {made.folder}/volumes --labels {made.folder}/labels.csv "
        f"--reviewed {made.folder}/file_list.csv --rule {made.folder}/rule.yaml --out knee.h5"
    )
