"""One run of one call: what goes out as it comes, what waits for payment, and what a failure leaves behind."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from protocol.claim import Claim
from protocol.claim_faults import ClaimRules, find_fault
from protocol.encoding import from_hex, unpack_float32
from protocol.envelope import open_part
from protocol.errors import Reason, Refused
from protocol.proofs.fingerprint import fingerprint_root, seed_of
from protocol.transcript import answer_of, leaf, parse_spec, parse_transcript
from protocol.units import Digest
from provider.edges.fake_leavers import FakeLeavers
from provider.edges.fake_replies import FakeReplies
from provider.edges.fakes import FakeBackend, FakeClock, FakeGpu
from provider.flow.calling import EARNED, PATIENCE, Calling, call
from provider.ports.replies import Entry, Event
from provider.ports.work import Log
from provider.records.sessions import CallRow, CallStage
from tests.provider.session_world import INPUT, Payer, opened
from tests.provider.world import SERVED

LONG = (*range(100, 700), 2)


@dataclass
class Desk:
    """A worker over fakes, and the requester's end of its replies."""

    payer: Payer = field(default_factory=Payer)
    backend: FakeBackend = field(default_factory=FakeBackend)
    replies: FakeReplies = field(default_factory=FakeReplies)
    clock: FakeClock = field(default_factory=FakeClock)
    while_waiting: list[Any] = field(default_factory=list)
    stopping: bool = False
    leavers: FakeLeavers = field(default_factory=FakeLeavers)

    def __post_init__(self) -> None:
        self.sessions = opened(self.payer)

    @property
    def calling(self) -> Calling:
        return Calling(self.sessions, {SERVED.model: self.backend}, FakeGpu(), self.replies, self.clock, self.wait,
                       Log(), "host:1", self.leavers, lambda: self.stopping)

    def wait(self, seconds: float) -> None:
        self.clock.now += seconds
        if self.while_waiting:
            self.while_waiting.pop(0)()

    def admit(self, max_output_tokens: int = 20) -> CallRow:
        return self.sessions.admit(self.payer.ask(max_output_tokens), "chat", INPUT, self.clock())

    def parts(self, row: CallRow) -> list[dict[str, Any]]:
        """What the requester opens, in order; whatever is not numbered right fails here."""
        sealed = [entry.data for entry in self.replies.streams[row.call_id] if entry.event in (Event.PART, Event.END)]
        return [open_part(row.key, number, text) for number, text in enumerate(sealed)]

    def stage(self, row: CallRow) -> CallStage:
        return self.sessions.calls[row.call_id].stage


@pytest.fixture
def desk() -> Desk:
    return Desk()


def ids(parts: list[dict[str, Any]]) -> list[int]:
    return [one for part in parts if part["kind"] == "tokens" for one in part["ids"]]


def test_call__claimed_by_another__is_not_run(desk: Desk) -> None:
    row = desk.admit()
    assert call(desk.calling, row.call_id) is True
    assert call(desk.calling, row.call_id) is False
    assert desk.backend.runs == 1


def test_call__refused_by_the_backend__is_told_in_the_open_and_owes_nothing(desk: Desk) -> None:
    row = desk.admit()

    def refuse() -> None:
        raise Refused(Reason.UNKNOWN_SAMPLER, "This server serves greedy calls only.", "Ask with temperature 0.")

    desk.backend.before_token = refuse
    assert call(desk.calling, row.call_id) is False
    (entry,) = desk.replies.streams[row.call_id]
    assert entry.event is Event.FAILED
    assert json.loads(entry.data) == {"status": 400, "code": "unknown_sampler", "fix": "Ask with temperature 0.",
                                      "message": "This server serves greedy calls only."}
    assert desk.stage(row) is CallStage.FAILED
    assert desk.sessions.session_totals(desk.payer.id).owed.amount == 0  # type: ignore[union-attr]


def test_call__model_fails_in_the_middle__error_part_and_nothing_owed(desk: Desk) -> None:
    row, tokens = desk.admit(), iter(range(3))
    desk.backend.tokens = (5, 6, 7, 8, 2)

    def fail() -> None:
        if next(tokens) == 2:
            raise MemoryError("secret of the model")

    desk.backend.before_token = fail
    with pytest.raises(MemoryError):
        call(desk.calling, row.call_id)
    parts = desk.parts(row)
    assert ids(parts) == [5, 6]
    assert (parts[-1]["kind"], parts[-1]["code"]) == ("error", "internal")
    assert "secret" not in json.dumps(parts)
    totals = desk.sessions.session_totals(desk.payer.id)
    assert totals is not None and (totals.owed.calls, totals.held) == (0, 0)


def test_call__broker_gone__fails_and_owes_nothing(desk: Desk) -> None:
    row = desk.admit()
    desk.replies.gone = True
    assert call(desk.calling, row.call_id) is False
    assert desk.stage(row) is CallStage.FAILED


def test_call__requester_gone_before_the_first_token__owes_nothing(desk: Desk) -> None:
    row = desk.admit()
    desk.backend.before_token = lambda: setattr(desk.clock, "now", desk.clock.now + 2)
    desk.replies.leave(row.call_id)
    assert call(desk.calling, row.call_id) is False
    assert desk.stage(row) is CallStage.FAILED


def test_call__requester_gone_in_the_middle__ends_as_cancelled_with_what_went_out(desk: Desk) -> None:
    row = desk.admit()
    desk.backend.tokens = (*range(10, 19), 2)
    desk.replies.on_send = lambda _: desk.replies.leave(row.call_id) if len(
        desk.replies.streams.get(row.call_id, ())) == 3 else None
    assert call(desk.calling, row.call_id) is True
    end = desk.parts(row)[-1]
    assert (end["kind"], end["finish"], end["output_tokens"]) == ("end", "cancelled", 4)
    assert ids(desk.parts(row)) == [10, 11, 12, 13]


