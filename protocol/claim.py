"""What a provider claims to have computed, and what it was asked."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from protocol.proofs.fingerprint import Rows
from protocol.sampling import PLAIN
from protocol.types import Sampler

TOP = 5
"""Likeliest tokens whose logprobs a transcript carries."""
TOP_BYTES = 8
"""One of them: a uint32 id and a float32 logprob."""


class FinishReason(StrEnum):
    """Why generation ended: the model's stop token (part of the output), the token limit, or, in a call of a session,
    that its requester went away or paid for no more: it signs for exactly the tokens that it got."""

    STOP = "stop"
    LENGTH = "length"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class OpenedRows:
    """The fingerprint rows that the draw opened (`proofs.fingerprint.read_opening`) and the tokens they belong to."""

    rows: Rows
    units: Rows
    positions: tuple[int, ...]


@dataclass(frozen=True)
class Claim:
    """A provider's answer: token ids, the float32 logprob of each output token, and how it ended.

    `chosen_logprobs` is None where the backend gives none, `top_logprobs` empty, `opened` None: then fewer numbers
    speak for or against it, and the tokens alone have to be the model's.
    """

    output_token_ids: tuple[int, ...]
    chosen_logprobs: tuple[float, ...] | None
    finish_reason: str
    top_logprobs: bytes = b""
    opened: OpenedRows | None = None


@dataclass(frozen=True)
class Asked:
    """What the tokens answer: everything beside the claim that a replay needs. `may_end_early` is true of the calls of
    a session and never of a job."""

    prompt_token_ids: Sequence[int]
    max_output_tokens: int
    sampler: Sampler = PLAIN
    fingerprint_seed: bytes | None = None
    may_end_early: bool = False


def pack_top(rows: list[tuple[tuple[int, float], ...]]) -> bytes:
    """The top logprobs of each token as the leaf's digest takes them: five pairs of id and logprob, falling."""
    return b"".join(struct.pack("<If", token, value) for row in rows for token, value in row)


def unpack_top(data: bytes) -> list[tuple[tuple[int, float], ...]]:
    """Five pairs a token. Errors: `ValueError` for a length that is no multiple of 40 bytes."""
    if len(data) % (TOP * TOP_BYTES):
        raise ValueError(f"{len(data)} bytes of top logprobs are not five of eight bytes for each token.")
    pairs = list(struct.iter_unpack("<If", data))
    return [tuple(pairs[i : i + TOP]) for i in range(0, len(pairs), TOP)]
