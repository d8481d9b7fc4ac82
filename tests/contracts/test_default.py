from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from protocol.economics import fee
from protocol.messages import Domain, storage_receipt_digest
from protocol.types import BatchState, JobState, Outcome, RefundReason
from tests.contracts.expect import at, now, refused
from tests.contracts.market import Market
from tests.contracts.nouns import Batch


def store(market: Market, batch: Batch, *indexes: int) -> Any:
    signatures = [market.receipts(batch.entries[index].answer_digest) for index in indexes]
    arguments = (*batch.arguments, list(indexes), signatures)
    return market.escrow.recordStored(*arguments, {"from": market.stranger.account})


def test_store__of_a_batch_that_does_not_exist__is_refused(market: Market) -> None:
    batch = dataclasses.replace(market.committed(), id=9)
    with refused("HeadMismatch", 9, batch.digest, bytes(32)):
        store(market, batch, 0)


def test_store__without_signatures_for_an_index__is_refused(market: Market) -> None:
    batch = market.committed()
    with refused("LengthMismatch", 1, 0):
        market.escrow.recordStored(*batch.arguments, [0], [], {"from": market.stranger.account})


def test_store__when_the_default_begins__is_refused(market: Market) -> None:
    """R22: half-open: storing ends in the second in which the default begins."""
    batch = market.committed()
    at(market.default_from(batch))
    with refused("TooLate", batch.id, market.default_from(batch)):
        store(market, batch, 0)


def test_store__of_an_index_out_of_range__is_refused(market: Market) -> None:
    batch = market.committed()
    with refused("IndexOutOfRange", batch.id, 1):
        market.escrow.recordStored(*batch.arguments, [1], [[]], {"from": market.stranger.account})


def test_store__with_another_answer__is_refused(market: Market) -> None:
    batch = market.committed()
    entry = dataclasses.replace(batch.entries[0], answer_digest=bytes(31) + b"\x01")
    forged = dataclasses.replace(batch, entries=(entry,))
    with refused("EntriesMismatch", batch.id, forged.hash, batch.hash):
        store(market, forged, 0)


def test_store__with_another_head__is_refused(market: Market) -> None:
    batch = market.committed()
    forged = dataclasses.replace(batch, head=dataclasses.replace(batch.head, set_version=3))
    with refused("HeadMismatch", batch.id, forged.digest, market.escrow.batch(batch.id)[0]):
        store(market, forged, 0)


def test_store__by_one_oracle_only__is_refused(market: Market) -> None:
    """R28: delivered means receipts of f + 1 oracles."""
    batch = market.committed()
    receipts = market.receipts(batch.entries[0].answer_digest, signers=(0,))
    with refused("TooFewSignatures", 1, 2):
        market.escrow.recordStored(*batch.arguments, [0], [receipts], {"from": market.stranger.account})


def test_store__with_receipts_for_another_blob__is_refused(market: Market) -> None:
    batch = market.committed(2)
    receipts = market.receipts(batch.entries[1].answer_digest)
    with pytest.raises(Exception, match=r"SignerNotMember|SignersNotAscending"):
        market.escrow.recordStored(*batch.arguments, [0], [receipts], {"from": market.stranger.account})


def test_store__with_receipts_of_another_chain__is_refused(market: Market) -> None:
    batch = market.committed()
    there = Domain(market.domain.chain_id + 1, market.domain.contract)
    receipts = market.quorum(storage_receipt_digest(there, batch.entries[0].answer_digest), (0, 1))
    with pytest.raises(Exception, match=r"SignerNotMember|SignersNotAscending"):
        market.escrow.recordStored(*batch.arguments, [0], [receipts], {"from": market.stranger.account})


def test_store__in_the_last_second__sets_the_bits_and_repeats_without_effect(market: Market) -> None:
    batch = market.committed(4)
    at(market.default_from(batch) - 1)
    sent = store(market, batch, 1, 3)
    assert [event["index"] for event in sent.events["AnswerStored"]] == [1, 3]
    assert market.escrow.storedBitmap(batch.id) == 0b1010


def test_store__again__adds_and_announces_only_what_is_new(market: Market) -> None:
    batch = market.committed(3)
    store(market, batch, 1)
    sent = store(market, batch, 1, 2)
    assert [event["index"] for event in sent.events["AnswerStored"]] == [2]
    assert market.escrow.storedBitmap(batch.id) == 0b110


def test_storage_receipt_digest__of_the_contract__is_that_of_the_protocol(market: Market) -> None:
    blob = bytes(range(32))
    assert bytes(market.escrow.storageReceiptDigest(blob)) == storage_receipt_digest(market.domain, blob)


