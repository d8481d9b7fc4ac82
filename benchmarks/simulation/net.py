"""The real contracts on an Anvil of their own, moved in bulk: many transactions a block, each seen to succeed.

The node signs transactions for accounts that are not its own (`anvil_impersonateAccount`), which is what makes a
thousand jobs quick. What the contracts check themselves is real: offers and node keys are signed by their providers,
settlements by the committee's keys.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from protocol.chain.chain import Chain
from protocol.chain.connect import connect
from protocol.chain.events import BatchCommitted, ChainEvent
from protocol.chain.records import Call
from protocol.chain.rpc import Rpc
from protocol.draw import RevealChain
from protocol.encoding import keccak, to_hex
from protocol.errors import MallaError
from protocol.messages import node_key_digest, offer_digest, settlement_digest
from protocol.signing import Signer
from protocol.types import Decision, Offer, SignedOffer
from protocol.units import TOKEN, Seconds, Wei
from scripts.plan import Plan, plan
from tests.integration.chain.market import deploy

PURSE = 10_000 * TOKEN
COIN = 10**20
GAS = {"openJob": 700_000, "other": 12_000_000}
INPUT_TOKENS, OUTPUT_TOKENS = 10, 90
TOKEN_PRICE = TOKEN // (INPUT_TOKENS + OUTPUT_TOKENS)
PATIENCE = 30.0
"""Seconds for a transaction to be in a block that was mined after it was sent."""


@dataclass(frozen=True)
class Provider:
    """An identity: whoever it belongs to, the contracts know only these two keys."""

    owner: Signer
    node: Signer


@dataclass(frozen=True)
class Block:
    number: int
    timestamp: int
    events: tuple[ChainEvent, ...]


class Net:
    """Four oracles with seats and reveal chains, and as many other accounts as are asked for, each with a purse."""

    def __init__(self, url: str) -> None:
        self.rpc = Rpc(url, timeout=60)
        self.treasury: str = self.rpc.request("eth_accounts", [])[0]
        self.oracles = [Signer(keccak(f"oracle {seat}".encode())) for seat in range(4)]
        self.plan: Plan = plan("test", self.treasury, [oracle.address for oracle in self.oracles])
        self.chain: Chain = connect(url, deploy(self.rpc, self.treasury))
        self.deployed_at = self._block_of_deployment()
        self.reveals = [RevealChain(keccak(f"reveals {seat}".encode()), 2**14) for seat in range(4)]
        self.sent = 0
        self.rpc.request("evm_setAutomine", [False])
        self.fund(*self.oracles)
        for oracle, reveals in zip(self.oracles, self.reveals, strict=True):
            self.send([(oracle.address, self.chain.approve(self.chain.deployment.committee, self.plan.seat_stake))])
            self.send([(oracle.address, self.chain.join(f"http://{oracle.address}", keccak(b"key"), reveals.anchor))])

    def fund(self, *who: Signer) -> None:
        """Coin for gas and a purse of tokens each."""
        for one in who:
            self.rpc.request("anvil_setBalance", [one.address, hex(COIN)])
            self.rpc.request("anvil_impersonateAccount", [one.address])
        self.send([(self.treasury, self.chain.transfer(one.address, PURSE)) for one in who])

    def provider(self, name: str, stake: int) -> Provider:
        """A new identity with a purse, of which `stake` wei are staked."""
        its = Provider(Signer(keccak(f"{name} owner".encode())), Signer(keccak(f"{name} node".encode())))
        self.fund(its.owner, its.node)
        owner = its.owner.address
        consent = its.node.sign(node_key_digest(self.chain.staking_domain, owner, its.node.address))
        self.send([(owner, self.chain.register(its.node.address, keccak(b"seal"), bytes(32), consent))])
        self.stake(owner, stake)
        return its

    def stake(self, owner: str, amount: int) -> None:
        self.send([(owner, self.chain.approve(self.chain.deployment.staking, amount))])
        self.send([(owner, self.chain.stake(amount))])

    def deposit(self, account: str, amount: int) -> None:
        self.send([(account, self.chain.approve(self.chain.deployment.escrow, amount))])
        self.send([(account, self.chain.deposit(amount))])

    def offer(self, its: Provider) -> SignedOffer:
        """Jobs of one token."""
        offer = Offer(
            provider=its.owner.address, model=keccak(b"model"), profile=keccak(b"profile"),
            input_price=Wei(TOKEN_PRICE), output_price=Wei(TOKEN_PRICE), max_input_tokens=1_000,
            max_output_tokens=1_000, min_duration=Seconds(60), max_outstanding=Wei(200 * TOKEN), nonce=1, expiry=2**39,
        )  # fmt: skip
        return SignedOffer(offer, its.node.sign(offer_digest(self.chain.domain, offer)))

    def opening(self, offer: SignedOffer, nonce: int) -> Call:
        spec = keccak(nonce.to_bytes(8, "big"))
        return self.chain.open_job(offer, spec, INPUT_TOKENS, OUTPUT_TOKENS, 3_000, nonce)

    def settling(self, decisions: Sequence[Decision], batches: Sequence[tuple[BatchCommitted, Block]]) -> Call:
        """Signed by three of the four; entries are shown for what passes."""
        version = self.chain.set_version()
        digest = settlement_digest(self.chain.domain, version, decisions)
        heads = [event.head(block.number, block.timestamp) for event, block in batches]
        lists = [event.entries if one.amount else () for one, (event, _) in zip(decisions, batches, strict=True)]
        return self.chain.settle(version, decisions, heads, lists, [o.sign(digest) for o in self.oracles[:3]])

    def send(self, calls: Iterable[tuple[str, Call]]) -> Block:
        """All in one block, in this order. Raises RuntimeError when one of them fails."""
        hashes = []
        for sender, call in calls:
            gas = GAS["openJob"] if call.what.startswith("Open a job") else GAS["other"]
            message = {"from": sender, "to": call.to, "data": to_hex(call.data), "gas": hex(gas)}
            hashes.append((bytes.fromhex(self.rpc.request("eth_sendTransaction", [message])[2:]), sender, call))
        block = self.mine()
        for tx_hash, sender, call in hashes:
            receipt = self._receipt(tx_hash)
            if not receipt:
                raise RuntimeError(f"'{call.what}' of {sender} failed: {self._cause(sender, call, block.number)}")
        self.sent += len(hashes)
        return block

    def mine(self, blocks: int = 1) -> Block:
        for _ in range(blocks):
            self.rpc.request("evm_mine", [])
        head = self.chain.head()
        return Block(head.number, head.timestamp, tuple(self.chain.events(head.number, head.number)))

    def pass_time(self, seconds: int) -> Block:
        self.rpc.request("evm_increaseTime", [seconds])
        return self.mine()

    def turn(self, block: int) -> str:
        """Whose turn it is to submit (R59)."""
        return self.oracles[(block // 4 + self.chain.set_version()) % 4].address

    def reveals_of(self, block: int) -> list[bytes | None]:
        epoch = block // self.plan.epoch_blocks
        return [chain.reveal(epoch, 0) for chain in self.reveals]

    def _receipt(self, tx_hash: bytes) -> bool:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            found = self.rpc.request("eth_getTransactionReceipt", [to_hex(tx_hash)])
            if found:
                return int(found["status"], 16) == 1
            self.mine()  # the block was full
        return False

    def _cause(self, sender: str, call: Call, block: int) -> str:
        try:
            self.rpc.call(call.to, call.data, block - 1, sender)
        except MallaError as refusal:
            return str(refusal)
        return "the node does not say why"

    def _block_of_deployment(self) -> int:
        block = self.chain.block(self.rewards_block())
        assert block is not None
        return block.timestamp

    def rewards_block(self) -> int:
        """Block in which `Rewards` was created: its epochs count from there."""
        first, last = 0, self.chain.head().number
        address = self.chain.deployment.addresses["rewards"]
        while first < last:
            middle = (first + last) // 2
            code = self.rpc.request("eth_getCode", [address, hex(middle)])
            first, last = (first, middle) if len(code) > 2 else (middle + 1, last)
        return first