def test_call__worker_told_to_stop__ends_as_cancelled_with_what_went_out(desk: Desk) -> None:
    row, count = desk.admit(), iter(range(9))
    desk.backend.tokens = (5, 6, 7, 8, 2)
    desk.backend.before_token = lambda: setattr(desk, "stopping", next(count) == 2)
    assert call(desk.calling, row.call_id) is True
    assert (desk.parts(row)[-1]["finish"], ids(desk.parts(row))) == ("cancelled", [5, 6])


def test_call__coverage_used_up__waits_and_goes_on_with_the_next_voucher(desk: Desk) -> None:
    desk.backend.tokens, desk.backend.some = LONG, 50
    row = desk.admit(1000)

    def renew() -> None:
        amount = desk.payer.needs(1000) + 600 * desk.payer.offer.output_price
        desk.sessions.accept_voucher(desk.payer.sign(amount), desk.clock())

    desk.while_waiting = [lambda: None, renew]
    assert call(desk.calling, row.call_id) is True
    parts = desk.parts(row)
    assert [part["received"] for part in parts if part["kind"] == "wait"] == [256]
    assert ids(parts) == list(desk.backend.tokens)
    assert parts[-1]["finish"] == "stop"


def test_call__no_further_voucher__ends_as_cancelled_after_ten_seconds(desk: Desk) -> None:
    desk.backend.tokens, desk.backend.some = LONG, 16
    row, began = desk.admit(1000), desk.clock()
    assert call(desk.calling, row.call_id) is True
    end = desk.parts(row)[-1]
    assert (end["finish"], end["output_tokens"], len(ids(desk.parts(row)))) == ("cancelled", 256, 256)
    assert PATIENCE <= desk.clock() - began < PATIENCE + 1
    totals = desk.sessions.session_totals(desk.payer.id)
    assert totals is not None and totals.owed.amount <= totals.accepted.amount


def test_call__vouchers_for_one_token_each__do_not_hold_its_stream(desk: Desk) -> None:
    """All its waiting together is bounded by what went out: a stream is not held for hours by a few wei."""
    desk.backend.tokens, desk.backend.some = LONG, 16
    row, began, price = desk.admit(1000), desk.clock(), desk.payer.offer.output_price
    paid = desk.payer.needs(1000)

    def renew() -> None:
        nonlocal paid
        paid += price
        desk.sessions.accept_voucher(desk.payer.sign(paid), desk.clock())

    desk.while_waiting = [*([lambda: None] * 180), renew] * 20
    assert call(desk.calling, row.call_id) is True
    end = desk.parts(row)[-1]
    assert end["finish"] == "cancelled" and 256 < end["output_tokens"] < 260
    assert desk.clock() - began < PATIENCE + 260 * EARNED + 1


def test_call__waiting__says_that_it_lives(desk: Desk) -> None:
    desk.backend.tokens, desk.backend.some = LONG, 300
    row = desk.admit(1000)
    call(desk.calling, row.call_id)
    assert sum(entry == Entry(Event.ALIVE) for entry in desk.replies.streams[row.call_id]) >= PATIENCE - 2


def test_call__taken_away_meanwhile__tells_and_writes_nothing(desk: Desk) -> None:
    row = desk.admit()
    desk.backend.before_token = lambda: desk.sessions.calls.update(
        {row.call_id: replace(desk.sessions.calls[row.call_id], stage=CallStage.FAILED)})
    assert call(desk.calling, row.call_id) is False
    assert desk.parts(row)[-1]["code"] == "call_lost"


def test_call__done__requester_recomputes_the_leaf_from_what_it_received(desk: Desk) -> None:
    """The seed of its fingerprints is of the session and the requester's nonce."""
    row = desk.admit()
    assert call(desk.calling, row.call_id) is True
    *tokens, end = desk.parts(row)
    work = desk.sessions.works[row.call_id]
    transcript, spec = parse_transcript(work.transcript), parse_spec(row.spec)
    logprobs = b"".join(from_hex(part["logprobs"], None) for part in tokens)
    mine = answer_of(replace(transcript, output_token_ids=tuple(ids(tokens)), logprobs=logprobs,
                             salt=from_hex(end["salt"]), fingerprint_root=Digest(from_hex(end["fingerprint_root"]))),
                     row.session_id, INPUT, "", end["finish"])
    assert from_hex(end["leaf"]) == leaf(mine, spec) == work.leaf
    assert (end["number"], end["finish"], end["input_tokens"], end["output_tokens"]) == (1, "stop", 7, 2)
    assert unpack_float32(logprobs) == [-0.5, -0.25]
    assert desk.backend.asked == (spec.sampler, seed_of(row.session_id, 0, spec.nonce))
    assert from_hex(end["fingerprint_root"]) == fingerprint_root(work.fingerprints)


@pytest.mark.parametrize(("tokens", "early", "legal"), [
    ((5, 6), True, True), ((5, 6), False, False), ((5, 2), True, False), ((5, 6, 7, 8), True, False)])
def test_claim__cancelled__is_legal_for_a_call_that_was_not_complete(tokens: tuple[int, ...], early: bool,
                                                                     legal: bool) -> None:
    """R111: an answer may end early in a call of a session, and never in a job."""
    rules = ClaimRules(4, 100, (2,), may_end_early=early)
    found = find_fault(Claim(tokens, (-0.1,) * len(tokens), "cancelled"), rules)
    assert (found is None) is legal
