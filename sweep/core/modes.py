"""The modes in which a checkpoint's network may be used, beside the one that training left it in.

``sweep.core.records.TRAINED`` is the network as it is. What the others do stands in
``sweep.config.modes``; what a mode needs is decided here and nowhere else.
"""

from sweep.core.records import TRAINED

PREDICTION_TIME = "prediction_time"
BLEND = "blend"
ADABN = "adabn"
PRECISE = "precise"
EMA = "ema"

# They take statistics of the slices that are evaluated, and score no slice by itself.
WHOLE_BATCHES = (PREDICTION_TIME, BLEND, ADABN)
# For networks with batch norm alone, on the weights as trained.
OF_BATCH_NORM = (*WHOLE_BATCHES, PRECISE)
# Each has a checkpoint of its own beside the plain one; training writes that of ``ema``.
OWN_CHECKPOINT = (PRECISE, EMA)


def checkpoint_mode(mode: str) -> str:
    """The mode whose checkpoint a mode works with."""
    return mode if mode in OWN_CHECKPOINT else TRAINED
