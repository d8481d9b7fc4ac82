"""Blobs to and from the oracles. A blob is known by its keccak, so no oracle has to be believed."""

from __future__ import annotations

from collections.abc import Sequence

from protocol.committee import faults
from protocol.encoding import keccak
from protocol.errors import MallaError, Unavailable
from protocol.messages import Domain, storage_receipt_digest
from protocol.signing import require_signer
from protocol.units import Digest
from requester.ports.jobs import Oracle
from requester.records.jobs import StorageReceipt


def send_blob(data: bytes, oracles: Sequence[Oracle], domain: Domain) -> tuple[StorageReceipt, ...]:
    """Put a blob on every oracle; at least f + 1 valid storage receipts come back, so one honest oracle holds it.

    Errors: Unavailable, with what each failing oracle said.
    """
    digest = keccak(data)
    receipts: dict[str, StorageReceipt] = {}
    failures = []
    for oracle in oracles:
        try:
            receipt = oracle.put_blob(digest, data)
            signed = storage_receipt_digest(domain, digest)
            require_signer(signed, receipt.signature, oracle.address, "The storage receipt")
            receipts[oracle.address] = StorageReceipt(digest, oracle.address, receipt.signature)
        except MallaError as error:
            failures.append(f"{oracle.url}: {error.message}")
    needed = faults(len(oracles)) + 1
    if len(receipts) < needed:
        raise Unavailable(
            f"Only {len(receipts)} of {len(oracles)} oracles took the data, {needed} are needed. " + " ".join(failures),
            "Try again; nothing was opened or paid.",
        )
    return tuple(receipts.values())


def fetch_blob(digest: Digest, oracles: Sequence[Oracle], first: int = 0) -> bytes | None:
    """The blob from the first oracle that has its true bytes, beginning with number `first`; None when nobody has it.

    An oracle that answers with other bytes is passed over like one that does not answer.
    """
    for place in range(len(oracles)):
        oracle = oracles[(first + place) % len(oracles)]
        try:
            data = oracle.get_blob(digest)
        except MallaError:
            continue
        if data is not None and keccak(data) == digest:
            return data
    return None
