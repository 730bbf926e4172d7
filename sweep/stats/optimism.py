"""What ``sweep.stats.winner`` finds, as plain numbers; to read them, no SciPy is needed."""

from typing import NamedTuple


class Optimism(NamedTuple):
    """What a winner scored, and what such a choice is worth.

    Attributes:
        naive: The score by which it was chosen.
        corrected: The mean score, on patients that it was not chosen by, of what is chosen so.

    """

    naive: float
    corrected: float
