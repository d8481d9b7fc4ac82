"""The EIP-712 messages: one domain a contract, struct hashes as in the contracts (EIP-712, ERC-5267 names).

Encoding only; keys are in `protocol.signing`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from protocol.encoding import abi_encode, keccak
from protocol.types import (
    AuditRecord,
    BatchHead,
    Decision,
    Entry,
    Job,
    Offer,
    Report,
    Ruling,
    Session,
    Voucher,
)
from protocol.units import Address, Digest

NAME, VERSION = "Malla", "1"

DOMAIN_TYPE = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
OFFER_TYPE = (
    "Offer(address provider,bytes32 model,bytes32 profile,uint96 inputPrice,uint96 outputPrice,"
    "uint32 maxInputTokens,uint32 maxOutputTokens,uint32 minDuration,uint96 maxOutstanding,uint64 nonce,uint40 expiry)"
)
REPORT_TYPE = (
    "Report(bytes32 jobId,bytes32 specDigest,bytes32 leaf,bytes32 answerDigest,uint32 inputTokens,"
    "uint32 outputTokens,uint96 amount,bytes32 telemetryDigest,uint40 finishedAt)"
)
DECISION_TYPE = "Decision(uint64 batchId,bytes32 entriesHash,uint8 outcome,uint96 amount,uint32 auditors)"
SETTLEMENT_TYPE = "Settlement(uint16 setVersion,Decision[] decisions)" + DECISION_TYPE
STORAGE_RECEIPT_TYPE = "StorageReceipt(bytes32 blob)"
AUDIT_RECORD_TYPE = "AuditRecord(uint64 batchId,uint32 index,bytes32 leaf,uint8 verdict,bytes32 evidence)"
AUDIT_COMMITMENT_TYPE = "AuditCommitment(uint64 batchId,uint32 index,bytes32 leaf,bool escalates,bytes32 commitment)"
OPENING_TYPE = "Opening(uint64 batchId,uint32 index,address auditor,bytes32 sealed)"
NODE_KEY_TYPE = "NodeKey(address provider,address nodeKey)"
RULING_TYPE = "Ruling(uint64 caseId,uint8 ruling)"
VOUCHER_TYPE = "Voucher(bytes32 session,uint96 amount,uint64 units,uint32 calls,bytes32 head,bytes32 inFlight)"

JOB_ABI = "(address,address,bytes32,bytes32,uint32,uint32,uint96,uint64)"
ENTRY_ABI = "(bytes32,address,uint96,uint96,bytes32,bytes32)"
HEAD_ABI = "(address,uint40,uint40,uint16,uint16,bytes32)"
SESSION_ABI = "(address,address,bytes32,address,uint96,uint40,uint64)"


@dataclass(frozen=True)
class Domain:
    """The chain and contract for which a signature is meant."""

    chain_id: int
    contract: Address

    @cached_property
    def separator(self) -> Digest:
        return keccak(
            abi_encode(
                ["bytes32", "bytes32", "bytes32", "uint256", "address"],
                [*(keccak(text.encode()) for text in (DOMAIN_TYPE, NAME, VERSION)), self.chain_id, self.contract],
            )
        )

    def digest(self, struct_hash: bytes) -> Digest:
        """keccak(0x1901 ‖ domain separator ‖ struct hash): what a key signs."""
        return keccak(b"\x19\x01" + self.separator + struct_hash)


def offer_digest(domain: Domain, offer: Offer) -> Digest:
    return domain.digest(
        hash_struct(
            OFFER_TYPE,
            "address,bytes32,bytes32,uint96,uint96,uint32,uint32,uint32,uint96,uint64,uint40",
            [
                offer.provider, offer.model, offer.profile, offer.input_price, offer.output_price,
                offer.max_input_tokens, offer.max_output_tokens, offer.min_duration, offer.max_outstanding,
                offer.nonce, offer.expiry,
            ],
        )
    )


def report_digest(domain: Domain, report: Report) -> Digest:
    return domain.digest(
        hash_struct(
            REPORT_TYPE,
            "bytes32,bytes32,bytes32,bytes32,uint32,uint32,uint96,bytes32,uint40",
            [
                report.job_id, report.spec_digest, report.leaf, report.answer_digest, report.input_tokens,
                report.output_tokens, report.amount, report.telemetry_digest, report.finished_at,
            ],
        )
    )


def settlement_digest(domain: Domain, set_version: int, decisions: Sequence[Decision]) -> Digest:
    types = "uint64,bytes32,uint8,uint96,uint32"
    hashes = b"".join(hash_struct(DECISION_TYPE, types, list(decision_tuple(decision))) for decision in decisions)
    return domain.digest(hash_struct(SETTLEMENT_TYPE, "uint16,bytes32", [set_version, keccak(hashes)]))


def storage_receipt_digest(domain: Domain, blob: bytes) -> Digest:
    return domain.digest(hash_struct(STORAGE_RECEIPT_TYPE, "bytes32", [blob]))


def audit_record_digest(domain: Domain, record: AuditRecord) -> Digest:
    values = [record.batch_id, record.index, record.leaf, int(record.verdict), record.evidence]
    return domain.digest(hash_struct(AUDIT_RECORD_TYPE, "uint64,uint32,bytes32,uint8,bytes32", values))


def audit_commitment(domain: Domain, record: AuditRecord, salt: bytes) -> Digest:
    """What an auditor shows before its record: keccak(record digest ‖ evidence digest ‖ salt), `salt` of 32 bytes."""
    return keccak(audit_record_digest(domain, record) + record.evidence + salt)


def audit_commitment_digest(domain: Domain, batch_id: int, index: int, leaf: bytes, escalates: bool,
                            commitment: bytes) -> Digest:
    """`escalates` says beforehand that the finding speaks against the provider, so that all others recompute it."""
    values = [batch_id, index, leaf, escalates, commitment]
    return domain.digest(hash_struct(AUDIT_COMMITMENT_TYPE, "uint64,uint32,bytes32,bool,bytes32", values))


def opening_digest(domain: Domain, batch_id: int, index: int, auditor: str, sealed: bytes) -> Digest:
    """`sealed` is keccak of the sealed transcript."""
    return domain.digest(hash_struct(OPENING_TYPE, "uint64,uint32,address,bytes32", [batch_id, index, auditor, sealed]))


def node_key_digest(staking_domain: Domain, provider: str, node_key: str) -> Digest:
    return staking_domain.digest(hash_struct(NODE_KEY_TYPE, "address,address", [provider, node_key]))


def voucher_digest(domain: Domain, session: bytes, voucher: Voucher) -> Digest:
    """What the requester or the session's key signs; `session` is the session's id."""
    values = [session, voucher.amount, voucher.units, voucher.calls, voucher.head, voucher.in_flight]
    return domain.digest(hash_struct(VOUCHER_TYPE, "bytes32,uint96,uint64,uint32,bytes32,bytes32", values))


def session_id(chain_id: int, escrow: str, session: Session) -> Digest:
    """keccak256(abi.encode(chain id, escrow, session)): the id commits to every field."""
    return keccak(abi_encode(["uint256", "address", SESSION_ABI], [chain_id, escrow, session_tuple(session)]))


def ruling_digest(court_domain: Domain, case_id: int, ruling: Ruling) -> Digest:
    """What the members of a case's set sign: one ruling that ends one case of the court in `court_domain`."""
    return court_domain.digest(hash_struct(RULING_TYPE, "uint64,uint8", [case_id, int(ruling)]))


