"""One oracle as its flows see it: its key, its ports, its rules."""

from __future__ import annotations

from dataclasses import dataclass, field

from oracle.ports import Catalogue, Chain, Clock, Log, Peers, Queue, Rules, Sender, Store
from oracle.records.work import BatchRow, Member
from protocol.errors import Reason, Refused
from protocol.messages import Domain
from protocol.signing import Signer, recover
from protocol.units import Address


@dataclass(frozen=True)
class Node:
    """`seal_secret` is the X25519 secret to which openings are sealed, `reveal_secret` begins the reveal chain."""

    signer: Signer
    seal_secret: bytes = field(repr=False)
    reveal_secret: bytes = field(repr=False)
    domain: Domain
    chain: Chain
    store: Store
    clock: Clock
    rules: Rules
    catalogue: Catalogue
    peers: Peers
    queue: Queue
    sender: Sender
    log: Log = Log()

    @property
    def address(self) -> Address:
        return self.signer.address


def find_batch(node: Node, batch_id: int) -> BatchRow:
    """The batch as this oracle knows it. Raises Refused: not_ready when the chain has it and this oracle not yet."""
    if not 0 < batch_id < 2**63:  # more than the database holds, and no chain counts so far
        raise Refused(Reason.NOT_FOUND, "There is no work batch of that number.")
    batch = node.store.batch(batch_id)
    if batch is not None:
        return batch
    if int(node.chain.batch(batch_id).state):
        raise not_ready(f"Batch {batch_id} is not final here yet.")
    raise Refused(Reason.NOT_FOUND, f"There is no work batch {batch_id}.")


def require_member(node: Node, digest: bytes, signature: bytes, set_version: int) -> Address:
    """Who signed. Raises SignatureInvalid, or Refused(not_member) when it is no oracle of the set."""
    signer = recover(digest, signature)
    if signer not in node.chain.members(set_version):
        raise Refused(Reason.NOT_MEMBER, f"{signer} is no oracle of set version {set_version}.")
    return signer


def require_provider_key(node: Node, digest: bytes, signature: bytes, provider: str, opened_at: int) -> Address:
    """The signer, which was the provider's node key when the job was opened. Raises Refused(wrong_signer)."""
    signer = recover(digest, signature)
    period = node.chain.key_period(signer)
    speaks = period is not None and period.provider == provider and period.since <= opened_at
    if not speaks or (period.until and period.until <= opened_at):
        raise Refused(
            Reason.WRONG_SIGNER,
            f"Signed by {signer}, which was no node key of {provider} when the job was opened.",
            "Sign with the node key of that time.",
        )
    return signer


def other_members(node: Node, set_version: int) -> list[Member]:
    """The peers of a set, in seat order, without this oracle."""
    return [node.chain.member(address) for address in node.chain.members(set_version) if address != node.address]


def not_ready(message: str) -> Refused:
    return Refused(Reason.NOT_READY, message, "Send it again in a moment.")
