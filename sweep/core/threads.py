"""How many threads linear algebra may take."""

from contextlib import AbstractContextManager

from threadpoolctl import threadpool_limits


def one_blas_thread() -> AbstractContextManager[object]:
    """Keep BLAS to one thread where matrices are small, in whatever process this is.

    There its threads cost more than they bring: they wait for each other, the longer the busier
    the machine is. What a user has set comes back at the end.
    """
    limited: AbstractContextManager[object] = threadpool_limits(1, user_api="blas")
    return limited