def job_id(chain_id: int, escrow: str, job: Job) -> Digest:
    """keccak256(abi.encode(chain id, escrow, job)): the id commits to every field."""
    return keccak(abi_encode(["uint256", "address", JOB_ABI], [chain_id, escrow, job_tuple(job)]))


def entries_hash(entries: Sequence[Entry]) -> Digest:
    """keccak256(abi.encode(Entry[])): what a work batch stores."""
    return keccak(abi_encode([f"{ENTRY_ABI}[]"], [[entry_tuple(entry) for entry in entries]]))


def head_digest(batch_id: int, head: BatchHead) -> Digest:
    """keccak256(abi.encode(batch id, head)); the chain keeps it with its lowest byte zero."""
    return keccak(abi_encode(["uint64", HEAD_ABI], [batch_id, head_tuple(head)]))


def job_tuple(job: Job) -> tuple[object, ...]:
    return (job.requester, job.provider, job.offer_digest, job.spec_digest, job.input_tokens, job.max_output_tokens,
            job.price, job.nonce)


def entry_tuple(entry: Entry) -> tuple[object, ...]:
    return (entry.job_id, entry.requester, entry.price, entry.amount, entry.leaf, entry.answer_digest)


def head_tuple(head: BatchHead) -> tuple[object, ...]:
    return (head.provider, head.committed_at, head.committed_block, head.set_version, head.terms_version,
            head.entries_hash)


def decision_tuple(decision: Decision) -> tuple[object, ...]:
    return (decision.batch_id, decision.entries_hash, int(decision.outcome), decision.amount, decision.auditors)


def session_tuple(session: Session) -> tuple[object, ...]:
    return (session.requester, session.provider, session.offer_digest, session.key, session.largest_call,
            session.opened_at, session.nonce)


def hash_struct(type_string: str, types: str, values: list[object]) -> Digest:
    """keccak256(abi.encode(keccak of the type string, values)); `types` are the values' own, separated by commas."""
    return keccak(abi_encode(["bytes32", *types.split(",")], [keccak(type_string.encode()), *values]))
