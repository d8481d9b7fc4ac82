"""What sessions and vouchers cost."""

from __future__ import annotations

from typing import Any

from protocol.calls import in_flight_digest, link
from protocol.encoding import keccak
from protocol.types import InFlightClaim
from protocol.units import TOKEN, Wei
from tests.contracts.expect import at, now
from tests.contracts.market import Market
from tests.contracts.measuring import Gas, begin_epoch, gas
from tests.contracts.nouns import Batch, OpenedSession, person

CALL = TOKEN // 100
"""What each voucher adds, wei."""


def measure_sessions(market: Market) -> Gas:
    """Of a session without a key, whose voucher was paid; keys are new each time, whoever authorises them."""
    requester = {"from": market.requesters[0].account}
    first = market.open_session()
    steps: dict[str, Any] = {"open_session": _sent(market)}
    key, other = person("measured key"), person("measured second key")
    steps["authorise_key"] = market.authorise(key)
    models = [bytes([n]) * 32 for n in range(1, 5)]
    steps["authorise_key_for_4_models"] = market.authorise(other, models=models)
    keyed = market.open_session(key=key)
    steps["open_session_with_key"] = _sent(market)
    steps["top_up_session"] = market.top_up(first, TOKEN)
    market.settle(_committed(market, [first, keyed], 1))
    steps["close_session"] = market.close_session(first)
    steps["revoke_key"] = market.escrow.revokeKey(key.address, requester)
    market.close_session(keyed)
    at(now() + market.terms.claim_delay)
    steps["finish_session"] = market.finish_session(first)
    steps["finish_session_with_key"] = market.finish_session(keyed)
    return gas(steps)


def measure_vouchers(market: Market) -> Gas:
    """Each voucher of a session of its own; every session had one before."""
    begin_epoch(market)
    sessions = [market.open_session(cap=TOKEN, requester=n % 2, duration=7_000) for n in range(100)]
    market.settle(_committed(market, sessions, 1))
    alone = _committed(market, sessions[:1], 2)
    steps = {"voucher_commit_1": market.commits[alone.id], "voucher_settle_1": market.settle(alone)}
    for count, round_ in ((10, 3), (100, 4)):
        batches = [_committed(market, [opened], round_) for opened in sessions[:count]]
        steps[f"voucher_settle_{count}_batches_of_1"] = market.settle(*batches)
    full = _committed(market, sessions, 5)
    steps |= {"voucher_commit_100": market.commits[full.id], "voucher_settle_100": market.settle(full)}
    steps["voucher_commit_100_in_flight"] = market.commits[_claimed(market, sessions, 6).id]
    found = gas(steps)
    commit, hundred = found["voucher_commit_1"], found["voucher_commit_100"] + found["voucher_settle_100"]
    return found | {
        "voucher_alone": commit + found["voucher_settle_1"],
        "voucher_alone_settled_with_10": commit + found["voucher_settle_10_batches_of_1"] // 10,
        "voucher_alone_settled_with_100": commit + found["voucher_settle_100_batches_of_1"] // 100,
        "voucher_at_100": hundred // 100,
    }


def _committed(market: Market, sessions: list[OpenedSession], round_: int) -> Batch:
    """A batch of the `round_`-th voucher of each session."""
    vouchers = [market.voucher(its, round_ * CALL, 300 * round_, round_) for its in sessions]
    return market.commit([], vouchers=vouchers)


def _claimed(market: Market, sessions: list[OpenedSession], round_: int) -> Batch:
    """A batch of the same vouchers, each of which names a call in flight that is claimed with it."""
    spec, leaf = keccak(b"spec"), keccak(b"leaf")
    vouchers = [market.voucher(its, (round_ + 1) * CALL, 300 * round_, round_ - 1, in_flight=in_flight_digest([spec]))
                for its in sessions]
    claims = [InFlightClaim(n, Wei(round_ * CALL), 300, (link(spec, leaf),)) for n in range(len(sessions))]
    return market.commit([], vouchers=vouchers, claims=claims)


def _sent(market: Market) -> Any:
    return list(market.session_openings.values())[-1]
