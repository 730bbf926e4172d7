"""What Tune raises itself becomes a sentence where its cause is one of the surroundings."""

import pytest
from ray.exceptions import OutOfMemoryError

from sweep.cluster import tune
from sweep.core.errors import WorkError


def test_memory_that_is_used_up_as_a_worker_starts_is_said_with_what_to_do() -> None:
    def fit() -> None:
        try:
            raise OutOfMemoryError("2 worker(s) were killed due to the node running low on memory")
        except OutOfMemoryError as error:
            raise RuntimeError(f"Caught unexpected exception: {error}") from error

    said = r"memory of a node was used up as a worker .*mrisweep resume"
    with pytest.raises(WorkError, match=said), tune._cluster_asked():
        fit()


def test_any_other_error_is_left_as_it_is() -> None:
    with pytest.raises(RuntimeError, match=r"^a fault of ours$"), tune._cluster_asked():
        raise RuntimeError("a fault of ours")
