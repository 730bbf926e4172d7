"""The command of every kind of ingest: its plan, carried out, and what is said of the store."""

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

from sweep.cli.base import counter, say
from sweep.cli.ingest.options import still

if TYPE_CHECKING:
    from sweep.ingest.engine import Report
    from sweep.ingest.plan import Plan


def ingesting(plan: Callable[[argparse.Namespace], "Plan"]) -> Callable[..., None]:
    """The command that carries out what ``plan`` makes of its options."""

    def ingest_kind(options: argparse.Namespace) -> None:
        from sweep.ingest.engine import ingest
        from sweep.store import refuse_existing

        refuse_existing(options.out)  # before headers are read for minutes
        planned = plan(options)
        try:
            report = ingest(
                planned,
                options.out,
                pixels=options.pixels,
                workers=options.workers,
                strict=options.strict,
                progress=counter("slices"),
                waiting=still,
            )
        except KeyboardInterrupt:
            say("mrisweep: interrupted; the same command goes on where it stopped")
            raise
        _tell(report)

    return ingest_kind


def _tell(report: "Report") -> None:
    from sweep.inspect.duplicates import near_duplicates
    from sweep.inspect.summary import summarize

    print(summarize(report.store).text())
    print(near_duplicates(report.store).text())
    for remark in report.remarks():
        say(remark)
