"""Requesters that leave calls, in PostgreSQL: the rule of memory, also between threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine

from provider.edges.leaver_rows import SqlLeavers
from provider.leaving import LONGEST
from provider.records.work import Left

WHO, NOW = "0xAbC", 1_000_000.0


@pytest.fixture
def leavers(engine: Engine) -> SqlLeavers:
    return SqlLeavers(engine)


def test_note__left_and_ended__counted_once_each(leavers: SqlLeavers) -> None:
    leavers.note_ended(WHO, NOW)
    assert leavers.left(-1) == {}
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: leavers.note_left(WHO, NOW), range(8)))
    leavers.note_ended(WHO, NOW + 1)
    assert leavers.left(6) == {WHO.lower(): Left(7, NOW + 1)} and leavers.left(7) == {}
    leavers.note_left(WHO, NOW + 1 + 5 * LONGEST)
    assert leavers.left(0) == {WHO.lower(): Left(3, NOW + 1 + 5 * LONGEST)}
