"""``manifest``: a draft of a manifest for a tree of files."""

import argparse
from dataclasses import replace
from pathlib import Path

from sweep.cli.base import Commands, command, say
from sweep.cli.ingest.folder import TREE, add_tree, reading_of_tree
from sweep.cli.ingest.options import add_workers, looking
from sweep.core.errors import UserError


def add_manifest(commands: Commands) -> None:
    """``mrisweep manifest``."""
    manifest = command(
        commands,
        "manifest",
        _do_manifest,
        "draft a manifest for a folder of pictures, volumes or DICOM",
        TREE + " What nothing says is left empty, to be filled in.",
    )
    manifest.add_argument("folder", type=Path, metavar="DIR")
    manifest.add_argument(
        "--out", type=Path, metavar="FILE.csv", help="new file; without it, the text is printed"
    )
    add_tree(manifest)
    add_workers(manifest)


def _do_manifest(options: argparse.Namespace) -> None:
    from sweep.core.files import write_text
    from sweep.ingest.tree import read_tree, with_patients

    if options.out is not None and options.out.exists():
        raise UserError(
            "the manifest is there already", f"{str(options.out)!r}", "choose another name"
        )
    reading = reading_of_tree(options)
    tree = read_tree(
        options.folder, reading=reading, kind=options.kind, **looking(options, "headers")
    )
    if reading.unknown_patients != "refuse":
        tree = replace(tree, collection=with_patients(tree.collection, reading))
    if options.out is None:
        print(tree.text(), end="")
    else:
        write_text(options.out, tree.text())
    for note in tree.collection.notes:
        say(note)
    empty = [name for name, count in tree.empty.items() if count]
    if empty:
        say(f"empty, and to be filled in: {', '.join(empty)}")
    if options.out is not None:
        folder = "--images" if tree.kind == "images" else "--volumes"
        say(
            f"{options.out}; next: mrisweep ingest {tree.kind} {options.out} {folder} "
            f"{options.folder} --out STORE.h5"
        )
