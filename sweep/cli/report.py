"""``report``: what a sweep found, on one page."""

import argparse
from pathlib import Path

from sweep.cli.base import Commands, command, require_sweep, say
from sweep.core.mirrors import named


def add_report(commands: Commands) -> None:
    """``mrisweep report``."""
    report = command(
        commands,
        "report",
        _do_report,
        "write what a sweep found as one HTML page: conclusion, differences, figures, worst slices",
        "The page needs nothing beside itself: no network, no script. It rests on the finalists, "
        "or, where there are none, describes the search.",
    )
    report.add_argument("folder", type=Path, metavar="DIR", help="of the sweep")
    report.add_argument(
        "--out", type=Path, metavar="FILE.html", help="default: report.html in DIR, replaced"
    )
    report.add_argument(
        "--markdown", type=Path, metavar="FILE.md", help="words and tables as Markdown, too"
    )
    report.add_argument(
        "--data",
        type=Path,
        metavar="FOLDER",
        help="the values of every table and figure, too, as Parquet",
    )
    report.add_argument(
        "--pdf", type=Path, metavar="FILE.pdf", help="the page on paper, too; a browser prints it"
    )
    report.add_argument(
        "--notebook", type=Path, metavar="FILE.ipynb", help="a notebook that reads DIR, too"
    )
    report.add_argument(
        "--no-pictures",
        action="store_true",
        help="name the worst slices instead of showing them, for data that must not be shown",
    )
    report.add_argument("--metric", metavar="NAME", help="default: that of the sweep's objective")
    report.add_argument(
        "--groups",
        nargs="+",
        metavar="COLUMN",
        help="columns of the store by whose values scores are shown, such as site (default: those "
        "that `ingest --columns` kept)",
    )
    report.add_argument(
        "--bands",
        metavar="A,B",
        help="where bands of those columns begin that are of numbers, such as age; 40,60 makes "
        "<40, 40 to <60 and >=60",
    )
    report.add_argument("--force", action="store_true", help="replace files that are there")


def _do_report(options: argparse.Namespace) -> None:
    require_sweep(options.folder)
    from sweep.api.report import Outputs, write_report
    from sweep.stats.grouping import edges_of

    outputs = Outputs(
        page=options.out,
        markdown=options.markdown,
        data=options.data,
        pdf=options.pdf,
        notebook=options.notebook,
        pictures=not options.no_pictures,
        force=options.force,
    )
    bands = () if options.bands is None else edges_of(options.bands)
    page = write_report(options.folder, outputs, options.metric, options.groups, bands)
    print(named(str(page)))
    for file in (options.markdown, options.data, options.pdf, options.notebook):
        if file is not None:
            say(f"also {file}")
