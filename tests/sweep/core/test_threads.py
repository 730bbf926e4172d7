import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits

from sweep.core.threads import one_blas_thread


def blas_threads():
    assert np.ones((2, 2)).dot(np.ones((2, 2))).sum() == 8  # BLAS is loaded
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


def test_blas_has_one_thread_inside_and_what_it_had_before_outside():
    with threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        with one_blas_thread():
            assert set(blas_threads()) == {1}
        assert blas_threads() == before
