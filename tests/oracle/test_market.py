"""Blobs, offers, receipts and what the api shows of a job."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import event

from oracle.flow.blobs import get_blob, put_blob, read_specs, sweep
from oracle.flow.offers import accept_offer, list_offers
from oracle.flow.receipts import build_receipt, read_settlements
from oracle.flow.views import show_job, show_jobs
from oracle.ports import Rules
from oracle.records.work import SettlementRow
from protocol.chain.events import BatchMatured, JobRefunded, JobSettled, OffersRevoked
from protocol.chain.records import ProviderRecord
from protocol.encoding import keccak, to_hex
from protocol.errors import Malformed, Reason, Refused, SignatureInvalid, TooLarge
from protocol.limits import MAX_BLOB, MAX_OFFERS_PER_PROVIDER
from protocol.messages import storage_receipt_digest
from protocol.signing import Signer, recover
from protocol.types import Decision, Outcome, RefundReason
from protocol.units import Digest, Wei
from tests.oracle.moves import passed
from tests.oracle.world import DOMAIN, NOW, TX, World


def reason_of(call: object, *arguments: object) -> Reason:
    with pytest.raises(Refused) as refused:
        call(*arguments)  # type: ignore[operator]
    return refused.value.reason


def test_blob__other_digest__is_refused(world: World) -> None:
    """R28: a blob is known by its keccak."""
    with pytest.raises(Malformed):
        put_blob(world.node, keccak(b"a"), b"b")


def test_blob__oversized__is_refused(world: World) -> None:
    data = b"x" * (MAX_BLOB + 1)
    with pytest.raises(TooLarge):
        put_blob(world.node, keccak(data), data)


def test_blob__more_than_nobody_asked_for__meets_the_quota(world: World) -> None:
    node = replace(world.node, rules=Rules(blob_quota=10))
    put_blob(node, keccak(b"12345678"), b"12345678")
    assert reason_of(put_blob, node, keccak(b"123"), b"123") is Reason.QUOTA
    put_blob(node, keccak(b"12345678"), b"12345678")


def test_blob__named_by_a_batch__is_taken_whatever_strangers_left_here(world: World) -> None:
    node = replace(world.node, rules=Rules(blob_quota=10))
    work = world.open_job()
    world.commit(work)
    put_blob(node, keccak(b"12345678"), b"12345678")
    assert put_blob(node, work.entry.answer_digest, work.answer).size == len(work.answer)


def test_blob__kept__comes_with_a_receipt_and_back(world: World) -> None:
    """R28: the receipt is this oracle's signature over the digest."""
    digest = keccak(b"sealed")
    receipt = put_blob(world.node, digest, b"sealed")
    assert recover(storage_receipt_digest(DOMAIN, digest), receipt.signature) == world.node.address
    assert get_blob(world.node, digest) == b"sealed"
    assert reason_of(get_blob, world.node, keccak(b"other")) is Reason.NOT_FOUND


def test_sweep__nobody_needs_it__goes_and_what_a_job_needs_stays(world: World) -> None:
    work = world.open_job()
    put_blob(world.node, keccak(b"sealed prompt"), b"sealed prompt")
    put_blob(world.node, keccak(b"stray"), b"stray")
    assert read_specs(world.node) == 1
    world.clock.now += world.node.rules.blob_patience + 1
    sweep(world.node)
    assert world.node.store.has_blob(keccak(b"sealed prompt"))
    assert world.node.store.has_blob(work.job.spec_digest)
    assert not world.node.store.has_blob(keccak(b"stray"))


@pytest.mark.parametrize(("change", "reason"), [
    ({"expiry": NOW}, Reason.OFFER_EXPIRED),
    ({"model": Digest(keccak(b"other"))}, Reason.UNKNOWN_MODEL),
    ({"profile": Digest(keccak(b"other"))}, Reason.UNKNOWN_PROFILE),
    ({"nonce": 66}, Reason.OFFER_REVOKED),
    ({"nonce": 1}, Reason.OFFER_REVOKED),
])  # fmt: skip
def test_offer__could_open_nothing__is_refused(world: World, change: dict[str, object], reason: Reason) -> None:
    world.chain.records[world.owner.address] = ProviderRecord(Wei(0), 0, 0, 0, 67)
    offer = world.sign_offer(replace(world.offer.offer, **{"nonce": 67, **change}))
    assert reason_of(accept_offer, world.node, offer) is reason


def test_offer__of_nobody__is_refused(world: World) -> None:
    offer = world.sign_offer(replace(world.offer.offer, provider=world.requester.address))
    assert reason_of(accept_offer, world.node, offer) is Reason.UNKNOWN_PROVIDER


def test_offer__signed_by_the_owner__is_refused(world: World) -> None:
    offer = world.sign_offer(world.offer.offer, Signer(keccak(b"owner")))
    assert reason_of(accept_offer, world.node, offer) is Reason.WRONG_SIGNER


def test_offer__signature_malformed__is_refused(world: World) -> None:
    with pytest.raises(SignatureInvalid):
        accept_offer(world.node, replace(world.offer, signature=b"\1" * 64))


@pytest.mark.parametrize("stake", [0, 2111])
def test_offer__stake_deters_no_job_at_all__is_refused(world: World, stake: int) -> None:
    set_stake(world, world.owner.address, stake)
    assert reason_of(accept_offer, world.node, world.offer) is Reason.STAKE_TOO_LOW
    set_stake(world, world.owner.address, 2112)  # 50 wei * 19 / (slash 50 % * 90 % that no challenger gets)
    accept_offer(world.node, world.offer)


