"""What is settled when a trial ends: its best epoch, and how sure its scores are."""

import dataclasses

from sweep.core.records import TrialRecord
from sweep.learn.checkpoints import CheckpointFolder
from sweep.learn.intervals import bootstrap
from sweep.results.folder import SweepFolder


def close_trial(folder: SweepFolder, record: TrialRecord) -> TrialRecord:
    """Settle an ended trial: intervals of its best epoch, and no checkpoint but that one's.

    Safe to repeat: a trial that is settled stays as it is.

    Args:
        folder: of the sweep.
        record: with status and best epoch, as the driver left it.

    """
    files = CheckpointFolder(folder.checkpoints(record.trial))
    files.keep([record.best_epoch])
    if record.status != "failed":
        files.state.unlink(missing_ok=True)
    if record.best_epoch is None or record.intervals:
        return record
    predictions, slices = folder.predictions(record.trial, record.best_epoch)
    intervals = bootstrap(predictions, slices.truth, slices.patients)
    closed = dataclasses.replace(record, intervals=intervals)
    folder.write_trial(closed)
    return closed
