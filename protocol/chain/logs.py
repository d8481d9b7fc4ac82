"""From logs to events: one builder an event, found by contract and topic."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from eth_abi.exceptions import DecodingError

from protocol.chain import events
from protocol.chain.abi import ContractAbi, Signature, checksummed, decode
from protocol.chain.deployment import Deployment
from protocol.chain.events import ChainEvent, Event
from protocol.chain.node_answers import Log
from protocol.chain.records import BlockRef, SkipReason
from protocol.chain.rpc import Rpc
from protocol.errors import ChainUnreachable
from protocol.types import CaseKind, Entry, Job, Outcome, RefundReason, Ruling

Values = dict[str, Any]
Builder = Callable[[Values, int], Event]
"""From the event's arguments by name and the block's second to a dataclass."""

BUILDERS: dict[tuple[str, str], Builder] = {
    ("escrow", "Deposited"): lambda v, t: events.Deposited(v["account"], v["amount"]),
    ("escrow", "Withdrawn"): lambda v, t: events.Withdrawn(v["account"], v["amount"]),
    ("escrow", "OffersRevoked"): lambda v, t: events.OffersRevoked(v["provider"], v["below"]),
    ("escrow", "JobOpened"): lambda v, t: events.JobOpened(v["jobId"], _job(v), v["deadline"], t),
    ("escrow", "JobCancelAsked"): lambda v, t: events.JobCancelAsked(v["jobId"], v["deadline"]),
    ("escrow", "JobRefunded"): lambda v, t: events.JobRefunded(
        v["jobId"], v["requester"], v["amount"], RefundReason(v["reason"])),
    ("escrow", "BatchCommitted"): lambda v, t: events.BatchCommitted(
        v["batchId"], v["provider"], v["setVersion"], v["termsVersion"], tuple(Entry(*row) for row in v["entries"])),
    ("escrow", "JobSettled"): lambda v, t: events.JobSettled(v["jobId"], v["batchId"], v["paid"], v["refunded"]),
    ("escrow", "BatchMatured"): lambda v, t: events.BatchMatured(
        v["batchId"], v["provider"], Outcome(v["outcome"]), v["payout"], v["fee"]),
    ("escrow", "BatchFrozen"): lambda v, t: events.BatchFrozen(
        v["batchId"], v["provider"], Outcome(v["outcome"]), v["until"]),
    ("escrow", "OpeningsPosted"): lambda v, t: events.OpeningsPosted(v["batchId"], v["provider"], v["openings"]),
    ("escrow", "BatchHeld"): lambda v, t: events.BatchHeld(v["batchId"], v["until"]),
    ("escrow", "BatchReleased"): lambda v, t: events.BatchReleased(v["batchId"], v["provider"]),
    ("escrow", "BatchForfeited"): lambda v, t: events.BatchForfeited(v["batchId"], v["provider"]),
    ("escrow", "BatchSkipped"): lambda v, t: events.BatchSkipped(v["batchId"], SkipReason(v["reason"])),
    ("escrow", "ProviderConvicted"): lambda v, t: events.ProviderConvicted(
        v["provider"], v["batchId"], v["slashed"], v["through"]),
    ("escrow", "AnswerStored"): lambda v, t: events.AnswerStored(v["batchId"], v["index"]),
    ("escrow", "AuditFeePaid"): lambda v, t: events.AuditFeePaid(v["batchId"], v["oracle"], v["amount"]),
    ("escrow", "SubmitFeePaid"): lambda v, t: events.SubmitFeePaid(v["batchId"], v["oracle"], v["amount"]),
    ("escrow", "FeesBurned"): lambda v, t: events.FeesBurned(v["amount"]),
    ("escrow", "SessionOpened"): lambda v, t: events.SessionOpened(
        v["sessionId"], v["requester"], v["provider"], v["offerDigest"], v["key"], v["largestCall"], v["nonce"],
        v["cap"], v["endsAt"], t),
    ("escrow", "SessionToppedUp"): lambda v, t: events.SessionToppedUp(v["sessionId"], v["added"], v["cap"]),
    ("escrow", "SessionClosing"): lambda v, t: events.SessionClosing(v["sessionId"], v["claimUntil"]),
    ("escrow", "SessionClosed"): lambda v, t: events.SessionClosed(v["sessionId"], v["committed"], v["refunded"]),
    ("escrow", "VouchersCommitted"): lambda v, t: events.VouchersCommitted(
        v["batchId"], tuple(events.Claim(*row) for row in v["claims"])),
    ("escrow", "VouchersSettled"): lambda v, t: events.VouchersSettled(v["batchId"], v["paid"]),
    ("escrow", "VoucherRefunded"): lambda v, t: events.VoucherRefunded(
        v["sessionId"], v["requester"], v["amount"], RefundReason(v["reason"])),
    ("escrow", "KeyAuthorised"): lambda v, t: events.KeyAuthorised(
        v["requester"], v["key"], v["cap"], v["endsAt"], tuple(v["models"])),
    ("escrow", "KeyRevoked"): lambda v, t: events.KeyRevoked(v["requester"], v["key"], v["endsAt"]),
    ("escrow", "TermsChanged"): lambda v, t: events.TermsChanged(v["version"]),
    ("staking", "ProviderRegistered"): lambda v, t: events.ProviderRegistered(
        v["provider"], v["nodeKey"], v["encryptionKey"], v["metadataDigest"]),
    ("staking", "NodeKeyRotated"): lambda v, t: events.NodeKeyRotated(v["provider"], v["nodeKey"], v["encryptionKey"]),
    ("staking", "MetadataChanged"): lambda v, t: events.MetadataChanged(v["provider"], v["metadataDigest"]),
    ("staking", "Staked"): lambda v, t: events.Staked(v["provider"], v["amount"], v["active"]),
    ("staking", "UnstakeStarted"): lambda v, t: events.UnstakeStarted(
        v["provider"], v["amount"], v["releaseAt"], v["active"]),
    ("staking", "Withdrawn"): lambda v, t: events.StakeWithdrawn(v["provider"], v["amount"]),
    ("staking", "Slashed"): lambda v, t: events.Slashed(
        v["provider"], v["fromActive"], v["fromUnstaking"], v["fromDelegation"], v["bps"]),
    ("staking", "Awarded"): lambda v, t: events.Awarded(v["account"], v["provider"], v["amount"]),
    ("staking", "Seized"): lambda v, t: events.Seized(v["provider"], v["beneficiary"], v["amount"]),
    ("staking", "CondemnedBurned"): lambda v, t: events.CondemnedBurned(v["amount"]),
    ("rewards", "BurnAccrued"): lambda v, t: events.BurnAccrued(v["provider"], v["burned"]),
    ("rewards", "RewardClaimed"): lambda v, t: events.RewardClaimed(v["provider"], v["toOwner"], v["toDelegators"]),
    ("court", "CaseOpened"): lambda v, t: events.CaseOpened(
        v["caseId"], CaseKind(v["kind"]), v["batchId"], v["index"], v["plaintiff"], v["provider"], v["bond"],
        v["setVersion"], v["deadline"]),
    ("court", "CaseRuled"): lambda v, t: events.CaseRuled(v["caseId"], Ruling(v["ruling"])),
    ("court", "CaseDefaulted"): lambda v, t: events.CaseDefaulted(v["caseId"]),
    ("committee", "OracleJoined"): lambda v, t: events.OracleJoined(
        v["oracle"], v["setVersion"], v["url"], v["encryptionKey"], v["anchor"], v["anchorEpoch"]),
    ("committee", "OracleResigned"): lambda v, t: events.OracleResigned(v["oracle"], v["setVersion"], v["releaseAt"]),
    ("committee", "OracleUrlChanged"): lambda v, t: events.OracleUrlChanged(v["oracle"], v["url"]),
    ("committee", "OracleWithdrawn"): lambda v, t: events.OracleWithdrawn(v["oracle"], v["amount"]),
    ("committee", "OracleSlashed"): lambda v, t: events.OracleSlashed(
        v["oracle"], v["reporter"], v["batchId"], v["burned"], v["share"]),
}


class LogReader:
    """Reads and decodes the events of one deployment. The token's own events (transfers) are not among them."""

    def __init__(self, rpc: Rpc, deployment: Deployment, abis: dict[str, ContractAbi]) -> None:
        self._rpc = rpc
        self._addresses = list(deployment.addresses.values())
        self._known = {
            (address, topic): (signature, BUILDERS[name, signature.name])
            for name, address in deployment.addresses.items()
            for topic, signature in abis[name].events.items()
            if (name, signature.name) in BUILDERS
        }
        self._topics = sorted({topic for _, topic in self._known})

    def events(self, first: int, last: int) -> list[ChainEvent]:
        """Events of the blocks `first` to `last`, both inclusive, in the order of the chain."""
        if last < first:
            return []
        return list(self.decode(self._rpc.logs(first, last, self._addresses, self._topics)))

    def committed(self, batch_id: int, first: int, last: int) -> ChainEvent | None:
        """The commitment of a batch, if it lies in the blocks `first` to `last`."""
        topics = [topic for (_, topic), (signature, _) in self._known.items() if signature.name == "BatchCommitted"]
        logs = self._rpc.logs(first, last, self._addresses, topics, batch_id.to_bytes(32, "big"))
        return next(self.decode(logs), None)

    def burned(self, provider: str, first: int, last: int) -> int:
        """Wei of a provider's matured fees that were burned in the blocks `first` to `last`."""
        topics = [topic for (_, topic), (signature, _) in self._known.items() if signature.name == "BurnAccrued"]
        account = bytes(12) + bytes.fromhex(provider[2:])
        found = self.decode(self._rpc.logs(first, last, self._addresses, topics, account))
        return sum(placed.event.burned for placed in found if isinstance(placed.event, events.BurnAccrued))

    def decode(self, logs: Iterable[Log]) -> Iterator[ChainEvent]:
        """Known logs as events, others left out. Reads one header a block. Raises ChainUnreachable when a log's block
        is no longer canonical."""
        header: BlockRef | None = None
        for log in logs:
            known = self._known.get((log.address, log.topics[0])) if log.topics else None
            if known is None:
                continue
            if header is None or header.number != log.block:
                header = self._header(log)
            event = known[1](_values(known[0], log), header.timestamp)
            yield ChainEvent(log.block, log.block_hash, header.timestamp, log.tx_hash, log.index, event)

    def _header(self, log: Log) -> BlockRef:
        header = self._rpc.block(log.block)
        if header is None or header.hash != log.block_hash:
            raise ChainUnreachable(
                f"Block {log.block} was replaced while its events were read.", "Read them again."
            )
        return header


def _values(signature: Signature, log: Log) -> Values:
    """The event's arguments by name: indexed ones from the topics, the others from the data."""
    types = list(zip(signature.types, signature.names, signature.indexed, strict=True))
    inside = [(kind, name) for kind, name, indexed in types if not indexed]
    outside = [(kind, name) for kind, name, indexed in types if indexed]
    try:
        values = list(decode([kind for kind, _ in inside], log.data))
        values += [decode([kind], topic)[0] for (kind, _), topic in zip(outside, log.topics[1:], strict=True)]
    except (DecodingError, ValueError) as error:
        raise ChainUnreachable(f"A log of block {log.block} is not the event {signature.name}.") from error
    kinds = [kind for kind, _ in inside + outside]
    return dict(zip([name for _, name in inside + outside], checksummed(kinds, values), strict=True))


def _job(v: Values) -> Job:
    return Job(
        requester=v["requester"],
        provider=v["provider"],
        offer_digest=v["offerDigest"],
        spec_digest=v["specDigest"],
        input_tokens=v["inputTokens"],
        max_output_tokens=v["maxOutputTokens"],
        price=v["price"],
        nonce=v["nonce"],
    )
