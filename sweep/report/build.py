"""From the evidence to the report, section by section."""

import time

from sweep.core.text import number_of
from sweep.report.calibration import calibration_section
from sweep.report.data import data_section
from sweep.report.differences import difference_section
from sweep.report.document import Report
from sweep.report.evidence import Evidence
from sweep.report.finalists import finalist_sections
from sweep.report.groups import group_sections
from sweep.report.reproduce import reproduce_section
from sweep.report.searched import search_section
from sweep.report.severity import severity_section
from sweep.report.unmeasured import unmeasured_section
from sweep.report.words import conclusion, warnings
from sweep.report.worst import worst_section


def build(evidence: Evidence, pictures: bool = True) -> Report:
    """Make every section.

    Args:
        evidence: What it rests on.
        pictures: Whether slices of patients are shown, which not every page may.

    """
    config = evidence.config
    began = time.strftime("%Y-%m-%d", time.gmtime(evidence.folder.identity.started_at_ms / 1000))
    scored = evidence.first.found.scored
    subtitle = (
        f"Sweep of {began}: {number_of(len(evidence.groups), evidence.kind)}, "
        f"{number_of(len(evidence.trials), 'trial')}, {number_of(len(scored), 'training')} asked "
        "at "
        f"{evidence.first.place}; by {evidence.metric.name}, objective {config.search.objective}."
    )
    return Report(
        title=config.name,
        subtitle=subtitle,
        conclusion=conclusion(evidence),
        warnings=tuple(warnings(evidence)),
        sections=(
            difference_section(evidence),
            *finalist_sections(evidence),
            *group_sections(evidence),
            severity_section(evidence),
            calibration_section(evidence),
            worst_section(evidence, pictures),
            search_section(evidence),
            data_section(evidence),
            unmeasured_section(evidence),
            reproduce_section(evidence),
        ),
    )
