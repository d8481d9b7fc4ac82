"""Blobs: ciphertext and public specs, known by their keccak, kept as long as a job needs them."""

from __future__ import annotations

from dataclasses import dataclass

from oracle.flow.node import Node
from protocol.encoding import keccak, to_hex
from protocol.errors import Malformed, MallaError, Reason, Refused, TooLarge
from protocol.limits import MAX_BLOB
from protocol.messages import storage_receipt_digest
from protocol.transcript import parse_spec
from protocol.types import AUDIT_CLASSES, AUDIT_ONE
from protocol.units import Digest


@dataclass(frozen=True)
class StorageReceipt:
    digest: Digest
    size: int
    oracle: str
    signature: bytes


def put_blob(node: Node, digest: bytes, data: bytes) -> StorageReceipt:
    """Keep the bytes and sign that they are here; the same bytes again give the same receipt.

    Raises TooLarge, Malformed when the digest is another, Refused(quota) when too much lies here that no job names.
    """
    if len(data) > MAX_BLOB:
        raise TooLarge("The blob", len(data), MAX_BLOB)
    found = keccak(data)
    if found != digest:
        raise Malformed(f"The bytes have the digest {to_hex(found)}, not {to_hex(digest)}.")
    store = node.store
    if not store.has_blob(digest):
        if not store.is_named(digest) and store.unreferenced_bytes() + len(data) > node.rules.blob_quota:
            raise Refused(
                Reason.QUOTA, f"More than {node.rules.blob_quota} bytes lie here that no job names.",
                "Open the jobs of what was sent, or try again later.",
            )
        store.put_blob(digest, data, node.clock())
    signature = node.signer.sign(storage_receipt_digest(node.domain, digest))
    return StorageReceipt(Digest(digest), len(data), node.address, signature)


def get_blob(node: Node, digest: bytes) -> bytes:
    """Raises Refused(not_found)."""
    data = node.store.blob(digest)
    if data is None:
        raise Refused(Reason.NOT_FOUND, f"There is no blob {to_hex(digest)} here.", "Ask another oracle.")
    return data


def read_specs(node: Node) -> int:
    """Note what the specs of new jobs name: their model, their profile, and the sealed prompt as needed."""
    waiting = node.store.wait_for_spec()
    for row in waiting:
        data = node.store.blob(row.job.spec_digest)
        if data is None:
            continue
        try:
            spec = parse_spec(data)
        except MallaError as error:
            # The provider declines such a job; zero says that it was read and names no model.
            node.log("spec_unreadable", job_id=to_hex(row.job_id), error=error.message)
            node.store.keep_spec(row.job_id, bytes(32), bytes(32))
            continue
        with node.store.transaction() as store:
            known = spec.audit if spec.audit in AUDIT_CLASSES else AUDIT_ONE  # no provider takes a job of another
            store.keep_spec(row.job_id, spec.model, spec.profile, known)
            store.refer_blob(spec.prompt_blob, row.job_id)
    return len(waiting)


def sweep(node: Node) -> None:
    """Let go of what nobody needs any more."""
    now, rules = node.clock(), node.rules
    node.store.sweep_blobs(now - rules.blob_patience, now - rules.keep_finished)
    # Openings hold a requester's plaintext: no longer than needed.
    node.store.drop_openings(now)
    node.store.drop_numbers(now)
    node.store.drop_deliveries(now - rules.blob_patience, now - rules.delivery_patience)
    node.store.drop_answers(now - rules.delivery_patience)
