"""Which of the label rules that are shipped a label file is for."""

from collections import Counter
from collections.abc import Iterable

from sweep.core.errors import UserError, refuse
from sweep.core.text import listed, number_of
from sweep.ingest.fastmri.findings import Finding
from sweep.ingest.fastmri.rule import LabelRule, load_rule, shipped_rules

OWN = "write a rule of your own (docs/data.md, fastMRI) and name its file with --rule"


def choose_rule(findings: Iterable[Finding]) -> LabelRule:
    """The shipped rule that knows most rows of a label file.

    Raises:
        UserError: None knows any.

    """
    rows = Counter(one.name for one in findings)
    rules = [load_rule(name) for name in shipped_rules()]
    best = max(rules, key=lambda rule: _known(rule, rows))
    if not _known(best, rows):
        raise UserError(
            "no label rule that is shipped knows a finding of the label file",
            listed([repr(name) for name in rows]),
            OWN,
        )
    return best


def check_known(findings: Iterable[Finding], rule: LabelRule) -> None:
    """Refuse findings that a rule is not for: it would take those of a head for those of a knee.

    Raises:
        UserError: There are some; they are named, with the rule that fits.

    """
    rows = Counter(one.name for one in findings)
    fitting = [
        one.name
        for one in map(load_rule, shipped_rules())
        if all(map(one.knows, rows)) and one.name != rule.name
    ]
    of = f", which is for the {rule.anatomy}," if rule.anatomy else ""
    refuse(
        f"the label rule {rule.name}{of} does not know findings of the label file",
        [f"{name!r} ({number_of(n, 'row')})" for name, n in rows.items() if not rule.knows(name)],
        " or ".join([*(f"pass --rule {name}, which knows them all," for name in fitting), OWN]),
    )


def _known(rule: LabelRule, rows: Counter[str]) -> int:
    return sum(count for name, count in rows.items() if rule.knows(name))
