"""The two ledger equations, each side read from the chain on its own, at one block.

Token: what was ever made = what everyone holds. Escrow: what the contract holds = what it owes. Accounts are found in
the token's own Transfer log and in the contracts' events, so no list of ours decides who counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from eth_utils import to_checksum_address

from protocol.chain.chain import Chain
from protocol.chain.events import (
    AuditFeePaid,
    BatchCommitted,
    ChainEvent,
    Deposited,
    JobOpened,
    SessionOpened,
    SubmitFeePaid,
)
from protocol.chain.node_answers import Log
from protocol.encoding import keccak
from protocol.types import BatchState, JobState, SessionState
from protocol.units import Address

TRANSFER = keccak(b"Transfer(address,address,uint256)")
NOBODY = Address("0x" + "00" * 20)
LIVE = (SessionState.OPEN, SessionState.CLOSING)


@dataclass(frozen=True)
class Equation:
    """`left` and `right` in wei, and the named terms that they are the sums of; it holds when both are equal."""

    left: int
    right: int
    left_terms: dict[str, int] = field(default_factory=dict)
    right_terms: dict[str, int] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        return self.left == self.right


@dataclass(frozen=True)
class Ledger:
    block: int
    token: Equation
    escrow: Equation


def read_ledger(chain: Chain, block: int) -> Ledger:
    """Both equations at the end of `block`. Raises ChainUnreachable."""
    return Ledger(block, read_token_equation(chain, block), read_escrow_equation(chain, block))


def read_token_equation(chain: Chain, block: int) -> Equation:
    """genesis + minted − burned = wallets + every contract.

    The left side comes from the Transfer log alone, the right side from balances alone.
    """
    moves = [_move(log) for log in chain.rpc.logs(0, block, [chain.deployment.token], [TRANSFER])]
    genesis = chain.genesis_supply()
    minted = sum(amount for source, _, amount in moves if source == NOBODY)
    burned = sum(amount for _, target, amount in moves if target == NOBODY)
    holders = {account for source, target, _ in moves for account in (source, target)} - {NOBODY}
    contracts = chain.deployment.addresses
    right: dict[str, int] = {name: chain.token_balance(address, block) for name, address in contracts.items()}
    wallets = holders - set(contracts.values())
    right["wallets"] = sum(chain.token_balance(account, block) for account in sorted(wallets))
    left: dict[str, int] = {"genesis": genesis, "minted_since": minted - genesis, "burned": -burned}
    return Equation(sum(left.values()), sum(right.values()), left, right)


def read_escrow_equation(chain: Chain, block: int) -> Equation:
    """token.balanceOf(escrow) = free balances + reserves of open jobs + what no committed voucher claims of a session's
    cap + unmatured pay + fees not yet burned."""
    events = chain.events(0, block)
    opened = [event.event for event in events if isinstance(event.event, JobOpened)]
    states = {event.job_id: chain.job(event.job_id, block).state for event in opened}
    sessions = [chain.session(item.event.session_id, block) for item in events if isinstance(item.event, SessionOpened)]
    batches = [item.event for item in events if isinstance(item.event, BatchCommitted)]
    vouchers = {event.batch_id: sum(entry.price for entry in event.entries if entry.is_voucher) for event in batches}
    unpaid = [batch_id for batch_id, price in vouchers.items()
              if price and chain.batch(batch_id, block).state in (BatchState.PENDING, BatchState.FROZEN)]
    right: dict[str, int] = {
        "free_balances": sum(chain.free_balance(account, block) for account in sorted(_accounts(events))),
        "open_reserves": sum(event.job.price for event in opened if states[event.job_id] is JobState.OPEN),
        "session_reserves": sum(its.cap - its.committed for its in sessions if its.state in LIVE),
        "unmatured_pay": sum(event.job.price for event in opened if states[event.job_id] is JobState.COMMITTED)
        + sum(vouchers[batch_id] for batch_id in unpaid),
        "fees_to_burn": chain.fees_to_burn(block),
    }
    left: dict[str, int] = {"balance_of_escrow": chain.token_balance(chain.deployment.escrow, block)}
    return Equation(sum(left.values()), sum(right.values()), left, right)


def _accounts(events: Iterable[ChainEvent]) -> set[Address]:
    """Everyone whom the escrow can owe: depositors, requesters, providers, oracles that were paid for their work."""
    found: set[Address] = set()
    for item in events:
        event = item.event
        if isinstance(event, Deposited):
            found.add(event.account)
        elif isinstance(event, JobOpened):
            found |= {event.job.requester, event.job.provider}
        elif isinstance(event, SessionOpened):
            found |= {event.requester, event.provider}
        elif isinstance(event, BatchCommitted):
            found.add(event.provider)
        elif isinstance(event, AuditFeePaid | SubmitFeePaid):
            found.add(event.oracle)
    return found


def _move(log: Log) -> tuple[Address, Address, int]:
    source, target = (Address(to_checksum_address(topic[-20:])) for topic in log.topics[1:3])
    return source, target, int.from_bytes(log.data, "big")
