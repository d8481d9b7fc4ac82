"""NOT_OPENED and its last chance, fees of auditors and submitter, sessions: `protocol.chain` against the contracts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from protocol.calls import NOTHING_IN_FLIGHT, claimed_head, in_flight_digest, link
from protocol.chain import events
from protocol.chain.records import SkipReason
from protocol.committee import proposer
from protocol.economics import coverage, fee, slashed, split_fee
from protocol.encoding import ZERO, keccak
from protocol.errors import ChainRefused
from protocol.limits import MAX_POSTED_OPENINGS
from protocol.messages import session_id, voucher_digest
from protocol.openings import PostedOpening, pack_opening, unpack_opening
from protocol.signing import Signer
from protocol.types import BatchState, InFlightClaim, Outcome, RefundReason, Session, SessionState, Voucher
from protocol.units import TOKEN, Digest, Wei
from tests.integration.chain.market import ORACLES, STAKE, Market, decision, signer
from tests.integration.chain.test_endings import pass_time, told

OPENING = pack_opening(PostedOpening(0, ORACLES[0].address, b"sealed"))


def frozen(market: Market) -> events.BatchCommitted:
    batch = market.commit([market.open().job])
    listed = [decision(batch, Outcome.NOT_OPENED, 0b1)]
    found = told(market.send(ORACLES[0], market.settling(listed, [[]])))
    until = market.chain.freeze_of(batch.batch_id).until
    assert events.BatchFrozen(batch.batch_id, market.owner.address, Outcome.NOT_OPENED, until) in found
    return batch


def test_post_openings__nothing_was_asked_for__refused(market: Market) -> None:
    batch = market.commit([market.open().job])
    call = market.chain.post_openings(batch.batch_id, market.head(batch.batch_id), [OPENING])
    with pytest.raises(ChainRefused) as refused:
        market.chain.simulate(call, market.node.address)
    assert (refused.value.error, refused.value.operands["outcome"]) == ("NothingToOpen", "NONE")


def test_post_openings__in_time__pending_again_and_shown_to_everybody(market: Market) -> None:
    batch = frozen(market)
    assert (market.chain.batch(batch.batch_id).outcome, market.chain.provider_record(
        market.owner.address).frozen_batch) == (Outcome.NOT_OPENED, batch.batch_id)
    call = market.chain.post_openings(batch.batch_id, market.head(batch.batch_id), [OPENING, b"x"])
    posted = market.send(market.node, call)
    (found,) = told(posted)
    assert found == events.OpeningsPosted(batch.batch_id, market.owner.address, (OPENING, b"x"))
    assert unpack_opening(found.openings[0]) == PostedOpening(0, ORACLES[0].address, b"sealed")
    assert market.chain.batch(batch.batch_id).state is BatchState.PENDING
    assert market.chain.freeze_of(batch.batch_id).opened_at == posted.events[0].timestamp
    again = market.settling([decision(batch, Outcome.NOT_OPENED)], [[]])
    assert told(market.send(ORACLES[0], again)) == [
        events.BatchSkipped(batch.batch_id, SkipReason.OPENED_ON_CHAIN)]


def test_post_openings__as_much_as_we_ever_post__fits_a_block(market: Market) -> None:
    batch = frozen(market)
    most = [b"\xff" * (MAX_POSTED_OPENINGS // 32)] * 32
    call = market.chain.post_openings(batch.batch_id, market.head(batch.batch_id), most)
    assert len(call.data) < 128 * 1024 - 500
    assert market.send(market.node, call).gas_used < 10_000_000


def test_forfeit__never_opened__refunded_for_that_and_slashed(market: Market) -> None:
    batch, owner = frozen(market), market.owner.address
    pass_time(market, market.plan.terms.last_chance)
    found = told(market.send(ORACLES[1], market.chain.forfeit(batch.batch_id, market.head(batch.batch_id),
                                                              batch.entries)))
    lost = slashed([STAKE], market.plan.terms.slash_bps)
    assert events.ProviderConvicted(owner, batch.batch_id, lost, batch.batch_id) in found
    entry = batch.entries[0]
    assert events.JobRefunded(entry.job_id, entry.requester, entry.price, RefundReason.NOT_OPENED) in found
    assert market.chain.batch(batch.batch_id).outcome is Outcome.NOT_OPENED


def test_settle__with_auditors_by_the_proposer__pays_them_out_of_the_fee(market: Market) -> None:
    chain, terms = market.chain, market.plan.terms
    batch = market.commit([market.open(input_tokens=500, max_output_tokens=500).job for _ in range(2)])
    call = market.settling([decision(batch, auditors=0b1010)], [batch.entries])
    turn = _proposer(market)
    found = told(market.send(turn, call))
    kept = fee(sum(entry.amount for entry in batch.entries), terms.fee_bps)
    split = split_fee(kept, terms.audit_fee, 2, terms.submit_fee)
    assert split.audits == 2 * terms.audit_fee and split.submission == terms.submit_fee
    for oracle in (ORACLES[1], ORACLES[3]):
        assert events.AuditFeePaid(batch.batch_id, oracle.address, Wei(terms.audit_fee)) in found
    assert events.SubmitFeePaid(batch.batch_id, turn.address, Wei(terms.submit_fee)) in found
    assert chain.fees_to_burn() == 2 * terms.open_fee + split.burned


def test_coverage__as_deployed__is_half_a_quorum_less_the_shares(market: Market) -> None:
    terms = market.plan.terms
    expected = coverage(3, market.plan.seat_stake, terms.challenger_bps, terms.slash_ceiling)
    assert market.chain.coverage() == expected
    price = market.open().job.price
    assert market.chain.exposure() == price


def test_session__opened_used_closed__pays_the_voucher_and_returns_the_rest(market: Market) -> None:
    chain, terms = market.chain, market.plan.terms
    key = signer("sub-key")
    market.send(market.requester, chain.authorise_key(key.address, 5 * TOKEN, 2**39))
    opened = told(market.send(market.requester, chain.open_session(market.offer(), 2 * TOKEN, 600, key.address, 1)))
    found = next(one for one in opened if isinstance(one, events.SessionOpened))
    session = Session(found.requester, found.provider, found.offer_digest, found.key, found.largest_call,
                      found.opened_at, found.nonce)
    assert found.session_id == session_id(chain.deployment.chain_id, chain.deployment.escrow, session)
    market.send(market.requester, chain.top_up_session(session, TOKEN))
    assert chain.session(found.session_id).cap == 3 * TOKEN

    voucher = _signed(market, session, found.session_id, Wei(TOKEN), key)
    committed = told(market.send(market.node, chain.commit_batch([], [voucher])))
    batch = next(one for one in committed if isinstance(one, events.BatchCommitted))
    assert batch.entries[0].is_voucher and batch.entries[0].answer_digest == ZERO
    assert batch.entries[0].job_id == found.session_id and batch.entries[0].amount == TOKEN
    assert events.VouchersCommitted(batch.batch_id, (events.Claim(Wei(TOKEN), 7, 2),)) in committed
    settled = told(market.send(market.owner, market.settling([decision(batch)], [batch.entries])))
    assert events.VouchersSettled(batch.batch_id, Wei(TOKEN)) in settled

    market.send(market.requester, chain.close_session(session))
    assert chain.session(found.session_id).state is SessionState.CLOSING
    pass_time(market, terms.claim_delay)
    closed = told(market.send(ORACLES[0], chain.finish_session(session)))
    assert closed == [events.SessionClosed(found.session_id, Wei(TOKEN), Wei(2 * TOKEN))]


def test_claim__on_a_call_in_flight__is_committed_with_its_link(market: Market) -> None:
    """R123: without a claim it is refused; with one the entry's head names the call."""
    chain, payer = market.chain, market.requester
    opened = told(market.send(payer, chain.open_session(market.offer(), 2 * TOKEN, 600, "0x" + "0" * 40, 2)))
    found = next(one for one in opened if isinstance(one, events.SessionOpened))
    session = Session(found.requester, found.provider, found.offer_digest, found.key, found.largest_call,
                      found.opened_at, found.nonce)
    spec, leaf = keccak(b"spec"), keccak(b"leaf")
    voucher = _signed(market, session, found.session_id, Wei(2 * TOKEN), payer, in_flight_digest([spec]))
    with pytest.raises(ChainRefused) as refused:
        market.send(market.node, chain.commit_batch([], [voucher]))
    assert refused.value.error == "ClaimMissing"
    claim = InFlightClaim(0, Wei(TOKEN), 5, (link(spec, leaf),))
    committed = told(market.send(market.node, chain.commit_batch([], [voucher], [claim])))
    batch = next(one for one in committed if isinstance(one, events.BatchCommitted))
    assert batch.entries[0].amount == TOKEN
    assert batch.entries[0].leaf == claimed_head(voucher.head, voucher.in_flight, claim.links)
    assert events.VouchersCommitted(batch.batch_id, (events.Claim(Wei(TOKEN), 12, 3),)) in committed
    assert chain.session(found.session_id).committed == TOKEN


def _proposer(market: Market) -> Signer:
    """Whose turn it is in the next block."""
    turn = proposer(market.chain.head().number + 1, 4, [oracle.address for oracle in ORACLES])
    return next(oracle for oracle in ORACLES if oracle.address == turn)


def _signed(market: Market, session: Session, its_id: bytes, amount: Wei, key: Signer,
            in_flight: Digest = NOTHING_IN_FLIGHT) -> Voucher:
    bare = Voucher(session, amount, 7, 2, Digest(keccak(b"head")), in_flight, b"")
    return replace(bare, signature=key.sign(voucher_digest(market.domain, its_id, bare)))