def test_offer__one_more_than_a_provider_may_have__takes_the_place_of_the_oldest(world: World) -> None:
    for nonce in range(MAX_OFFERS_PER_PROVIDER + 1):
        world.clock.now += 1
        accept_offer(world.node, world.sign_offer(replace(world.offer.offer, nonce=nonce)))
    shown = [row["offer"]["nonce"] for row in list_offers(world.node, None, None)]  # type: ignore[index]
    assert shown == list(range(MAX_OFFERS_PER_PROVIDER, 0, -1))


def test_offers__of_many_accounts_with_little_stake__push_nobody_out(world: World) -> None:
    accept_offer(world.node, world.offer)
    world.clock.now += 1
    for number in range(9):
        account = Signer(keccak(b"account%d" % number)).address
        set_stake(world, account, 10**24 + 1)  # the stake goes from one account to the next
        for nonce in range(MAX_OFFERS_PER_PROVIDER):
            accept_offer(world.node, world.sign_offer(replace(world.offer.offer, provider=account, nonce=nonce)))
        set_stake(world, account, 10_000)
    list_offers(world.node, None, None)
    shown = list_offers(world.node, None, None)
    assert (len(shown), shown[0]["active_stake"]) == (256, str(10**24))


def set_stake(world: World, provider: str, stake: int) -> None:
    world.chain.stakes[provider] = replace(world.chain.stakes[world.owner.address], active=Wei(stake))


def test_offers__shown__newest_first_until_revoked_or_frozen(world: World) -> None:
    second = world.sign_offer(replace(world.offer.offer, nonce=2))
    accept_offer(world.node, world.offer)
    world.clock.now += 1
    accept_offer(world.node, second)
    assert [row["offer"]["nonce"] for row in list_offers(world.node, None, None)] == [2, 1]  # type: ignore[index]
    world.apply(OffersRevoked(world.owner.address, 2))
    assert len(list_offers(world.node, None, None)) == 1
    world.chain.records[world.owner.address] = ProviderRecord(Wei(0), 0, 0, 3, 0)
    assert list_offers(world.node, None, None) == []


def settled(world: World) -> bytes:
    work = world.ready()
    decision = Decision(1, world.node.store.batch(1).entries_hash, Outcome.PASS, work.entry.amount, 1)  # type: ignore[union-attr]
    world.chain.settled[TX] = SettlementRow(TX, 123_456, 1, (decision,), (b"\1" * 65,))
    paid = work.entry.amount
    world.apply(JobSettled(work.job_id, 1, paid, Wei(work.job.price - paid)),
                BatchMatured(1, world.owner.address, Outcome.PASS, Wei(1), Wei(0)))
    read_specs(world.node)
    return work.job_id


def test_receipt__not_settled__is_not_ready(world: World) -> None:
    assert reason_of(build_receipt, world.node, world.ready().job_id) is Reason.NOT_READY


def test_receipt__refunded__there_is_none(world: World) -> None:
    work = world.ready()
    world.apply(JobRefunded(work.job_id, world.requester.address, work.job.price, RefundReason.EXPIRED))
    assert reason_of(build_receipt, world.node, work.job_id) is Reason.NOT_FOUND


def test_receipt__settled__carries_what_the_chain_says(world: World) -> None:
    job_id = settled(world)
    assert reason_of(build_receipt, world.node, job_id) is Reason.NOT_READY
    assert read_settlements(world.node) == 1
    receipt = build_receipt(world.node, job_id)
    assert receipt["node_key"] == world.node_signer.address
    assert (receipt["set_version"], len(receipt["signatures"]), receipt["settlement_tx"]) == (1, 1, to_hex(TX))
    assert "answer" not in receipt


def test_job__settled__shows_amounts_gas_and_model(world: World) -> None:
    job_id = settled(world)
    read_settlements(world.node)
    shown = show_job(world.node, job_id)
    assert (shown["state"], shown["paid"], shown["refunded"]) == ("SETTLED", "150", "200")
    assert shown["settlement_gas"] == 123_456
    assert (shown["model_name"], shown["output_tokens"], shown["batch"]["state"]) == ("fake-model", 3, "MATURED")
    assert shown["verdict"]["kind"] == "PASS"


def test_jobs__more_of_them__need_no_more_queries(world: World) -> None:
    counts = []
    for number in (1, 2, 3):
        passed(world, number, number)
        queries: list[str] = []
        engine = world.node.store._engine  # type: ignore[attr-defined]
        note = lambda *parts, queries=queries: queries.append(parts[2])  # noqa: E731 - an event listener
        event.listen(engine, "before_cursor_execute", note)
        shown = show_jobs(world.node, None, None, None, 10)
        event.remove(engine, "before_cursor_execute", note)
        assert [(row["verdict"]["kind"], row["output_tokens"]) for row in shown] == [("PASS", 3)] * number
        counts.append(len(queries))
    assert len(set(counts)) == 1


def test_jobs__filtered__by_requester_and_state(world: World) -> None:
    settled(world)
    requester = world.requester.address
    assert len(show_jobs(world.node, requester, None, "SETTLED", 10)) == 1
    assert show_jobs(world.node, requester, None, "OPEN", 10) == []
    assert show_jobs(world.node, world.owner.address, None, None, 10) == []
