"""Which trials of a sweep that has ended have a model with the trackers: the best of each norm.

What users compare are norms, or arms, each at its best. Of thousands of trials the networks are in
the folder; with a tracker they would be a copy of all of it that nobody asked for.
"""

from sweep.config.tracking import ALL
from sweep.core.records import TRAINED, TrialRecord, is_screened
from sweep.results import ranking
from sweep.results.folder import SweepFolder


def kept_models(folder: SweepFolder) -> list[TrialRecord]:
    """The trials whose models the trackers get when a sweep has ended, norm after norm, best first.

    Those that were stopped before they were scored in full are left out. None where the trackers
    get the model of every trial, as each ends.

    Args:
        folder: Whose trials have ended.

    """
    config = folder.config()
    count = config.tracking.models
    if count == ALL or not count:
        return []
    rows = (row for row in ranking.of_folder(folder.path) if row.mode == TRAINED)
    scored = [row for row in rows if not is_screened(row.metrics)]
    best = ranking.best_of_groups(scored, config.search.objective, int(count))
    records = {record.trial: record for record in folder.trials()}
    return [records[row.trial] for row in best]
