"""The report of a sweep: built, and written as a page, Markdown, tables, PDF or a notebook."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from sweep.api.output import check_output, writing
from sweep.config.tracking import HERE, database
from sweep.core import mirrors
from sweep.core.errors import UserError
from sweep.core.files import missing_database, write_text
from sweep.core.saying import say
from sweep.report.build import build
from sweep.report.data_tables import write_data
from sweep.report.document import Report
from sweep.report.evidence import gather
from sweep.report.markdown import markdown
from sweep.report.notebook import notebook
from sweep.report.page import page
from sweep.report.printing import find_browser, print_page
from sweep.results.callbacks import REPORT
from sweep.results.folder import SweepFolder
from sweep.results.ownership import refuse_stranger
from sweep.results.trackers import log_report


@dataclass(frozen=True)
class Outputs:
    """What is to be written.

    Attributes:
        page: The HTML page; None: ``report.html`` in the sweep's folder, which is replaced.
        markdown: Words and tables as Markdown; None: none.
        data: A folder for the values of every table and figure, as Parquet; None: none.
        pdf: The page on paper; None: none.
        notebook: A notebook that reads the folder; None: none.
        pictures: Whether the worst slices are shown, or named alone.
        force: Whether files that are there are replaced.

    """

    page: Path | None = None
    markdown: Path | None = None
    data: Path | None = None
    pdf: Path | None = None
    notebook: Path | None = None
    pictures: bool = True
    force: bool = False

    def files(self) -> Iterator[Path]:
        """Those that were named."""
        yield from filter(None, (self.page, self.markdown, self.pdf, self.notebook))


def report_of(
    path: str | Path,
    metric: str | None = None,
    groups: Sequence[str] | None = None,
    bands: Sequence[float] = (),
) -> Report:
    """Build the report of a sweep.

    Args:
        path: Its folder.
        metric: By which; None: that of its objective.
        groups: Columns by whose values scores are shown, too; None: those that the user kept with
            the slices.
        bands: Where bands of those that are of numbers begin.

    Raises:
        UserError: No sweep's folder, no trial with a score, or no such metric or column.

    """
    return build(gather(SweepFolder.open(path), metric, groups, bands))


def write_report(
    path: str | Path,
    outputs: Outputs,
    metric: str | None = None,
    groups: Sequence[str] | None = None,
    bands: Sequence[float] = (),
) -> Path:
    """Build the report of a sweep and write it.

    Args:
        path: The sweep's folder.
        outputs: As what.
        metric: By which; None: that of the objective.
        groups: See ``report_of``.
        bands: See there.

    Returns:
        The page.

    Raises:
        UserError: See ``report_of``; a file that is there or cannot be written; a PDF without a
            browser; no ``page`` where the folder is another user's.

    """
    folder = SweepFolder.open(path)
    own = outputs.page is None
    if own:
        refuse_stranger(folder.path, "give --out FILE.html elsewhere, or ")
    target = folder.path / REPORT if outputs.page is None else outputs.page
    check_output(target, own or outputs.force, ())
    named = [target, *filter(None, (outputs.markdown, outputs.pdf, outputs.notebook))]
    if len({file.resolve() for file in named}) < len(named):
        raise UserError("two outputs are one file", f"{named[0]} and more", "name a file for each")
    for file in outputs.files():
        check_output(file, outputs.force, ())
    if outputs.data is not None:
        _check_folder(outputs.data, outputs.force)
    if outputs.notebook and mirrors.mirror_of(folder.path):
        raise UserError(
            "a notebook reads a sweep's folder from a disk",
            f"{folder.path}",
            "copy the folder from its bucket to a disk, and give that",
        )
    browser = find_browser() if outputs.pdf else ""
    report = build(gather(folder, metric, groups, bands), outputs.pictures)
    with ExitStack() as stack:
        stack.enter_context(writing(target))
        write_text(target, mirrors.named(page(report)))
        if outputs.markdown:
            beside = target.name if target.parent == outputs.markdown.parent else None
            write_text(outputs.markdown, mirrors.named(markdown(report, beside)))
        if outputs.data:
            write_data(outputs.data, report)
        if outputs.notebook:
            write_text(outputs.notebook, notebook(folder.path, folder.config().name, metric))
    if outputs.pdf:
        print_page(target, outputs.pdf, browser)
    if own:
        _tell_trackers(folder, target)
    return target


def _tell_trackers(folder: SweepFolder, page: Path) -> None:
    """Give the page to the sweep's trackers; where the folder was copied to, there are none."""
    if folder.config().tracking.uri == HERE and missing_database(database(folder.path)):
        return
    log_report(folder, page, say)


def _check_folder(folder: Path, force: bool) -> None:
    if folder.is_file():
        raise UserError("the output is a file", f"{str(folder)!r}", "name a folder")
    if folder.exists() and any(folder.iterdir()) and not force:
        raise UserError(
            "the output folder is not empty",
            f"{str(folder)!r}",
            "choose another, or replace what is in it with --force",
        )
