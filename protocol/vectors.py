"""A vector model's call: what is asked, and what a claim must look like. Whether a replay agrees is
`protocol.vector_verdict`.

A call's inputs travel as the messages of its prompt, one a message, all of the role "user": a text as it is, a row as
the hexadecimal of its float32 numbers. Its answer is float32, little-endian, row after row. It has no tokens, so only
the input is paid: the tokens of the texts, or the numbers of the rows; the spec allows one output token, the least that
a spec can say.

There is no sampling and no choice: two honest runs differ by rounding alone, and a replay tells every other model,
every stale answer and every constant from it. A claim that breaks a rule is a value, never raised: an exception means
that the verifier itself failed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy
from numpy.typing import NDArray

from protocol.encoding import from_hex, pack_float32, to_hex, unpack_float32
from protocol.errors import BadInput, Malformed, ProviderFault, Reason, Refused, TooLarge
from protocol.limits import MAX_PROMPT, MAX_TRANSCRIPT
from protocol.transcript import TEXT, prompt_bytes
from protocol.types import Prompt, Transcript
from protocol.units import Digest
from protocol.vector_manifest import VectorManifest

MAX_NUMBER = 1e9
"""Magnitude of a number of a row."""
UNIT_SLACK = 1e-3
"""How far from 1 the length of a unit vector may be: a thousand times float32's rounding."""
TRANSCRIPT_ROOM = 8 * 1024
"""Bytes of a transcript beside its prompt and its vector."""

Rows = NDArray[numpy.float64]


@dataclass(frozen=True)
class VectorInputs:
    """What a call asks for: texts, or rows of numbers; never both."""

    texts: tuple[str, ...] = ()
    rows: tuple[tuple[float, ...], ...] = ()

    @property
    def count(self) -> int:
        return len(self.texts) + len(self.rows)


def prompt_of_inputs(inputs: VectorInputs, salt: bytes) -> Prompt:
    """The prompt that carries the inputs. Rows become float32, rounded to nearest."""
    contents = [*inputs.texts, *(to_hex(pack_float32(row)) for row in inputs.rows)]
    return Prompt(tuple(("user", content) for content in contents), salt)


def inputs_of_prompt(prompt: Prompt, manifest: VectorManifest) -> VectorInputs:
    """The inputs of a call, checked. Errors: `Malformed`, and those of `check_inputs`."""
    if any(role not in ("user", TEXT) for role, _ in prompt.messages):
        raise Malformed(f"Every input of a vector model is a message of the role user, or the only one of {TEXT}.")
    contents = tuple(content for _, content in prompt.messages)
    if manifest.reads_texts:
        inputs = VectorInputs(texts=contents)
    else:
        data = [from_hex(content, 4 * manifest.input_width, f"Row {place}") for place, content in enumerate(contents)]
        inputs = VectorInputs(rows=tuple(tuple(unpack_float32(row, "A row's numbers")) for row in data))
    check_inputs(inputs, manifest)
    return inputs


def calls_of(inputs: VectorInputs, manifest: VectorManifest) -> list[VectorInputs]:
    """The inputs in as few calls as hold them, in their order: at most `max_rows` each, and no transcript too long.

    A single input that no call holds is a call of its own, for `check_inputs` to refuse.
    """
    calls: list[VectorInputs] = []
    for text in inputs.texts:
        calls = _extend(calls, VectorInputs(texts=(text,)), manifest)
    for row in inputs.rows:
        calls = _extend(calls, VectorInputs(rows=(row,)), manifest)
    return calls


def _extend(calls: list[VectorInputs], one: VectorInputs, manifest: VectorManifest) -> list[VectorInputs]:
    if calls:
        longer = VectorInputs(calls[-1].texts + one.texts, calls[-1].rows + one.rows)
        # A text takes at most six times its characters as JSON; there is no need to write it to know that it fits.
        size = sum(6 * len(text) + 32 for text in longer.texts) + len(longer.rows) * (8 * manifest.input_width + 32)
        fits = _transcript_bytes(size + 128, longer.count, manifest) <= MAX_TRANSCRIPT and size + 128 <= MAX_PROMPT
        if fits and longer.count <= manifest.max_rows:
            return [*calls[:-1], longer]
    return [*calls, one]


def _transcript_bytes(prompt: int, inputs: int, manifest: VectorManifest) -> int:
    """An opening is sealed and may have to be posted on-chain; prompt and vector stand in it as hexadecimal."""
    return TRANSCRIPT_ROOM + 2 * (prompt + 4 * inputs * manifest.output_width)


