"""Cases at the court: how tests open, rule and end them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from protocol.types import Outcome, Ruling
from protocol.units import TOKEN
from tests.contracts.expect import at
from tests.contracts.market import Market
from tests.contracts.nouns import Batch, Person

CONVICTION_ROOM = 45 * 86_400
"""Seconds after its deadline in which a case that was ruled CONVICTED can convict."""


@dataclass(frozen=True)
class Case:
    """An open case as its event says."""

    id: int
    batch: Batch
    opened_at: int
    deadline: int


def allow(market: Market, who: Person) -> None:
    """Lets the court take what `who` holds."""
    market.token.approve(market.court.address, 2**255, {"from": who.account})


def appeal(market: Market, batch: Batch, who: Person | None = None) -> Case:
    who = who or market.providers[0].owner
    allow(market, who)
    return _opened(market.court.appeal(*batch.arguments, {"from": who.account}), batch)


def dispute(market: Market, batch: Batch, index: int = 0, who: Person | None = None) -> Case:
    who = who or market.requesters[index % 2]
    allow(market, who)
    return _opened(market.court.dispute(*batch.arguments, index, {"from": who.account}), batch)


def appealed(market: Market) -> Case:
    """An appeal of a batch of two jobs that was just frozen for fraud."""
    batch = market.committed(2)
    market.freeze(batch)
    return appeal(market, batch)


def disputed(market: Market, paid: bool = True) -> Case:
    """A dispute of the first of two jobs, whose batch has matured unless not `paid`."""
    batch = market.committed(2)
    if paid:
        market.settle(batch)
    return dispute(market, batch)


def rule(market: Market, case: Case, ruling: Ruling, signatures: list[bytes] | None = None) -> Any:
    signatures = market.rulings(case.id, ruling) if signatures is None else signatures
    _, head, entries = case.batch.arguments
    return market.court.rule(case.id, ruling, head, entries, signatures, {"from": market.stranger.account})


def close(market: Market, case: Case) -> Any:
    return market.court.closeByDefault(case.id, {"from": market.stranger.account})


def compensate(market: Market, case: Case) -> Any:
    return market.court.compensate(case.id, {"from": market.stranger.account})


def convict(market: Market, case: Case) -> Any:
    return market.court.convict(case.id, case.batch.head_tuple, {"from": market.stranger.account})


def default(market: Market, batch: Batch, *stored: int) -> None:
    """Matures the batch by default, with the answers at the indexes `stored` recorded as stored."""
    receipts = [market.receipts(batch.entries[index].answer_digest) for index in stored]
    market.escrow.recordStored(*batch.arguments, list(stored), receipts, {"from": market.stranger.account})
    at(market.default_from(batch))
    market.mature_by_default(batch)


def forfeited(market: Market, batch: Batch) -> None:
    market.convict(batch, Outcome.FRAUD)


def large_batch(market: Market) -> Batch:
    """One voucher of 40 tokens: more than a disputer's bond."""
    session = market.open_session()
    return market.commit([], vouchers=[market.voucher(session, 40 * TOKEN)])


def penalty(market: Market, amount: int) -> tuple[int, int]:
    """What a provider pays besides the entry's amount: (wei to the requester, wei burned)."""
    whole = min(amount, market.plan.court.dispute_bond)
    return whole // 2, whole - whole // 2


def state(market: Market, case: Case) -> tuple[Ruling, bool]:
    """Ruling, and whether the plaintiff was compensated."""
    record = market.court.caseOf(case.id)
    return Ruling(int(record[2])), bool(record[7])


def _opened(sent: Any, batch: Batch) -> Case:
    event = sent.events["CaseOpened"]
    return Case(int(event["caseId"]), batch, sent.timestamp, int(event["deadline"]))
