"""What the tables beside fastMRI's volumes say: which to take, what they show, whose they are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from sweep.core.errors import UserError
from sweep.ingest.fastmri.choice import check_known, choose_rule
from sweep.ingest.fastmri.findings import Findings, Reviewed, read_findings, read_reviewed
from sweep.ingest.fastmri.patients import Patient, read_patients
from sweep.ingest.fastmri.rule import Labelled, LabelRule, apply_rule
from sweep.ingest.fastmri.volume import Volume


class Owner(NamedTuple):
    """Whose a volume is, its split (empty = to be assigned), its columns, and who says so."""

    patient: str
    split: str
    columns: Mapping[str, str]
    told_by: Literal["table", "attribute", "own"]


@dataclass(frozen=True)
class Tables:
    """All tables of an ingest.

    Attributes:
        rule: The rule from findings to labels.
        chosen: It was chosen by what the label file says.
        findings: The rows of the label file.
        labelled: The labels that they are.
        reviewed: The list of reviewed volumes; 'all' = each is; None = those with a finding.
        patients: The patients by volume; empty without a table.

    """

    rule: LabelRule
    chosen: bool
    findings: Findings
    labelled: Labelled
    reviewed: Reviewed | Literal["all"] | None
    patients: Mapping[str, Patient]

    @property
    def with_rows(self) -> frozenset[str]:
        """Volumes that the label file names, whatever the rule makes of the rows."""
        return frozenset(row.file for row in self.findings.rows)

    def takes(self, name: str) -> bool:
        """Whether a volume is known to be reviewed, so that no label means no finding."""
        if self.reviewed is None:
            return name in self.with_rows
        return self.reviewed == "all" or name in self.reviewed.files

    def labels(self, name: str, number: int) -> frozenset[str]:
        """Labels of a slice."""
        of_volume = self.labelled.volumes.get(name, frozenset())
        return of_volume.union(self.labelled.slices.get(name, {}).get(number, ()))

    def rows_beyond(self, name: str, slices: int) -> list[int]:
        """For each row that names a slice which the volume does not have, that slice."""
        named = self.labelled.slices.get(name, {})
        return [number for number, rows in named.items() if number >= slices for _ in rows]

    def owner(self, name: str, volume: Volume) -> Owner:
        """Whose a volume is: the table goes first, then the file; else it is a patient's only."""
        if name in self.patients:
            return Owner(*self.patients[name], told_by="table")
        if volume.patient:
            return Owner(volume.patient, "", {}, told_by="attribute")
        return Owner(name, "", {}, told_by="own")


def read_tables(
    found: Mapping[str, Path],
    rule: LabelRule | None,
    *,
    labels: Path,
    reviewed: Path | Literal["all"] | None,
    patients: Path | None,
    split_column: str | None,
    columns: Sequence[str] = (),
) -> Tables:
    """Read all tables; see ``plan_fastmri`` for them.

    Raises:
        UserError: See the readers, ``choose_rule`` and ``check_known``; a split column, or columns
            to keep, without a table of patients.

    """
    if split_column and patients is None:
        raise UserError(
            "there is no table of patients to take the split column from",
            f"{split_column!r} and no table",
            "pass --patients as well",
        )
    if columns and patients is None:
        raise UserError(
            "there is no table of patients to take columns from",
            f"{', '.join(map(repr, columns))} and no table",
            "pass --patients as well",
        )
    findings = read_findings(labels)
    taken = rule or choose_rule(findings.rows)
    check_known(findings.rows, taken)
    known = {row.file for row in findings.rows}.union(found)
    return Tables(
        rule=taken,
        chosen=rule is None,
        findings=findings,
        labelled=apply_rule(findings.rows, taken),
        reviewed=read_reviewed(reviewed, known) if isinstance(reviewed, Path) else reviewed,
        patients=read_patients(patients, split_column, columns) if patients else {},
    )