def test_default__a_second_early__is_refused(market: Market) -> None:
    """R22: not before both windows are over."""
    batch = market.committed()
    at(market.default_from(batch) - 1)
    with refused("TooEarly", batch.id, market.default_from(batch)):
        market.mature_by_default(batch)


def test_default__of_a_settled_batch__is_refused(market: Market) -> None:
    batch = market.committed()
    market.settle(batch)
    at(market.default_from(batch))
    with refused("WrongBatchState", batch.id, BatchState.MATURED):
        market.mature_by_default(batch)


def test_default__with_other_entries__is_refused(market: Market) -> None:
    batch = market.committed(2)
    swapped = dataclasses.replace(batch, entries=batch.entries[::-1])
    at(market.default_from(batch))
    with refused("EntriesMismatch", batch.id, swapped.hash, batch.hash):
        market.mature_by_default(swapped)


def test_default__of_a_frozen_batch__is_refused(market: Market) -> None:
    batch = market.committed()
    market.settle(batch, outcome=Outcome.FRAUD)
    at(market.default_from(batch))
    with refused("WrongBatchState", batch.id, BatchState.FROZEN):
        market.mature_by_default(batch)


def test_default__of_another_batch_of_a_frozen_provider__is_refused(market: Market) -> None:
    """R18: no maturing."""
    bad, other = market.committed(), market.committed()
    market.settle(bad, outcome=Outcome.FRAUD)
    at(market.default_from(other))
    with refused("ProviderIsFrozen", market.providers[0].owner.address, bad.id):
        market.mature_by_default(other)


def test_default__of_a_convicted_provider__is_refused(market: Market) -> None:
    bad, other = market.committed(), market.committed()
    market.convict(bad)
    at(market.default_from(other))
    with refused("BatchOfConvictedProvider", other.id, other.id):
        market.mature_by_default(other)


def test_default__without_receipts__refunds_everything_and_slashes_nobody(market: Market) -> None:
    """R22: what nobody certified is refunded, the stake stays."""
    batch = market.committed(2)
    before = market.snapshot()
    at(market.default_from(batch))
    sent = market.mature_by_default(batch)
    assert market.changes(before) == {
        "requester 0": batch.entries[0].price,
        "requester 1": batch.entries[1].price,
        "exposure": -batch.price,
    }
    assert [e["reason"] for e in sent.events["JobRefunded"]] == [RefundReason.NOT_DELIVERED] * 2
    assert market.batch_state(batch) == (BatchState.MATURED, Outcome.DEFAULT)
    assert market.job_state(batch.entries[0]) == (JobState.REFUNDED, RefundReason.NOT_DELIVERED)


def test_default__with_receipts_for_one__pays_that_one_and_refunds_the_other(market: Market) -> None:
    """R22: what f + 1 oracles certified is paid."""
    batch = market.committed(2)
    store(market, batch, 1)
    before = market.snapshot()
    at(market.default_from(batch))
    sent = market.mature_by_default(batch)
    paid, lost = batch.entries[1], batch.entries[0]
    taken = fee(paid.amount, market.terms.fee_bps)
    assert market.changes(before) == {
        "provider 0": paid.amount - taken,
        "fees": taken,
        "requester 0": lost.price,
        "requester 1": paid.price - paid.amount,
        "exposure": -batch.price,
    }
    matured = sent.events["BatchMatured"]
    assert (matured["outcome"], matured["payout"], matured["fee"]) == (
        Outcome.DEFAULT,
        paid.amount - taken,
        taken,
    )
    assert market.job_state(paid) == (JobState.SETTLED, RefundReason.NONE)
    assert market.job_state(lost) == (JobState.REFUNDED, RefundReason.NOT_DELIVERED)


def test_default__twice__is_refused(market: Market) -> None:
    batch = market.committed()
    at(market.default_from(batch))
    market.mature_by_default(batch)
    with refused("WrongBatchState", batch.id, BatchState.MATURED):
        market.mature_by_default(batch)


def test_default__with_every_oracle_gone__still_ends_the_batch(market: Market) -> None:
    """R34: no oracle is needed for the end."""
    batch = market.committed()
    for oracle in market.oracles:
        market.committee.resign({"from": oracle.account})
    assert market.committee.version() == 8
    at(market.default_from(batch))
    market.mature_by_default(batch)
    assert market.batch_state(batch) == (BatchState.MATURED, Outcome.DEFAULT)
    assert now() == market.default_from(batch)
