"""What oracles ask a node to open, and the sealed body that answers one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from protocol.encoding import canonical_json, keccak, to_hex
from protocol.errors import MallaError
from protocol.messages import opening_digest
from protocol.proofs.fingerprint import drawn_group, open_group
from protocol.sealing import new_secret, seal
from protocol.transcript import parse_transcript, transcript_bytes
from provider.flow.drawing import Opening
from provider.records.sessions import CallUnit
from provider.records.work import JournalBatch, Oracle

REPEAT_SECONDS = 15.0
"""An opening that was taken and is still wanted after this long is sent again: its oracle lost it."""

Place = tuple[int, int]
"""Batch and number of a unit: the index of a job's entry, or a call's number."""


@dataclass(frozen=True)
class Asking:
    """An oracle that wants a leaf opened; `group_seed` is what names the group of fingerprints in its draw."""

    auditor: Oracle
    group_seed: bytes | None


def ask_wanted(opening: Opening, oracles: Sequence[Oracle]) -> dict[Place, list[Asking]]:
    """What is asked for, and by whom. An oracle that does not answer is passed over."""
    asked: dict[Place, list[Asking]] = {}
    for oracle in oracles:
        try:
            for one in opening.client.wanted(oracle, opening.owner):
                asked.setdefault((one.batch_id, one.index), []).append(Asking(oracle, one.group_seed))
        except MallaError as error:
            opening.log("openings_not_listed", oracle=oracle.address, error=error.message)
    return asked


def opened_transcript(found: CallUnit, unit: int, group_seed: bytes | None) -> bytes:
    """The transcript with the group of fingerprints that a draw names; as it is where there is nothing to open."""
    if not found.fingerprints or group_seed is None:
        return found.transcript
    opened = open_group(found.fingerprints, drawn_group(group_seed, unit, found.output_tokens))
    return transcript_bytes(replace(parse_transcript(found.transcript), fingerprint_opening=opened))


def seal_opening(opening: Opening, batch: JournalBatch, index: int, auditor: Oracle, transcript: bytes) -> bytes:
    """The signed opening of one leaf for one auditor, as the body that every oracle gets."""
    sealed = seal(transcript, auditor.encryption_key, new_secret())
    digest = opening_digest(opening.chain.domain, batch.batch_id, index, auditor.address, keccak(sealed))
    return canonical_json({
        "batch_id": batch.batch_id,
        "index": index,
        "auditor": auditor.address,
        "sealed": to_hex(sealed),
        "signature": to_hex(opening.keys.sign(digest)),
    })