def check_inputs(inputs: VectorInputs, manifest: VectorManifest) -> None:
    """Refuse what the model cannot be asked, the length of texts aside (`VectorModel.count_tokens` knows their tokens).

    Errors: `BadInput`, `Refused(TOO_MANY_TOKENS)`, `TooLarge`.
    """
    if not inputs.count or bool(inputs.texts) != manifest.reads_texts or (inputs.texts and inputs.rows):
        wanted = "texts" if manifest.reads_texts else f"rows of {manifest.input_width} numbers"
        raise BadInput(f"{manifest.name} takes {wanted}, and at least one.", f"Send {wanted}.")
    if inputs.count > manifest.max_rows:
        raise Refused(Reason.TOO_MANY_TOKENS, f"{inputs.count} inputs, {manifest.name} takes {manifest.max_rows} "
                      "a call.", "Send the rest in a further call.")
    if not all(inputs.texts) and inputs.texts:
        raise BadInput("An empty text has no embedding.", "Leave it out.")
    for place, row in enumerate(inputs.rows):
        if len(row) != manifest.input_width:
            raise BadInput(f"Row {place} has {len(row)} numbers, {manifest.name} takes {manifest.input_width}.")
        if not all(math.isfinite(number) and abs(number) <= MAX_NUMBER for number in row):
            raise BadInput(f"Row {place} has a number that is not finite or beyond {MAX_NUMBER:g}.")
    size = len(prompt_bytes(prompt_of_inputs(inputs, bytes(32))))
    if size > MAX_PROMPT:
        raise TooLarge("The inputs of the call", size, MAX_PROMPT)
    transcript = _transcript_bytes(size, inputs.count, manifest)
    if transcript > MAX_TRANSCRIPT:
        raise TooLarge("The transcript of the call", transcript, MAX_TRANSCRIPT)


def count_numbers(inputs: VectorInputs) -> int:
    """What a call of rows is paid for: its numbers take the place of input tokens."""
    return sum(len(row) for row in inputs.rows)


def find_vector_fault(claim: bytes, inputs: int, manifest: VectorManifest) -> ProviderFault | None:
    """The first rule of form that a claimed vector breaks, or None. Never raises on a bad claim."""
    wanted = 4 * inputs * manifest.output_width
    if len(claim) != wanted:
        return ProviderFault("vector_count", f"{len(claim)} bytes of vectors for {inputs} inputs, {wanted} are needed.")
    rows = unpack_rows(claim, manifest.output_width)
    if not numpy.isfinite(rows).all():
        return ProviderFault("vector_not_finite", "A number of the vector is NaN or infinite.")
    low, high = float(rows.min()), float(rows.max())
    if low < float(manifest.low) or high > float(manifest.high):
        return ProviderFault("vector_bounds", f"The vector's numbers reach from {low:.6g} to {high:.6g}; "
                                              f"{manifest.low} to {manifest.high} are possible.")
    if manifest.unit:
        off = float(abs(numpy.linalg.norm(rows, axis=1) - 1).max())
        if off > UNIT_SLACK:
            return ProviderFault("vector_length", f"A vector's length is {off:.6g} away from 1.")
    return None


def check_vector_transcript(transcript: Transcript) -> None:
    """A call of a vector model has a vector and nothing of a token model. Raises ProviderFault.

    The leaf digests logprobs and vector in a row: with this rule its bytes have one meaning.
    """
    if not transcript.vector:
        raise ProviderFault("vector", "The answer of a vector model has no vector.")
    if transcript.output_token_ids or transcript.logprobs or transcript.top_logprobs:
        raise ProviderFault("vector", "The answer of a vector model has tokens or logprobs.")
    if transcript.fingerprint_root != Digest(bytes(32)) or transcript.fingerprint_opening:
        raise ProviderFault("vector", "The answer of a vector model has fingerprints.")


def unpack_rows(data: bytes, width: int) -> Rows:
    """Rows of `width` numbers as float64, from float32 little-endian."""
    return numpy.frombuffer(data, "<f4").reshape(-1, width).astype(numpy.float64)


def pack_rows(rows: Sequence[Sequence[float]] | NDArray[numpy.float32]) -> bytes:
    """Rows as float32 little-endian, row after row; rounds to nearest."""
    return numpy.ascontiguousarray(rows, "<f4").tobytes()
