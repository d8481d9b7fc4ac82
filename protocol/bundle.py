"""The numbers of an audit as one JSON document, and the evidence bundle: all that a third party needs to come to the
same verdict from files alone.

Real numbers are decimal strings (the shortest that read back as the same float64), so a document has one digest; the
oracle's signed evidence names the digest of the numbers. They hold no token: the ids are apart, and are given away with
the requester's consent only.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy

from protocol.claim import Asked, Claim, FinishReason, OpenedRows, pack_top, unpack_top
from protocol.comparison import Replay, compute_statistics
from protocol.encoding import from_hex, json_digest, keccak, to_hex
from protocol.errors import Malformed
from protocol.proofs.fingerprint import Rows
from protocol.transcript import spec_digest
from protocol.types import AuditStatistics, Transcript
from protocol.units import Digest

NUMBERS = "malla-numbers/1"
BUNDLE = "malla-bundle/1"
MAX_TOKENS = 65_536
TOLERANCE = 1e-6
"""What two computations of one number may differ by."""
_CONSENT = b"malla/consent/1"


@dataclass(frozen=True)
class Numbers:
    """What a claim said and what the reference model said, without the tokens themselves."""

    finish: str
    claimed_logprobs: tuple[float, ...] | None
    claimed_top: tuple[tuple[float, ...], ...]
    opened: tuple[Rows, Rows] | None
    """Opened rows of the fingerprint, and the unit to which each was rounded."""
    replay: Replay
    self_noise: tuple[AuditStatistics, ...]


def numbers_of(claim: Claim, replay: Replay, self_noise: Sequence[AuditStatistics] = ()) -> Numbers:
    opened = None if claim.opened is None else (claim.opened.rows, claim.opened.units)
    top = tuple(tuple(value for _, value in row) for row in unpack_top(claim.top_logprobs))
    return Numbers(claim.finish_reason, claim.chosen_logprobs, top, opened, replay, tuple(self_noise))


def numbers_to_json(numbers: Numbers) -> dict[str, Any]:
    replay, opened = numbers.replay, numbers.opened
    return {
        "format": NUMBERS,
        "finish": numbers.finish,
        "claimed": {
            "logprobs": None if numbers.claimed_logprobs is None else _texts(numbers.claimed_logprobs),
            "top": [_texts(row) for row in numbers.claimed_top],
            "rows": None if opened is None else _table(opened[0]),
            "units": None if opened is None else _table(opened[1]),
        },
        "own": {
            "margins": _texts(replay.margins),
            "logprobs": _texts(replay.chosen_logprobs),
            "claimed_top": [_texts(row) for row in replay.claimed_top],
            "top": [_texts(row) for row in replay.own_top],
            "rows": None if replay.rows is None else _table(replay.rows),
        },
        "self_noise": [statistics_to_json(one) for one in numbers.self_noise],
    }


def numbers_from_json(value: Any) -> Numbers:
    """Errors: `Malformed` naming the first field that does not fit."""
    _keys(value, "numbers", "format", "finish", "claimed", "own", "self_noise")
    claimed, own = value["claimed"], value["own"]
    _keys(claimed, "numbers.claimed", "logprobs", "top", "rows", "units")
    _keys(own, "numbers.own", "margins", "logprobs", "claimed_top", "top", "rows")
    if value["format"] != NUMBERS or value["finish"] not in tuple(FinishReason):
        raise Malformed(f"The numbers have the format {value['format']!r} and the finish {value['finish']!r}.")
    margins = _floats(own["margins"], "numbers.own.margins", None)
    count = len(margins)
    if not 1 <= count <= MAX_TOKENS or min(margins) < 0:
        raise Malformed(f"The numbers have {count} margins, or a negative one.")
    logprobs = None if claimed["logprobs"] is None else _floats(claimed["logprobs"], "numbers.claimed.logprobs", count)
    tops = [_top(table, name, count) for table, name in (
        (claimed["top"], "numbers.claimed.top"), (own["claimed_top"], "numbers.own.claimed_top"),
        (own["top"], "numbers.own.top"))]
    if len({len(table) for table in tops}) != 1:
        raise Malformed("The numbers have top logprobs of one side only.")
    rows, units, mine = claimed["rows"], claimed["units"], own["rows"]
    if (rows is None) != (units is None) or (rows is None) != (mine is None):
        raise Malformed("The numbers have fingerprints of one side only.")
    opened = None
    if rows is not None:
        opened = _array(rows, "numbers.claimed.rows"), _array(units, "numbers.claimed.units")
        shape = _array(mine, "numbers.own.rows").shape
        if opened[0].shape != shape or opened[1].shape != (shape[0], 1):
            raise Malformed("The numbers have fingerprints of different shapes.")
    replay = Replay(margins, _floats(own["logprobs"], "numbers.own.logprobs", count), tops[1], tops[2],
                    None if mine is None else _array(mine, "numbers.own.rows"))
    if not isinstance(value["self_noise"], list) or len(value["self_noise"]) > 8:
        raise Malformed("numbers.self_noise must be a list of at most eight.")
    noise = tuple(statistics_from_json(one, "numbers.self_noise") for one in value["self_noise"])
    return Numbers(value["finish"], logprobs, tops[0], opened, replay, noise)


def statistics_of(numbers: Numbers) -> AuditStatistics:
    """The distances of the two sides, as an audit computes them. Errors: `Malformed` for numbers without any."""
    count = len(numbers.replay.margins)
    opened = None if numbers.opened is None else OpenedRows(*numbers.opened, ())
    try:
        # Which tokens they are plays no part: the numbers stand for them.
        top = pack_top([tuple(enumerate(row)) for row in numbers.claimed_top])
        claim = Claim(tuple(range(count)), numbers.claimed_logprobs, numbers.finish, top, opened)
        return compute_statistics(claim, numbers.replay)
    except (ValueError, OverflowError, struct.error) as error:
        raise Malformed(f"These numbers have no distances: {error}") from None


def numbers_digest(document: Mapping[str, Any]) -> Digest:
    """What the signed evidence says of the numbers."""
    return json_digest(dict(document))


def statistics_to_json(found: AuditStatistics) -> dict[str, Any]:
    """Every number as a string, None for evidence that the transcript does not carry; the token count as it is."""
    return {field.name: value if field.name == "tokens" or value is None else repr(float(value))
            for field in fields(found) for value in (getattr(found, field.name),)}


def statistics_from_json(value: Any, what: str) -> AuditStatistics:
    _keys(value, what, *(field.name for field in fields(AuditStatistics)))
    if type(value["tokens"]) is not int or value["tokens"] < 1:
        raise Malformed(f"{what}.tokens is {value['tokens']!r}, not a count.")
    found: dict[str, Any] = {name: one if one is None or name == "tokens" else read_float(one, f"{what}.{name}")
                             for name, one in value.items()}
    return AuditStatistics(**found)


def ids_of(asked: Asked, claim: Claim, transcript: Transcript) -> dict[str, Any]:
    """The token ids of a transcript, and what else gives its leaf: what consent gives away."""
    return {
        "prompt": list(asked.prompt_token_ids),
        "output": list(claim.output_token_ids),
        "top": [[token for token, _ in row] for row in unpack_top(claim.top_logprobs)],
        "max_output_tokens": asked.max_output_tokens,
        "positions": [] if claim.opened is None else list(claim.opened.positions),
        "fingerprint_seed": None if asked.fingerprint_seed is None else to_hex(asked.fingerprint_seed),
        "fingerprint_root": to_hex(transcript.fingerprint_root),
        "spec_digest": to_hex(spec_digest(transcript.spec)),
        "salt": to_hex(transcript.salt),
    }


def claim_from(numbers: Numbers, ids: Mapping[str, Any]) -> tuple[Asked, Claim]:
    """What a model is asked with, to compute the numbers again; `bundle_check` has compared the ids with the leaf.

    The sampler is in the evidence. Errors: `Malformed`.
    """
    try:
        top = pack_top([tuple(zip(row, values, strict=True))
                        for row, values in zip(ids["top"], numbers.claimed_top, strict=True)])
        seed = None if ids["fingerprint_seed"] is None else from_hex(ids["fingerprint_seed"], 32)
        opened = None if numbers.opened is None else OpenedRows(*numbers.opened, tuple(ids["positions"]))
        claim = Claim(tuple(ids["output"]), numbers.claimed_logprobs, numbers.finish, top, opened)
        return Asked(tuple(ids["prompt"]), ids["max_output_tokens"], fingerprint_seed=seed), claim
    except (KeyError, TypeError, ValueError, OverflowError, struct.error) as error:
        raise Malformed(f"These token ids are none: {error}.") from None


def consent_digest(chain_id: int, escrow: str, job_id: bytes) -> Digest:
    """What a requester signs so that an oracle may give the token ids of a job to third parties."""
    return keccak(_CONSENT + chain_id.to_bytes(32, "big") + from_hex(escrow.lower(), 20) + job_id)


def read_float(text: Any, what: str) -> float:
    """A finite number of its one text. Errors: `Malformed`."""
    try:
        value = float(text) if isinstance(text, str) else math.nan
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or repr(value) != text:
        raise Malformed(f"{what} must be a finite number as the shortest decimal string, such as 0.25.")
    return value


def _keys(value: Any, what: str, *names: str) -> None:
    if not isinstance(value, dict) or set(value) != set(names):
        raise Malformed(f"{what} must have exactly the fields {', '.join(names)}.")


def _texts(values: Sequence[float]) -> list[str]:
    return [repr(float(value)) for value in values]


def _table(rows: Rows) -> list[list[str]]:
    return [_texts(row) for row in rows.tolist()]


def _floats(value: Any, what: str, count: int | None) -> tuple[float, ...]:
    if not isinstance(value, list) or (count is not None and len(value) != count):
        raise Malformed(f"{what} must be a list of {'numbers' if count is None else f'{count} numbers'}.")
    return tuple(read_float(one, what) for one in value)


def _top(value: Any, what: str, count: int) -> tuple[tuple[float, ...], ...]:
    if not isinstance(value, list) or len(value) not in (0, count):
        raise Malformed(f"{what} must be empty or have {count} rows.")
    return tuple(_floats(row, what, 5) for row in value)


def _array(value: Any, what: str) -> Rows:
    if not isinstance(value, list) or not 1 <= len(value) <= 64 or not isinstance(value[0], list):
        raise Malformed(f"{what} must be a table of 1 to 64 rows.")
    return numpy.array([_floats(row, what, len(value[0])) for row in value], numpy.float64)
