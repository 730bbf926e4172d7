"""The order in which a grid is tried."""

import itertools
import json
from typing import Any

from sweep.config.search import SearchSettings
from sweep.core.choice import shuffled


def grid_order(settings: SearchSettings, seed: int) -> list[dict[str, Any]]:
    """Every combination of the search space once, by dotted name.

    The values of ``stratify`` take turns, and in each round of turns all else is equal: after any
    whole number of rounds, every norm was tried with the same values of the others. The rounds
    are shuffled by key, so that an interrupted grid has tried something of everything. A
    combination's place depends on the seed and on its own values, not on the order of the file.

    Args:
        settings: The search, of choices alone.
        seed: The seed of the sweep.

    """
    dimensions = settings.dimensions()
    strata = settings.strata()
    turns = [{str(settings.stratify): value} for value in strata] or [{}]
    rest = [name for name in dimensions if not strata or name != settings.stratify]
    combinations = itertools.product(*(dimensions[name].values for name in rest))
    rounds = [dict(zip(rest, values, strict=True)) for values in combinations]
    ordered = shuffled(rounds, lambda one: json.dumps(one, sort_keys=True), seed, "grid")
    return [{**turn, **one} for one in ordered for turn in turns]
