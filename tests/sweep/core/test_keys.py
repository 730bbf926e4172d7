import numpy as np
import pytest

from sweep.core.keys import digest, generator


def test_one_key_one_stream_whatever_was_drawn_before():
    alone = generator(3, "a").random(5)
    generator(3, "b").random(100)
    np.testing.assert_array_equal(generator(3, "a").random(5), alone)


def test_every_part_of_the_key_counts_and_so_does_where_it_ends():
    keys = [(0,), (1,), (0, ""), (0, "a"), (0, "ab"), (0, "a", "b"), (0, "b", "a"), (0, '","')]
    assert len({digest(*key) for key in keys}) == len(keys)


@pytest.mark.usefixtures("global_random_state")
def test_global_random_state_is_left_alone():
    generator(0, "a").random()
