"""A deployed market on a real Anvil, moved by `protocol.chain` alone: what passes here, the nodes can do."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

from eth_abi import encode
from eth_utils.abi import collapse_if_tuple

from protocol.chain.chain import Chain
from protocol.chain.connect import connect
from protocol.chain.deployment import Deployment
from protocol.chain.events import BatchCommitted, JobOpened
from protocol.chain.records import Call, TxReceipt
from protocol.chain.rpc import Rpc
from protocol.chain.sender import send_and_wait
from protocol.encoding import keccak, to_hex
from protocol.messages import Domain, entries_hash, node_key_digest, offer_digest, settlement_digest
from protocol.signing import Signer
from protocol.types import BatchHead, Commitment, Decision, Entry, Job, Offer, Outcome, SignedOffer
from protocol.units import TOKEN, Address, Wei
from scripts.build import ARTIFACTS, compile_contracts
from scripts.plan import (
    LOCAL_CHAIN_ID,
    ORDER,
    Plan,
    constructor_arguments,
    deployment_record,
    plan,
    predicted_addresses,
)
from scripts.testnet.watching import wait_until

STAKE, DEPOSIT = 2_000 * TOKEN, 1_000 * TOKEN
COIN = 10 * 10**18


def signer(name: str) -> Signer:
    return Signer(keccak(name.encode()))


ORACLES = [signer(f"oracle {place}") for place in range(4)]


def deploy(rpc: Rpc, treasury: str) -> Deployment:
    """The "test" plan, deployed from Brownie's artifacts by an account that the node has unlocked."""
    what = plan("test", treasury, [oracle.address for oracle in ORACLES])
    addresses = predicted_addresses(treasury, rpc.nonce(treasury))
    arguments = constructor_arguments(what, addresses)
    block = rpc.head().number
    for name in ORDER:
        transact(rpc, treasury, None, _creation_code(name) + _encoded(name, arguments[name]))
    hashes = {name: to_hex(keccak(rpc.code(addresses[name]))) for name in ORDER}
    record = deployment_record(LOCAL_CHAIN_ID, block, addresses, hashes, what)
    fields = {field.name: record[field.name] for field in dataclasses.fields(Deployment)}
    return Deployment(**fields | {"seats": tuple(record["seats"])})


def transact(rpc: Rpc, sender: str, to: str | None, data: bytes = b"", value: int = 0) -> None:
    """Let the node sign with one of its unlocked accounts, and see that it worked."""
    message = {"from": sender, "data": to_hex(data), "value": hex(value)} | ({"to": to} if to else {})
    tx_hash = bytes.fromhex(rpc.request("eth_sendTransaction", [message])[2:])
    assert wait_until(lambda: rpc.receipt(tx_hash) is not None, 60, 0.005), "the transaction is in no block"
    receipt = rpc.receipt(tx_hash)
    assert receipt is not None and receipt.succeeded, receipt


