"""``export``: one checkpoint as a file that other programs run."""

import argparse
from pathlib import Path

from sweep.cli.base import Commands, command, say
from sweep.core.interruption import interruptible


def add_export(commands: Commands) -> None:
    """``mrisweep export``."""
    export = command(
        commands,
        "export",
        _do_export,
        "export one checkpoint to ONNX or torch.export, with a model card",
        "The file takes magnitude images (N, 1, H, W) as they are, scales them as the checkpoint's "
        "training did, and gives logits. It is kept only if these are the checkpoint's, to 1e-5. "
        "FILE.md beside it says what the model is, what it scored, and what it was not tested on.",
    )
    export.add_argument("checkpoint", type=Path, metavar="CHECKPOINT")
    export.add_argument(
        "--onnx", type=Path, metavar="FILE.onnx", help="new file; needs `mrisweep[export]`"
    )
    export.add_argument("--torch", type=Path, metavar="FILE.pt2", help="new file")
    export.add_argument("--force", action="store_true", help="replace files that exist")


def _do_export(options: argparse.Namespace) -> None:
    from sweep.api.export import export

    with interruptible():
        written = export(options.checkpoint, options.onnx, options.torch, options.force, say)
    print("\n".join(map(str, written)))
