"""One transaction: signing, its price, why it reverted, and sending one from a command line."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import rlp
from eth_utils import to_canonical_address

from protocol.chain.chain import Chain
from protocol.chain.node_answers import Receipt
from protocol.chain.records import Call, TxReceipt
from protocol.chain.rpc import Fees, NodeRejected
from protocol.encoding import keccak, to_hex
from protocol.errors import ChainRefused, ChainUnreachable, MallaError, Unavailable
from protocol.signing import Signer

_DYNAMIC_FEE = b"\x02"
"""Type byte of an EIP-1559 transaction."""


@dataclass(frozen=True)
class Price:
    """Wei of gas price: the most that is paid, and the part of it that goes to the block's producer."""

    max_fee: int
    tip: int


@dataclass(frozen=True)
class SignedTransaction:
    raw: bytes
    hash: bytes
    nonce: int
    price: Price


def sign(signer: Signer, chain_id: int, nonce: int, gas: int, price: Price, call: Call) -> SignedTransaction:
    """An EIP-1559 transaction; the same arguments give the same bytes."""
    fields = [chain_id, nonce, price.tip, price.max_fee, gas, to_canonical_address(call.to), call.value, call.data, []]
    signature = signer.sign(keccak(_DYNAMIC_FEE + rlp.encode(fields)))
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
    raw = _DYNAMIC_FEE + rlp.encode([*fields, signature[64] - 27, r, s])
    return SignedTransaction(raw, keccak(raw), nonce, price)


def with_margin(gas: int) -> int:
    """A gas limit above an estimate: what others do in between may cost a little more."""
    return gas * 5 // 4 + 10_000


def first_price(fees: Fees, cap: int) -> Price:
    """Room for the base fee to double, never above the cap."""
    tip = max(fees.tip, 1)
    max_fee = min(2 * fees.base + tip, cap)
    return Price(max_fee, min(tip, max_fee))


def bumped_price(last: Price, fees: Fees, cap: int) -> Price | None:
    """At least 12.5 % more of both, as nodes ask for a replacement; None when that would pass the cap."""
    tip = max(_bumped(last.tip), fees.tip)
    max_fee = max(_bumped(last.max_fee), 2 * fees.base + tip)
    if max_fee > cap:
        tip, max_fee = _bumped(last.tip), _bumped(last.max_fee)
    return Price(max_fee, tip) if max_fee <= cap else None


def revert_cause(chain: Chain, call: Call, sender: str, gas: int, receipt: Receipt) -> ChainRefused:
    """Why a transaction in a block failed, found by carrying it out again on the state before and after its block."""
    place = f"Transaction {to_hex(receipt.tx_hash)} in block {receipt.block}"
    for block in (receipt.block - 1, receipt.block):
        try:
            chain.rpc.call(call.to, call.data, block, sender, call.value)
        except ChainRefused as refused:
            return refused
        except ChainUnreachable:
            continue  # a node that keeps no old state; the other block may still be there
    if receipt.gas_used >= gas:
        return ChainRefused("OutOfGas", {"gas": gas}, f"{place} used all of its {gas} gas.", "Send it with more gas.")
    return ChainRefused("Reverted", {}, f"{place} reverted; the cause does not show any more.", "Try it again.")


def send_and_wait(chain: Chain, signer: Signer, call: Call, confirmations: int = 1, timeout: float = 60,
                  on_progress: Callable[[str], None] | None = None) -> TxReceipt:
    """Send from a command line without a database and wait for `confirmations` blocks (1: it is in a block).

    `timeout` in seconds; `on_progress` gets one sentence a step. Raises ChainRefused when it would revert or did,
    Unavailable when it is not confirmed in time (it may still be), ChainUnreachable.
    """
    tell = on_progress or (lambda _: None)
    gas = with_margin(chain.simulate(call, signer.address).gas)
    price = first_price(chain.rpc.fees(), cap=2**63)
    nonce = chain.rpc.nonce(signer.address, "pending")
    signed = sign(signer, chain.deployment.chain_id, nonce, gas, price, call)
    try:
        chain.rpc.send_raw(signed.raw)
    except NodeRejected as rejected:
        raise _rejection(rejected.message) from rejected
    tell(f"Sent {to_hex(signed.hash)}: {call.what}")
    receipt = _wait(chain, signed, confirmations, timeout)
    if not receipt.succeeded:
        raise revert_cause(chain, call, signer.address, gas, receipt)
    tell(f"Block {receipt.block} holds it; it used {receipt.gas_used} gas.")
    found = chain.receipt(signed.hash)
    return found or TxReceipt(signed.hash, receipt.block, receipt.gas_used)


def pauses() -> Iterator[float]:
    """Seconds between looks for a receipt: a local node often has it at once, any other is left alone for longer."""
    pause = 0.01
    while True:
        yield pause
        pause = min(2 * pause, 0.25)


def _wait(chain: Chain, signed: SignedTransaction, confirmations: int, timeout: float) -> Receipt:
    end, pause = time.monotonic() + timeout, pauses()
    while time.monotonic() < end:
        receipt = chain.rpc.receipt(signed.hash)
        if receipt is not None and (not receipt.succeeded or _depth(chain, receipt) >= confirmations):
            return receipt
        if receipt is None and not chain.rpc.is_known(signed.hash):
            _offer_again(chain, signed)
        time.sleep(next(pause))
    raise Unavailable(
        f"Transaction {to_hex(signed.hash)} is not confirmed after {timeout:g} s; it may still be.",
        "Look it up by its hash before you repeat the command.",
    )


def _offer_again(chain: Chain, signed: SignedTransaction) -> None:
    try:
        chain.rpc.send_raw(signed.raw)
    except NodeRejected:
        return  # mined this moment, or still refused: the next look or the timeout tells


def _depth(chain: Chain, receipt: Receipt) -> int:
    return chain.head().number - receipt.block + 1


def _rejection(message: str) -> MallaError:
    if "insufficient funds" in message.lower():
        return ChainRefused("InsufficientFunds", {}, "The account cannot pay for gas and value.",
                            "Send some of the chain's coin to the account that signs.")
    return Unavailable(
        f"The chain's node did not take the transaction: {message[:200]}.",
        "Another transaction of the same key may be on its way; wait for it and repeat the command.",
    )


def _bumped(fee: int) -> int:
    return fee + fee // 8 + 1
