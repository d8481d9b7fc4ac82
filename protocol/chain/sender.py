"""Sends each call once: the nonce is reserved and the signed transaction persisted before anything leaves.

A crash between the two loses nothing: `pump` sends what the node does not know. A nonce is never given out twice and
the next one is never lowered; whatever happens to the node, each nonce stays with the call that has it.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Engine

from protocol.chain.chain import Chain
from protocol.chain.node_answers import Receipt
from protocol.chain.outbox import Outbox, Outgoing
from protocol.chain.records import BlockRef, Call
from protocol.chain.rpc import NodeRejected
from protocol.chain.tables import CHAIN_METADATA
from protocol.chain.transactions import (
    Price,
    SignedTransaction,
    bumped_price,
    first_price,
    revert_cause,
    send_and_wait,
    sign,
    with_margin,
)
from protocol.errors import ChainUnreachable
from protocol.signing import Signer

__all__ = ["CHAIN_METADATA", "Sender", "TxOutcome", "send_and_wait"]

MAX_FEE_CAP = 500 * 10**9
"""Wei of gas price that is never passed."""
_TRANSFER_GAS = 21_000


@dataclass(frozen=True)
class TxOutcome:
    """`status` is PENDING (not in a block), MINED (in a block, not final), FINAL, or REVERTED (final, and failed).

    `error` tells, as soon as it is known, why a mined transaction failed, or why the node does not take a pending one.
    """

    status: str
    tx_hash: bytes
    block: int | None
    gas_used: int | None
    error: str | None


class Sender:
    """One signing key in one database; any number of processes may share both."""

    def __init__(self, engine: Engine, chain: Chain, signer: Signer, confirmations: int = 2, bump_after: int = 3,
                 max_fee_cap: int = MAX_FEE_CAP) -> None:
        """`bump_after`: blocks without inclusion before the fee rises; `max_fee_cap`: wei of gas price never passed."""
        self._chain, self._signer = chain, signer
        self._confirmations, self._bump_after, self._cap = confirmations, bump_after, max_fee_cap
        self._outbox = Outbox(engine, chain.deployment.chain_id, signer.address)
        self._overtaken: dict[int, int] = {}
        """Block at which we first saw that the nonce of a transaction is used by none of its attempts."""

    def submit(self, key: str, call: Call, gas: int | None = None) -> None:
        """Send `call` once under `key`: a second submit with the same key does nothing.

        Raises ChainRefused when the call would revert (nothing is persisted then) and ChainUnreachable when the node
        could not be asked; pass `gas` to skip the simulation. Once persisted, a silent node is no error any more.
        """
        if self._outbox.find(key) is not None:
            return
        if gas is None:
            gas = with_margin(self._chain.simulate(call, self._signer.address).gas)
        price = first_price(self._chain.rpc.fees(), self._cap)
        head, floor = self._chain.head().number, self._chain.rpc.nonce(self._signer.address, "pending")
        with self._outbox.exclusive() as turn:
            if turn.has(key):
                return
            nonce = turn.take_nonce(floor)
            signed = self._sign(nonce, gas, price, call)
            turn.add(key, call, gas, signed, head)
        self._send_latest(key)

    def pump(self) -> int:
        """Resend, bump, follow receipts, fill gaps; call it every second or so. Returns how many are not final."""
        head = self._chain.head()
        self._fill_gaps(head)
        for outgoing in self._outbox.open():
            self._follow(outgoing, head)
        return len(self._outbox.open())

    def outcome(self, key: str) -> TxOutcome | None:
        """What became of `key`; None when it was never submitted."""
        found = self._outbox.find(key)
        if found is None:
            return None
        return TxOutcome(found.status, found.tx_hash, found.block, found.gas_used, found.error)

    def _follow(self, outgoing: Outgoing, head: BlockRef) -> None:
        receipt = self._receipt(outgoing)
        if receipt is not None:
            self._overtaken.pop(outgoing.id, None)
            self._note(outgoing, receipt, head)
            return
        if outgoing.status != "PENDING":
            self._outbox.reopen(outgoing.id)  # its block left the chain
        if self._is_overtaken(outgoing, head):
            self._renumber(outgoing, head)
        elif head.number - outgoing.sent_at_block >= self._bump_after and self._bump(outgoing, head):
            return
        elif not self._chain.rpc.is_known(outgoing.tx_hash):
            self._send(outgoing)

    def _note(self, outgoing: Outgoing, receipt: Receipt, head: BlockRef) -> None:
        is_final = head.number - receipt.block >= self._confirmations
        if outgoing.block_hash == receipt.block_hash and not is_final:
            return
        error = outgoing.error if outgoing.block_hash == receipt.block_hash else None
        if not receipt.succeeded and error is None:
            cause = revert_cause(self._chain, outgoing.call, self._signer.address, outgoing.gas, receipt)
            error = f"{cause.error}: {cause.message} {cause.fix}".strip()
        status = ("FINAL" if receipt.succeeded else "REVERTED") if is_final else "MINED"
        self._outbox.note(outgoing.id, status, receipt, error)

    def _receipt(self, outgoing: Outgoing) -> Receipt | None:
        """Any of the attempts may have been mined; the latest is the likeliest."""
        for attempt in self._outbox.attempts(outgoing.id):
            receipt = self._chain.rpc.receipt(attempt)
            if receipt is not None:
                return receipt
        return None

    def _is_overtaken(self, outgoing: Outgoing, head: BlockRef) -> bool:
        """Whether, for as many blocks as make one final, the nonce is used and none of our attempts is in a block:
        another program has signed with this key."""
        if self._chain.rpc.nonce(self._signer.address) <= outgoing.nonce:
            self._overtaken.pop(outgoing.id, None)
            return False
        since = self._overtaken.setdefault(outgoing.id, head.number)
        return head.number - since >= max(self._confirmations, 1) and self._receipt(outgoing) is None

    def _renumber(self, outgoing: Outgoing, head: BlockRef) -> None:
        """The old attempts can never be mined any more: the call gets a fresh nonce."""
        price = first_price(self._chain.rpc.fees(), self._cap)
        floor = self._chain.rpc.nonce(self._signer.address, "pending")
        with self._outbox.exclusive() as turn:
            if turn.attempts_of(outgoing.id) != outgoing.attempts:
                return
            nonce = turn.take_nonce(floor)
            signed = self._sign(nonce, outgoing.gas, price, outgoing.call)
            turn.add_attempt(outgoing.id, signed, head.number)
        self._overtaken.pop(outgoing.id, None)
        self._send_latest(outgoing.key)

    def _bump(self, outgoing: Outgoing, head: BlockRef) -> bool:
        """Sign again with the same nonce and a higher price. False when that would pass the cap."""
        price = bumped_price(outgoing.price, self._chain.rpc.fees(), self._cap)
        if price is None:
            return False
        with self._outbox.exclusive() as turn:
            if turn.attempts_of(outgoing.id) != outgoing.attempts:
                return True  # another process did it
            signed = self._sign(outgoing.nonce, outgoing.gas, price, outgoing.call)
            turn.add_attempt(outgoing.id, signed, head.number)
        self._send_latest(outgoing.key)
        return True

    def _fill_gaps(self, head: BlockRef) -> None:
        """A nonce below our lowest open one that the chain still waits for holds up everything after it. It belongs to
        a transaction that was final and is lost (the node went back), or to nobody: then a transfer of nothing uses it.
        """
        waited_for = self._chain.rpc.nonce(self._signer.address, "pending")
        for nonce in range(waited_for, self._outbox.lowest_open_nonce()):
            if self._outbox.reopen_nonce(nonce):
                continue
            price = first_price(self._chain.rpc.fees(), self._cap)
            call = Call(self._signer.address, b"", f"Use up the nonce {nonce}, which nothing else does.")
            signed = self._sign(nonce, _TRANSFER_GAS, price, call)
            with self._outbox.exclusive() as turn:
                if not turn.has(f"fill:{nonce}"):
                    turn.add(f"fill:{nonce}", call, _TRANSFER_GAS, signed, head.number)

    def _sign(self, nonce: int, gas: int, price: Price, call: Call) -> SignedTransaction:
        return sign(self._signer, self._chain.deployment.chain_id, nonce, gas, price, call)

    def _send_latest(self, key: str) -> None:
        latest = self._outbox.find(key)
        if latest is not None:
            self._send(latest)

    def _send(self, outgoing: Outgoing) -> None:
        """Hand it to the node; what goes wrong is written down, and the next pump tries again."""
        try:
            self._chain.rpc.send_raw(outgoing.raw)
        except NodeRejected as rejected:
            self._outbox.complain(outgoing.id, f"The chain's node does not take it: {rejected.message[:200]}.")
        except ChainUnreachable:
            return
