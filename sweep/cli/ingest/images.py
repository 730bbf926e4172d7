"""``ingest images``: picture files with a manifest."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from sweep.cli.base import Commands, command
from sweep.cli.ingest.carrying_out import ingesting
from sweep.cli.ingest.options import add_common, add_task, making_of
from sweep.cli.ingest.reading import MANIFEST, add_reading, reading_of

if TYPE_CHECKING:
    from sweep.ingest.plan import Plan


def add_images(kinds: Commands) -> None:
    """``ingest images``."""
    images = command(
        kinds,
        "images",
        ingesting(_plan_images),
        "make a store from picture files (PNG, JPEG, TIFF, BMP; grey, 8 or 16 bit)",
        MANIFEST,
    )
    images.add_argument("manifest", type=Path, metavar="MANIFEST")
    images.add_argument("--images", type=Path, required=True, metavar="DIR", help="of the files")
    add_channel(images)
    add_reading(images)
    add_task(images)
    add_common(images)


def add_channel(parser: argparse.ArgumentParser) -> None:
    """``--channel``."""
    parser.add_argument(
        "--channel",
        choices=("red", "green", "blue"),
        help="of pictures in colour the channel to take, where each is an image of its own; "
        "without it all three have to be equal",
    )


def channel_of(options: argparse.Namespace) -> int | None:
    """Its number; None = none is named."""
    from sweep.ingest.images import CHANNELS

    return None if options.channel is None else CHANNELS.index(options.channel)


def _plan_images(options: argparse.Namespace) -> "Plan":
    from sweep.ingest.images import plan_images

    return plan_images(
        options.manifest,
        options.images,
        making_of(options, "pictures"),
        channel=channel_of(options),
        reading=reading_of(options),
    )
