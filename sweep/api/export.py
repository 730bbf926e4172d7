"""One checkpoint as files that other programs run, each checked, with their model card."""

from collections.abc import Callable, Mapping
from pathlib import Path

from sweep.api.checkpoint import open_checkpoint
from sweep.api.output import check_output, writing
from sweep.core.arguments import checked_arguments
from sweep.core.errors import UserError
from sweep.core.files import replacing, write_text
from sweep.core.interruption import stop_if_asked
from sweep.learn.checkpoints import LoadedCheckpoint
from sweep.portable.agreement import check_agreement
from sweep.portable.card import card
from sweep.portable.evidence import Evidence
from sweep.portable.formats import FORMATS
from sweep.portable.graph import contiguous, description, program_of
from sweep.remote.places import file_here


@checked_arguments
def export(
    checkpoint: str | Path,
    onnx: str | Path | None = None,
    torch: str | Path | None = None,
    force: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> list[Path]:
    """Write a checkpoint's network, with its input scaling inside, for other programs.

    A file gets its place only after it gave the checkpoint's logits, to 1e-5, on random images and
    at the edges: zeros, a constant image, one bright pixel.

    Args:
        checkpoint: The file that a sweep or ``fit`` wrote.
        onnx: The ONNX file to write.
        torch: The file of ``torch.export`` to write.
        force: Whether files may be replaced.
        say: Told what a user of the files has to know.

    Returns:
        The files: models, then model cards, ``FILE.md`` beside each.

    Raises:
        UserError: No format asked for; no checkpoint; a file that exists or cannot be written;
            ONNX without the packages of ``mrisweep[export]``.
        WorkError: A network that cannot be exported, or a file that differs from the checkpoint.

    """
    asked = {name: Path(path) for name, path in (("onnx", onnx), ("torch", torch)) if path}
    cards = _check_asked(asked, force, Path(checkpoint))
    checkpoint = file_here(checkpoint)
    loaded = contiguous(open_checkpoint(checkpoint, "cpu"))
    said = description(loaded.info)
    contents, found = _contents(loaded, asked, said)
    text = card(Evidence.of(checkpoint, loaded.info), said, found)
    stop_if_asked()
    for path, content in contents.items():
        with writing(path), replacing(path) as temporary:
            temporary.write_bytes(content)
            write_text(path.with_suffix(".md"), text)
    if loaded.info.config.data.signal == "kspace":
        say(
            "input: the checkpoint was trained on k-space; the exported model takes the magnitude "
            "that is reconstructed from it, as its network does"
        )
    return [*contents, *cards]


def _check_asked(asked: Mapping[str, Path], force: bool, checkpoint: Path) -> list[Path]:
    """The model cards, once it is sure that all may be written."""
    if not asked:
        raise UserError("no format is asked for", "neither", "give --onnx FILE or --torch FILE")
    cards = list(dict.fromkeys(path.with_suffix(".md") for path in asked.values()))
    paths = [*asked.values(), *cards]
    if len({path.resolve() for path in paths}) < len(paths):
        raise UserError(
            "two of the files, models and model card, would have one name",
            ", ".join(map(str, paths)),
            "give each model a name of its own, as in model.onnx and model.pt2",
        )
    for name in asked:
        FORMATS[name].check_installed()
    for path in paths:
        check_output(path, force, (checkpoint,))
    return cards


def _contents(
    loaded: LoadedCheckpoint, asked: Mapping[str, Path], said: Mapping[str, str]
) -> tuple[dict[Path, bytes], dict[str, str]]:
    """The content of each file, and how far it is from the checkpoint; nothing is written."""
    program = program_of(loaded)
    contents, found = {}, {}
    for name, path in asked.items():
        stop_if_asked()
        content = FORMATS[name].write(program, said)
        difference = check_agreement(FORMATS[name].run(content), loaded, FORMATS[name].name)
        contents[path] = content
        found[path.name] = (
            f"{FORMATS[name].name}; its logits differ from the checkpoint's by {difference:.1g} at "
            "most, on random images and at the edges, of several sizes"
        )
    return contents, found
