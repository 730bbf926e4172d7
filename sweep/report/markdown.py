"""The report as Markdown: words and tables, for a repository or a review."""

from collections.abc import Iterator, Sequence

from sweep.report.document import Block, Code, Figure, Pictures, Report, Table, Text


def markdown(report: Report, page: str | None = None) -> str:
    """Write a report as Markdown.

    Args:
        report: The report.
        page: The address of the page with its figures; None: there is none.

    """
    return "\n".join(_lines(report, page)).rstrip() + "\n"


def _lines(report: Report, page: str | None) -> Iterator[str]:
    yield from (f"# {report.title}", "", report.subtitle, "")
    for sentence in report.conclusion:
        yield from (f"**{sentence}**", "")
    for line in report.warnings:
        yield f"- {line}"
    if page:
        yield from ("", f"Figures and pictures: [{page}]({page}).")
    yield ""
    for section in report.sections:
        yield from (f"## {section.title}", "")
        for block in section.blocks:
            yield from _block(block)


def _block(block: Block) -> Iterator[str]:
    if isinstance(block, Text):
        yield from (f"- {line}" for line in block.lines) if _is_list(block) else block.lines
        yield ""
    elif isinstance(block, Table):
        yield from (f"{block.caption}.", "")
        yield _row(block.header)
        yield _row(["---"] * len(block.header))
        yield from map(_row, block.rows)
        yield ""
    elif isinstance(block, Code):
        yield from (f"{block.title}:", "", "```", *block.text.rstrip().splitlines(), "```", "")
    elif isinstance(block, Figure | Pictures):
        yield from (f"*{block.title}*: in the page.", "")


def _is_list(block: Text) -> bool:
    return block.is_list or len(block.lines) > 1


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
