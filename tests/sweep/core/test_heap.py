import platform
import subprocess
import sys

import pytest

PICTURES = """
import resource, sys
import numpy as np
from sweep.core.heap import keep_freed_memory
if sys.argv[1:]:
    keep_freed_memory()
def pictures():
    for _ in range(200):
        one = np.zeros((512, 512), np.float32) + np.float32(1)
        (one.astype(np.float32) * one).sum()
pictures()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
pictures()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(*arguments):
    """Pages that the system had to give to a process that makes pictures of 1 MB."""
    command = [sys.executable, "-c", PICTURES, *arguments]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="what other libraries keep is theirs")
def test_memory_that_was_freed_is_not_asked_for_again():
    assert faults("keep") < 500  # of the 256 of a picture, some 600 times
    assert faults() > 10 * faults("keep")