class Market:
    """Four oracles, one provider with an owner and a node key, one requester; one method for each move."""

    def __init__(self, url: str) -> None:
        self.rpc = Rpc(url)
        self.treasury: str = self.rpc.request("eth_accounts", [])[0]
        self.plan: Plan = plan("test", self.treasury, [oracle.address for oracle in ORACLES])
        self.chain: Chain = connect(url, deploy(self.rpc, self.treasury))
        self.owner, self.node, self.requester = signer("owner"), signer("node"), signer("requester")
        self._nonce = 0
        for one in (self.owner, self.node, self.requester, *ORACLES):
            self.fund(one.address)
        for oracle in ORACLES:
            self.send(oracle, self.chain.approve(self.chain.deployment.committee, self.plan.seat_stake))
            self.send(oracle, self.chain.join(f"http://{oracle.address}", keccak(b"key"), keccak(b"anchor")))
        self.register(self.owner, self.node)
        self.send(self.owner, self.chain.approve(self.chain.deployment.staking, STAKE))
        self.send(self.owner, self.chain.stake(STAKE))
        self.send(self.requester, self.chain.approve(self.chain.deployment.escrow, DEPOSIT))
        self.send(self.requester, self.chain.deposit(DEPOSIT))

    @property
    def domain(self) -> Domain:
        return self.chain.domain

    def fund(self, address: str) -> None:
        transact(self.rpc, self.treasury, address, value=COIN)
        call = self.chain.transfer(address, 10_000 * TOKEN)
        transact(self.rpc, self.treasury, call.to, call.data)

    def send(self, who: Signer, call: Call) -> TxReceipt:
        return send_and_wait(self.chain, who, call)

    def register(self, owner: Signer, node: Signer) -> TxReceipt:
        consent = node.sign(node_key_digest(self.chain.staking_domain, owner.address, node.address))
        return self.send(owner, self.chain.register(node.address, keccak(b"seal"), bytes(32), consent))

    def offer(self, **changes: Any) -> SignedOffer:
        base = Offer(
            provider=self.owner.address,
            model=keccak(b"model"),
            profile=keccak(b"profile"),
            input_price=Wei(TOKEN // 1000),
            output_price=Wei(TOKEN // 200),
            max_input_tokens=1_000,
            max_output_tokens=1_000,
            min_duration=60,
            max_outstanding=Wei(100 * TOKEN),
            nonce=1,
            expiry=2**39,
        )
        offer = dataclasses.replace(base, **changes)
        return SignedOffer(offer, self.node.sign(offer_digest(self.domain, offer)))

    def open(self, **changes: Any) -> JobOpened:
        """One job of 10 + 20 tokens."""
        receipt = self.send(self.requester, self.opening(**changes))
        return next(found.event for found in receipt.events if isinstance(found.event, JobOpened))

    def opening(self, **changes: Any) -> Call:
        self._nonce += 1
        arguments: dict[str, Any] = {
            "offer": self.offer(), "spec_digest": keccak(b"spec"), "input_tokens": 10, "max_output_tokens": 20,
            "duration": 600, "nonce": self._nonce,
        }
        return self.chain.open_job(**(arguments | changes))

    def commitment(self, job: Job) -> Commitment:
        return Commitment(job, Wei(job.price // 2), keccak(b"leaf"), keccak(b"answer"))

    def commit(self, jobs: Sequence[Job]) -> BatchCommitted:
        receipt = self.send(self.node, self.chain.commit_batch([self.commitment(job) for job in jobs]))
        return next(found.event for found in receipt.events if isinstance(found.event, BatchCommitted))

    def head(self, batch_id: int) -> BatchHead:
        """As anybody builds it: from the event and its block."""
        placed = self.chain.commitment_of(batch_id)
        assert placed is not None and isinstance(placed.event, BatchCommitted)
        return placed.event.head(placed.block, placed.timestamp)

    def settling(self, decisions: Sequence[Decision], entries: Sequence[Sequence[Entry]], signers: int = 3) -> Call:
        digest = settlement_digest(self.domain, 4, decisions)
        heads = [self.head(one.batch_id) for one in decisions]
        return self.chain.settle(4, decisions, heads, entries, [oracle.sign(digest) for oracle in ORACLES[:signers]])


def decision(batch: BatchCommitted, outcome: Outcome = Outcome.PASS, auditors: int = 0) -> Decision:
    amount = sum(entry.amount for entry in batch.entries) if outcome is Outcome.PASS else 0
    return Decision(batch.batch_id, entries_hash(batch.entries), outcome, Wei(amount), auditors)


def address_of(name: str) -> Address:
    """Where the key of that name receives."""
    return signer(name).address


def _creation_code(name: str) -> bytes:
    if not (ARTIFACTS / f"{name}.json").exists():
        compile_contracts()
    return bytes.fromhex(json.loads((ARTIFACTS / f"{name}.json").read_text())["bytecode"])


def _encoded(name: str, arguments: list[Any]) -> bytes:
    abi = json.loads((ARTIFACTS / f"{name}.json").read_text())["abi"]
    inputs = next(part["inputs"] for part in abi if part["type"] == "constructor")
    return encode([collapse_if_tuple(item) for item in inputs], arguments)
