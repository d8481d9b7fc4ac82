"""`ports.Wallet`: the requester's key. One transaction at a time gets a nonce, in this process and in all others."""

from __future__ import annotations

import fcntl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from protocol.chain.chain import Chain
from protocol.chain.records import Call
from protocol.chain.rpc import NodeRejected
from protocol.chain.transactions import (
    SignedTransaction,
    first_price,
    pauses,
    revert_cause,
    sign,
    with_margin,
)
from protocol.encoding import keccak, to_hex
from protocol.errors import ChainUnreachable, Unavailable
from protocol.sealing import derive_secret
from protocol.signing import Signer
from protocol.units import Address, Digest
from requester.ports.jobs import Mined

MAX_GAS_PRICE = 500 * 10**9
"""Wei a unit of gas that is never passed."""
RESEND_AFTER = 8.0
ATTEMPTS = 5


class KeyWallet:
    """Safe to share between threads; `lock_file` keeps other processes with the same key from taking a nonce twice."""

    def __init__(self, chain: Chain, private_key: bytes, lock_file: Path, timeout: float = 90.0) -> None:
        self._chain, self._key = chain, private_key
        self._lock_file, self._timeout = lock_file, timeout
        self._lock = threading.Lock()
        self._sent: dict[Digest, bytes] = {}
        self.signer = Signer(private_key)

    @property
    def address(self) -> Address:
        return self.signer.address

    def __repr__(self) -> str:
        return f"KeyWallet({self.address})"

    def reply_secret(self, nonce: int) -> bytes:
        """The X25519 secret to which the answer of the job with that nonce is sealed."""
        return derive_secret(self._key, f"malla/reply/v1/{nonce}")

    def signer_of(self, key_id: str) -> Signer:
        """The wallet's own key for an empty id, else the sub-key of that API key."""
        return Signer(derive_secret(self._key, f"malla/subkey/v1/{key_id}")) if key_id else self.signer

    def send(self, call: Call, before_send: Callable[[Digest, bytes], None] | None = None) -> Digest:
        """Simulates first, so a refusal of the contract costs nothing and says why."""
        gas = with_margin(self._chain.simulate(call, self.address).gas)
        for attempt in range(ATTEMPTS):
            with self._turn():
                signed = self._sign(call, gas)
                tx_hash = Digest(signed.hash)
                if before_send is not None:
                    before_send(tx_hash, signed.raw)
                try:
                    self._chain.rpc.send_raw(signed.raw)
                except NodeRejected as rejection:
                    if not _is_nonce_taken(rejection) or attempt == ATTEMPTS - 1:
                        raise
                    continue
                self._sent[tx_hash] = signed.raw
                return tx_hash
        raise AssertionError("the last attempt returns or raises")

    def resend(self, raw: bytes) -> bool:
        tx_hash = keccak(raw)
        try:
            if not self._chain.rpc.is_known(tx_hash):
                self._chain.rpc.send_raw(raw)
        except NodeRejected as rejection:
            if _is_nonce_taken(rejection):
                return False
            raise
        self._sent[tx_hash] = raw
        return True

    def wait(self, tx_hash: Digest) -> Mined:
        """Waits until a block has the transaction; sends it again when the node has lost it."""
        end, resend_at = time.monotonic() + self._timeout, time.monotonic() + RESEND_AFTER
        pause = pauses()
        while True:
            receipt = self._chain.receipt(tx_hash)
            if receipt is not None:
                self._sent.pop(tx_hash, None)
                if not receipt.succeeded:
                    self._raise_revert(tx_hash)
                return Mined(tx_hash, receipt.block, receipt.gas_used)
            now = time.monotonic()
            if now > end:
                raise Unavailable(f"The transaction {to_hex(tx_hash)} is not in a block after {self._timeout:.0f} s.",
                                  "It may still be mined: go on with the job later, nothing is sent twice.")
            if now > resend_at and tx_hash in self._sent:
                resend_at = now + RESEND_AFTER
                self._resend_quietly(self._sent[tx_hash])
            time.sleep(next(pause))

    def _resend_quietly(self, raw: bytes) -> None:
        try:
            self.resend(raw)
        except ChainUnreachable:
            return  # the next round tries again, until the timeout

    def _sign(self, call: Call, gas: int) -> SignedTransaction:
        price = first_price(self._chain.rpc.fees(), MAX_GAS_PRICE)
        nonce = self._chain.rpc.nonce(self.address, "pending")
        return sign(self.signer, self._chain.deployment.chain_id, nonce, gas, price, call)

    def _raise_revert(self, tx_hash: Digest) -> None:
        found = self._chain.rpc.request("eth_getTransactionByHash", [to_hex(tx_hash)])
        receipt = self._chain.rpc.receipt(tx_hash)
        if not found or receipt is None:
            raise Unavailable(f"The transaction {to_hex(tx_hash)} left its block again.", "Go on with the job.")
        call = Call(Address(found["to"]), bytes.fromhex(found["input"][2:]), "")
        raise revert_cause(self._chain, call, self.address, int(found["gas"], 16), receipt)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        with self._lock, self._lock_file.open("a") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            yield


def _is_nonce_taken(rejection: NodeRejected) -> bool:
    lower = rejection.message.lower()
    return "nonce too low" in lower or "replacement transaction underpriced" in lower or "already mined" in lower
