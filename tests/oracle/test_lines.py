"""Peers asked side by side: who is slow is asked last, later and later, and keeps nobody waiting."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest

from oracle.edges.fakes import FakeClock
from oracle.edges.lines import LONGEST_WAIT, SLOW, Lines, Patience
from protocol.errors import Reason, Refused, Unavailable
from protocol.units import Address

A, B, C = (Address("0x" + digit * 40) for digit in "abc")
WAVE = 0.2
"""Seconds: long enough for an answer of this process, and what one that hangs costs a test."""


class Hanging:
    """A question that is answered when the test says so."""

    def __init__(self) -> None:
        self.times, self.over = 0, threading.Event()

    def __call__(self) -> str:
        self.times += 1
        self.over.wait()
        return "at last"


@pytest.fixture
def hanging() -> Iterator[Hanging]:
    question = Hanging()
    yield question
    question.over.set()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(0.0)


@pytest.fixture
def lines(clock: FakeClock) -> Lines:
    return Lines(Patience(clock))


def heard(lines: Lines, asked: Mapping[Address, Sequence[Callable[[], Any]]],
          seconds: float = WAVE) -> list[tuple[Address, int]]:
    return [(one.peer, one.place) for one in lines.ask(asked, seconds, seconds)]


def refuse() -> None:
    raise Refused(Reason.NOT_READY, "not yet")


def fail() -> None:
    raise Unavailable("no answer")


def test_patience__late_again_and_again__waits_twice_as_long_up_to_a_limit() -> None:
    clock = FakeClock(100.0)
    patience = Patience(clock)
    patience.note(A, SLOW - 0.1)
    assert not patience.is_late(A) and patience.wait(A) == 0
    for expected in (2, 4, 8, 16, LONGEST_WAIT, LONGEST_WAIT):
        patience.note(A, SLOW)
        assert patience.is_late(A) and patience.wait(A) == expected
    clock.now += 10
    assert patience.wait(A) == LONGEST_WAIT - 10
    patience.note(A, 0.0)
    assert not patience.is_late(A) and patience.wait(A) == 0


def test_ask__one_peer_hangs__the_others_are_heard_and_the_round_ends(lines: Lines, hanging: Hanging) -> None:
    found = heard(lines, {A: [hanging, str], B: [str, str], C: [str]})
    assert sorted(found) == [(B, 0), (B, 1), (C, 0)]


def test_ask__still_answers_an_earlier_question__is_not_asked_a_second_one(lines: Lines, hanging: Hanging) -> None:
    assert heard(lines, {A: [hanging]}) == []
    assert heard(lines, {A: [hanging, str]}) == [] and hanging.times == 1
    assert lines.patience.is_late(A)


def test_ask__late_peer__comes_after_the_others_and_only_when_its_wait_is_over(lines: Lines, clock: FakeClock) -> None:
    lines.patience.note(A, SLOW)
    assert heard(lines, {A: [str], B: [str]}) == [(B, 0)], "it waits"
    clock.now += 2
    assert heard(lines, {A: [str], B: [str, str]}) == [(B, 0), (B, 1), (A, 0)]
    assert not lines.patience.is_late(A), "an answer in time ends it"


def test_ask__others_were_enough__a_late_peer_is_not_asked_at_all(lines: Lines, clock: FakeClock,
                                                                       hanging: Hanging) -> None:
    lines.patience.note(A, SLOW)
    clock.now += 2
    for one in lines.ask({A: [hanging], B: [str]}, WAVE, WAVE):
        assert one.peer == B
        break
    assert hanging.times == 0


def test_ask__no_answer__ends_a_peer_s_questions_and_a_refusal_does_not(lines: Lines) -> None:
    assert sorted(heard(lines, {A: [fail, str], B: [refuse, str]})) == [(A, 0), (B, 0), (B, 1)]


def test_ask__no_time_left__asks_nobody(lines: Lines, hanging: Hanging) -> None:
    assert heard(lines, {A: [hanging]}, 0.0) == [] and hanging.times == 0


def test_ask__what_a_question_returned_or_raised__is_handed_on(lines: Lines) -> None:
    answers = {one.peer: one.said for one in lines.ask({A: [fail], B: [lambda: 7]}, WAVE, WAVE)}
    assert answers[B].result() == 7 and isinstance(answers[A].exception(), Unavailable)
