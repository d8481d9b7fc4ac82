"""The wallet: what a node may answer to a transaction, and that no nonce is taken twice."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from protocol.chain.records import Call, Simulation, TxReceipt
from protocol.chain.rpc import Fees, NodeRejected
from protocol.encoding import keccak
from protocol.errors import ChainRefused, Unavailable
from protocol.sealing import derive_secret
from protocol.units import Address, Digest
from requester.edges import wallet
from requester.edges.wallet import KeyWallet

KEY = (7).to_bytes(32, "big")
CALL = Call(Address("0x" + "11" * 20), b"\x01", "Do something.")


@dataclass
class FakeNode:
    """A chain and its node in one: `rejects` are the answers to the next transactions, "" takes one."""

    taken: list[bytes] = field(default_factory=list)
    rejects: list[str] = field(default_factory=list)
    nonces: list[int] = field(default_factory=list)
    receipts: dict[bytes, TxReceipt] = field(default_factory=dict)
    refuses: ChainRefused | None = None
    known: bool = True
    deployment: Any = field(default_factory=lambda: SimpleNamespace(chain_id=31337))

    @property
    def rpc(self) -> FakeNode:
        return self

    def simulate(self, call: Call, sender: str) -> Simulation:
        if self.refuses is not None:
            raise self.refuses
        return Simulation(50_000, ())

    def fees(self) -> Fees:
        return Fees(10**9, 10**9)

    def nonce(self, address: str, block: str) -> int:
        self.nonces.append(len(self.taken))
        return len(self.taken)

    def send_raw(self, raw: bytes) -> None:
        said = self.rejects.pop(0) if self.rejects else ""
        if said:
            raise NodeRejected(said)
        self.taken.append(raw)

    def is_known(self, tx_hash: bytes) -> bool:
        return self.known

    def receipt(self, tx_hash: bytes) -> TxReceipt | None:
        return self.receipts.get(tx_hash)


@pytest.fixture
def node() -> FakeNode:
    return FakeNode()


@pytest.fixture
def purse(node: FakeNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KeyWallet:
    monkeypatch.setattr(wallet, "RESEND_AFTER", 0.0)
    return KeyWallet(node, KEY, tmp_path / "lock", timeout=0.05)  # type: ignore[arg-type]


def test_send__contract_refuses__signs_and_remembers_nothing(node: FakeNode, purse: KeyWallet) -> None:
    node.refuses = ChainRefused("OfferExpired", {}, "The offer is expired.")
    with pytest.raises(ChainRefused, match="expired"):
        purse.send(CALL, lambda tx_hash, raw: pytest.fail("signed"))
    assert node.taken == []


def test_send__node_rejects_for_another_reason__is_raised(node: FakeNode, purse: KeyWallet) -> None:
    node.rejects = ["intrinsic gas too low"]
    with pytest.raises(NodeRejected, match="intrinsic"):
        purse.send(CALL)


def test_send__nonce_taken_again_and_again__gives_up(node: FakeNode, purse: KeyWallet) -> None:
    node.rejects = ["nonce too low"] * 9
    with pytest.raises(NodeRejected, match="nonce too low"):
        purse.send(CALL)
    assert len(node.rejects) == 9 - wallet.ATTEMPTS


def test_send__nonce_taken_by_another_process__takes_the_next(node: FakeNode, purse: KeyWallet) -> None:
    node.rejects = ["nonce too low", "replacement transaction underpriced"]
    seen: list[bytes] = []
    tx_hash = purse.send(CALL, lambda tx_hash, raw: seen.append(raw))
    assert len(seen) == 3 and node.taken == [seen[-1]] and tx_hash == keccak(seen[-1])


def test_send__before_send__happens_before_the_node_sees_it(node: FakeNode, purse: KeyWallet) -> None:
    def remember(tx_hash: Digest, raw: bytes) -> None:
        assert node.taken == [] and tx_hash == keccak(raw)

    purse.send(CALL, remember)
    assert len(node.taken) == 1


def test_send__many_threads__take_one_nonce_each(node: FakeNode, purse: KeyWallet) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: purse.send(CALL), range(40)))
    assert node.nonces == list(range(40)) and len(set(node.taken)) == 40


def test_resend__nonce_used_by_another__says_that_it_is_lost(node: FakeNode, purse: KeyWallet) -> None:
    node.known, node.rejects = False, ["nonce too low: next nonce 5"]
    assert purse.resend(b"raw") is False


def test_resend__node_has_it__is_not_sent_again(node: FakeNode, purse: KeyWallet) -> None:
    assert purse.resend(b"raw") is True and node.taken == []


def test_resend__node_lost_it__sends_the_same_bytes(node: FakeNode, purse: KeyWallet) -> None:
    node.known = False
    assert purse.resend(b"raw") is True and node.taken == [b"raw"]


def test_wait__never_mined__is_unavailable_and_was_sent_again(node: FakeNode, purse: KeyWallet) -> None:
    tx_hash = purse.send(CALL)
    node.known = False
    with pytest.raises(Unavailable, match="not in a block"):
        purse.wait(tx_hash)
    assert len(node.taken) > 1 and set(node.taken) == {node.taken[0]}


def test_wait__mined__returns_block_and_gas(node: FakeNode, purse: KeyWallet) -> None:
    tx_hash = purse.send(CALL)
    node.receipts[tx_hash] = TxReceipt(tx_hash, 9, 44_000)
    mined = purse.wait(tx_hash)
    assert (mined.block, mined.gas_used) == (9, 44_000)


def test_reply_secret__each_nonce__has_its_own_and_can_be_derived_again(purse: KeyWallet) -> None:
    assert purse.reply_secret(1) == derive_secret(KEY, "malla/reply/v1/1") != purse.reply_secret(2)


def test_repr__wallet__shows_no_key(purse: KeyWallet) -> None:
    assert KEY.hex() not in repr(purse) and purse.address in repr(purse)
