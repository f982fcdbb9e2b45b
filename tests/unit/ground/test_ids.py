"""Ids."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

from services.ground.ids import new_id
from services.ground.outbox import id_before

NOON = datetime(2126, 3, 1, 12, tzinfo=UTC)  # later than any id made by another test of this process


def test_ids_of_one_moment_sort_in_the_order_in_which_they_were_made() -> None:
    made = [new_id(NOON) for _ in range(10_000)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)


def test_an_id_is_a_uuid_of_version_7() -> None:
    assert uuid.UUID(new_id(NOON)).version == 7


def test_ids_go_on_rising_when_the_clock_jumps_back() -> None:
    first = new_id(NOON + timedelta(days=1))
    assert new_id(NOON) > first


def test_every_id_made_after_a_moment_sorts_after_that_moments_bound() -> None:
    later = NOON + timedelta(days=2)
    assert id_before(later) < new_id(later + timedelta(milliseconds=1))
    assert id_before(later + timedelta(hours=1)) > new_id(later + timedelta(milliseconds=2))
