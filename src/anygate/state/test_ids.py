from itertools import pairwise
from uuid import RFC_4122, UUID

import pytest

from anygate.state.ids import RequestIds

NOW = 1_795_348_800.123


def test_an_id_is_a_uuid_of_version_7_with_its_time():
    made = UUID(RequestIds(lambda: NOW)())
    assert (made.version, made.variant) == (7, RFC_4122)
    assert made.int >> 80 == 1_795_348_800_123


@pytest.mark.parametrize("step", [0.0, 0.000_01, 0.000_7, 0.001, 3.0, -0.001])
def test_ids_are_in_order_and_unlike_each_other_however_the_clock_goes(step: float):
    now = NOW

    def clock() -> float:
        nonlocal now
        now += step
        return now

    new_id = RequestIds(clock)
    made = [new_id() for _ in range(2_000)]
    assert all(one < other for one, other in pairwise(made))
    assert {len(one) for one in made} == {36}
    late = (UUID(made[-1]).int >> 80) - now * 1000  # a counter that is used up borrows from the time to come
    assert -1 < late < 10 or step < 0


def test_the_random_half_is_what_was_drawn_but_for_the_variant():
    new_id = RequestIds(lambda: NOW, lambda size: b"\x01\x23\x45\x67\x89\xab\xcd\xef" * (size // 8))
    assert new_id()[19:] == "8123-456789abcdef"
    new_id = RequestIds(lambda: NOW, lambda size: b"\xff" * size)
    assert new_id()[19:] == "bfff-ffffffffffff"


def test_the_random_halves_are_all_different():
    new_id = RequestIds(lambda: NOW)
    assert len({new_id()[19:] for _ in range(1_000)}) == 1_000
