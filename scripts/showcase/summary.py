"""The demo's result as data: who was paid what, and whether everything is as it must be.

Amounts come from the chain's events and balances; only verdicts' reasons are what the oracles say. The form of
`summary.json` is described in docs/demo-summary.schema.json.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from protocol.chain.chain import Chain
from protocol.chain.events import (
    BatchCommitted,
    ChainEvent,
    JobRefunded,
    JobSettled,
    ProviderConvicted,
    Slashed,
)
from protocol.encoding import to_hex
from protocol.units import Address
from scripts.ledger import Equation, Ledger
from scripts.showcase.jobs import Followed

FORMAT = 1


@dataclass(frozen=True)
class Party:
    """Somebody whose balance is shown; `kind` is requester, provider, node key or oracle."""

    name: str
    kind: str
    address: Address


@dataclass(frozen=True)
class JobEnd:
    """How the chain itself says that a job ended; wei."""

    state: str
    reason: str
    paid: int
    refunded: int
    tx: str
    gas: int
    slashed: int
    batch_id: int


def read_ends(chain: Chain, first: int, last: int) -> dict[str, JobEnd]:
    """The end of every job that ended in these blocks, by job id. The gas is that of the whole transaction.

    `slashed` is what the conviction by this job's batch burned, counted at the batch's first entry only.
    """
    events = chain.events(first, last)
    batches = {entry.job_id: (event.batch_id, index) for event in _of(events, BatchCommitted)
               for index, entry in enumerate(event.entries)}  # fmt: skip
    slashed = {event.batch_id: event.slashed for event in _of(events, ProviderConvicted)}
    gas: dict[bytes, int] = {}
    ends: dict[str, JobEnd] = {}
    for item in events:
        event = item.event
        if not isinstance(event, JobSettled | JobRefunded):
            continue
        if item.tx_hash not in gas:
            receipt = chain.receipt(item.tx_hash)
            gas[item.tx_hash] = receipt.gas_used if receipt else 0
        batch_id, index = batches.get(event.job_id, (0, -1))
        settled = isinstance(event, JobSettled)
        ends[to_hex(event.job_id)] = JobEnd(
            "SETTLED" if settled else "REFUNDED",
            "" if isinstance(event, JobSettled) else event.reason.name,
            event.paid if isinstance(event, JobSettled) else 0,
            event.refunded if isinstance(event, JobSettled) else event.amount,
            to_hex(item.tx_hash),
            gas[item.tx_hash],
            slashed.get(batch_id, 0) if index == 0 else 0,
            batch_id,
        )
    return ends


def read_slashes(chain: Chain, last: int) -> dict[Address, int]:
    """Wei that left each provider's stake by slashes."""
    found: dict[Address, int] = {}
    for event in _of(chain.events(0, last), Slashed):
        found[event.provider] = found.get(event.provider, 0) + event.from_active + event.from_unstaking
    return found


def read_balances(chain: Chain, parties: Sequence[Party], block: int) -> dict[str, dict[str, int]]:
    """Each party's wei of MALLA at the end of `block`: wallet, free in the escrow, staked; and `gas` in the coin."""
    found = {}
    for party in parties:
        if party.kind == "provider":
            stake = chain.provider(party.address, block)
            staked = stake.active + stake.unstaking
        else:
            staked = chain.oracle(party.address, block).stake if party.kind == "oracle" else 0
        wallet, free = chain.token_balance(party.address, block), chain.free_balance(party.address, block)
        found[party.name] = {"wallet": wallet, "escrow": free, "stake": staked, "total": wallet + free + staked,
                             "gas": chain.gas_balance(party.address, block)}  # fmt: skip
    return found


def job_rows(followed: Sequence[Followed], ends: Mapping[str, JobEnd]) -> list[dict[str, Any]]:
    """One row an order, in the order of their numbers; amounts from `ends`, never from the client."""
    rows = []
    for one in followed:
        result = one.result
        end = ends.get(result.job_id) if result else None
        rows.append({
            "id": result.job_id if result else "",
            "number": one.order.number,
            "requester": result.requester if result else "",
            "requester_name": one.order.requester,
            "provider": one.order.provider,
            "provider_name": one.order.provider_name,
            "model": result.model if result else "",
            "prompt_tokens": result.prompt_tokens if result else 0,
            "output_tokens": result.output_tokens if result else 0,
            "state": end.state if end else one.state,
            "verdict": result.verdict if result else "",
            "reason": (result.verdict_reason if result else "") or (end.reason if end else "") or one.error,
            "refund_reason": end.reason if end else "",
            "price_wei": str(result.price if result else 0),
            "paid_wei": str(end.paid if end else 0),
            "refunded_wei": str(end.refunded if end else 0),
            "slashed_wei": str(end.slashed if end else 0),
            "settlement_tx": end.tx if end else "",
            "settlement_gas": end.gas if end else 0,
            "batch_id": end.batch_id if end else 0,
            "seconds_to_settled": max(0, result.settled_at - result.opened_at) if result else 0,
            "question": one.order.question,
            "answer": result.text if result else "",
        })  # fmt: skip
    return rows


def equation_json(equation: Equation) -> dict[str, Any]:
    """Wei as decimal strings."""
    terms = {"left": equation.left_terms, "right": equation.right_terms}
    return {
        "left_wei": str(equation.left),
        "right_wei": str(equation.right),
        "terms": {side: {name: str(wei) for name, wei in its.items()} for side, its in terms.items()},
    }


def find_faults(jobs: Sequence[Mapping[str, Any]], providers: Sequence[Mapping[str, Any]], ledger: Ledger) -> list[str]:
    """Everything that is not as it must be, one sentence each; empty when the demo showed what it claims."""
    faults = []
    honest = {row["address"]: row["honest"] for row in providers}
    for job in jobs:
        name = f"Job {job['number']} of {job['provider_name']}"
        paid, refunded, price = (int(job[key]) for key in ("paid_wei", "refunded_wei", "price_wei"))
        if honest[job["provider"]]:
            if job["state"] != "SETTLED" or job["verdict"] != "PASS" or paid == 0 or paid + refunded != price:
                faults.append(f"{name} is honest, but it is {job['state']} ({job['reason']}) and {paid} wei was paid.")
        elif job["state"] != "REFUNDED" or paid != 0 or refunded != price or price == 0:
            faults.append(f"{name} cheats, but it is {job['state']}: {refunded} of {price} wei came back.")
    for row in providers:
        slashed = int(row["slashed_wei"])
        if row["honest"] and slashed:
            faults.append(f"{row['name']} is honest, but {slashed} wei of its stake was slashed.")
        if not row["honest"] and not slashed:
            faults.append(f"{row['name']} cheats, but its stake was not slashed.")
    for name, equation in (("token", ledger.token), ("escrow", ledger.escrow)):
        if not equation.holds:
            faults.append(f"The ledger of the {name} does not balance: {equation.left} is not {equation.right} wei.")
    return faults


def _of(events: Sequence[ChainEvent], kind: type) -> list[Any]:
    return [item.event for item in events if isinstance(item.event, kind)]
