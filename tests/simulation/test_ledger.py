"""The books beside the contracts: money neither appears nor vanishes, and each end goes where the contracts send it."""

from __future__ import annotations

import random

from benchmarks.simulation.ledger import Ledger, Line
from protocol.economics import fee, slashed
from protocol.units import TOKEN
from scripts.plan import plan

PROVIDER, REQUESTER, ORACLES = "provider", "requester", ("a", "b")
PLAN = plan("test", "0x" + "11" * 20, ["0x" + "22" * 20])
NOW = 10_000


def ledger() -> Ledger:
    book = Ledger(PLAN, NOW)
    book.wallets.update({PROVIDER: 100 * TOKEN, REQUESTER: 100 * TOKEN})
    book.stake(PROVIDER, 60 * TOKEN)
    book.deposit(REQUESTER, 50 * TOKEN)
    return book


def everything(book: Ledger) -> int:
    held = book.wallets.total() + book.free.total() + book.stakes.total()
    return held + book.fees + book.exposure + book.condemned


def test_forfeit__without_conviction__slashes_nothing() -> None:
    book = ledger()
    book.open(REQUESTER, TOKEN)
    book.forfeit(PROVIDER, [Line(REQUESTER, TOKEN, TOKEN)], (), False)
    assert (book.stakes[PROVIDER], book.condemned, book.exposure) == (60 * TOKEN, 0, 0)


def test_forfeit__conviction__returns_the_price_and_condemns_the_share() -> None:
    book = ledger()
    book.open(REQUESTER, TOKEN)
    book.forfeit(PROVIDER, [Line(REQUESTER, TOKEN, TOKEN)], ORACLES, True)
    assert book.condemned == slashed([60 * TOKEN], PLAN.terms.slash_bps) == 60 * TOKEN - book.stakes[PROVIDER]
    assert book.free[REQUESTER] == 50 * TOKEN - PLAN.terms.open_fee
    assert book.free["a"] == PLAN.terms.audit_fee
    assert book.fees == PLAN.terms.open_fee - sum(book.free[oracle] for oracle in ORACLES)


def test_mature__paid_work__fee_goes_to_auditors_submitter_and_fire() -> None:
    book = ledger()
    book.open(REQUESTER, TOKEN)
    book.mature(PROVIDER, [Line(REQUESTER, TOKEN, TOKEN // 2)], ("a",), "b", NOW)
    kept = fee(TOKEN // 2, PLAN.terms.fee_bps)
    assert book.free[PROVIDER] == TOKEN // 2 - kept
    assert (book.free["a"], book.free["b"]) == (PLAN.terms.audit_fee, PLAN.terms.submit_fee)
    assert book.matured_burn[PROVIDER] == kept - PLAN.terms.audit_fee - PLAN.terms.submit_fee


def test_claim__epoch_not_over__nothing_and_afterwards_once() -> None:
    book = ledger()
    book.open(REQUESTER, TOKEN)
    book.mature(PROVIDER, [Line(REQUESTER, TOKEN, TOKEN)], (), None, NOW)
    assert book.claim(PROVIDER, NOW) == 0
    later = NOW + PLAN.schedule.epoch_length
    assert book.claim(PROVIDER, later) == book.matured_burn[PROVIDER] * PLAN.beta_bps // 10_000
    assert book.claim(PROVIDER, later) == 0


def test_ledger__random_moves__hold_every_wei() -> None:
    chance, book = random.Random(1), ledger()
    before = everything(book)
    for _ in range(500):
        price = chance.randrange(1, TOKEN)
        book.open(REQUESTER, price)
        lines = [Line(REQUESTER, price, chance.randrange(price + 1))]
        end = chance.randrange(3)
        if end == 0:
            book.refund(REQUESTER, price)
        elif end == 1:
            book.mature(PROVIDER, lines, ORACLES[: chance.randrange(3)], chance.choice(("a", None)), NOW)
        else:
            book.forfeit(PROVIDER, lines, ORACLES, chance.random() < 0.1)
    assert everything(book) == before
    assert book.exposure == 0
