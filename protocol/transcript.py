"""From a transcript to its leaf, and back: what is committed, what is delivered, and whether the two agree.

leaf = keccak(abi.encode(salt, request digest, output digest, input tokens, output tokens, sampler seed,
logprob digest, fingerprint root)). The root is zero where the backend has no fingerprints.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

from protocol.economics import payment
from protocol.encoding import (
    abi_encode,
    canonical_json,
    from_hex,
    json_digest,
    keccak,
    pack_token_ids,
    parse_canonical,
    to_hex,
    unpack_float32,
)
from protocol.errors import BadInput, Malformed, ProviderFault
from protocol.limits import MAX_MESSAGES, MAX_PROMPT
from protocol.sealing import derive_secret, require_public_key, seal
from protocol.types import Answer, Entry, Job, JobSpec, Offer, Prompt, Transcript
from protocol.units import Digest
from protocol.wire import from_json, to_json

T = TypeVar("T")
ROLES = ("system", "user", "assistant")
TEXT = "text"
"""The role of a prompt's only message when the model is to go on with that text, without its chat template."""
ANSWER_PURPOSE = "malla/answer/v1"


def spec_bytes(spec: JobSpec) -> bytes:
    """The public blob that describes a job."""
    return canonical_json(to_json(spec))


def spec_digest(spec: JobSpec) -> Digest:
    return keccak(spec_bytes(spec))


def parse_spec(data: bytes) -> JobSpec:
    """Raises Malformed also when nothing can be sealed to the reply key: the work could not be delivered."""
    spec = _parse(JobSpec, data, "The job spec")
    require_public_key(spec.reply_key)
    return spec


def prompt_bytes(prompt: Prompt) -> bytes:
    """Plaintext that is sealed to the provider and whose keccak is `JobSpec.prompt_digest`."""
    messages = [{"content": content, "role": role} for role, content in prompt.messages]
    return canonical_json({"messages": messages, "salt": to_hex(prompt.salt)})


def parse_prompt(data: bytes) -> Prompt:
    """Raises Malformed on anything but 1 to MAX_MESSAGES messages of known roles and a salt of 32 bytes."""
    value = parse_canonical(data, "The prompt", MAX_PROMPT)
    if not isinstance(value, dict) or value.keys() != {"messages", "salt"} or not isinstance(value["messages"], list):
        raise Malformed("The prompt must have the fields messages and salt.")
    if not 1 <= len(value["messages"]) <= MAX_MESSAGES:
        raise Malformed(f"The prompt must have 1 to {MAX_MESSAGES} messages, it has {len(value['messages'])}.")
    messages = []
    for i, message in enumerate(value["messages"]):
        if not isinstance(message, dict) or message.keys() != {"role", "content"}:
            raise Malformed(f"messages[{i}] must have the fields role and content.")
        role, content = message["role"], message["content"]
        known = role in ROLES or (role == TEXT and len(value["messages"]) == 1)
        if not known or not isinstance(content, str):
            raise Malformed(f"messages[{i}] must have a role of {', '.join(ROLES)} and a text as content; "
                            f"{TEXT} is the role of an only message.")
        messages.append((role, content))
    return Prompt(tuple(messages), from_hex(value["salt"], 32, "salt"))


def output_digest(output_token_ids: tuple[int, ...]) -> Digest:
    return keccak(pack_token_ids(output_token_ids))


def leaf(answer: Answer, spec: JobSpec) -> Digest:
    """The committed digest of a call, from what its requester holds."""
    values = [
        answer.salt, spec_digest(spec), output_digest(answer.output_token_ids), answer.input_tokens,
        len(answer.output_token_ids), spec.sampler.seed,
        keccak(answer.logprobs + answer.top_logprobs + answer.vector), answer.fingerprint_root,
    ]
    return keccak(abi_encode(["bytes32"] * 3 + ["uint32"] * 2 + ["uint64"] + ["bytes32"] * 2, values))


def answer_of(transcript: Transcript, job_id: Digest, input_tokens: int, text: str, finish: str) -> Answer:
    """The answer to deliver. `text` is what the output tokens decode to, `finish` "stop" if the last is a stop token.

    An auditor derives all four arguments itself, from chain and model, and takes none from the provider.
    """
    return Answer(
        job_id=job_id,
        text=text,
        output_token_ids=transcript.output_token_ids,
        input_tokens=input_tokens,
        finish=finish,
        salt=transcript.salt,
        logprobs=transcript.logprobs,
        top_logprobs=transcript.top_logprobs,
        fingerprint_root=transcript.fingerprint_root,
        vector=transcript.vector,
    )


def sealed_answer(answer: Answer, spec: JobSpec) -> bytes:
    """The delivered bytes; their keccak is `Entry.answer_digest`. The same arguments give the same bytes.

    The sealing secret derives from the salt: the leaf fixes it, so whoever knows the answer knows its sealed bytes.
    """
    return seal(canonical_json(to_json(answer)), spec.reply_key, derive_secret(answer.salt, ANSWER_PURPOSE))


def parse_answer(data: bytes) -> Answer:
    return _parse(Answer, data, "The answer")


def transcript_bytes(transcript: Transcript) -> bytes:
    return canonical_json(to_json(transcript))


def parse_transcript(data: bytes) -> Transcript:
    """Raises Malformed also on a salt or a token id that no leaf could hold."""
    transcript = _parse(Transcript, data, "The transcript")
    if len(transcript.salt) != 32:
        raise Malformed(f"The transcript's salt must have 32 bytes, it has {len(transcript.salt)}.")
    pack_token_ids(transcript.output_token_ids)
    return transcript


def telemetry_digest(telemetry: dict[str, object]) -> Digest:
    return json_digest(telemetry)


def check_transcript(transcript: Transcript, answer: Answer, job: Job, entry: Entry, offer: Offer) -> None:
    """Everything about an opened transcript that needs no model. Raises ProviderFault naming the first failed check.

    `answer` is what the auditor itself derived (see `answer_of`), its `input_tokens` the auditor's own count of the
    rendered prompt. A fault here is exact: digests that do not match.
    """
    spec, input_tokens = transcript.spec, answer.input_tokens
    _require(spec_digest(spec) == job.spec_digest, "spec", "The transcript's spec is not the one that the job names.")
    sent = keccak(transcript.prompt) == spec.prompt_digest
    _require(sent, "prompt", "The prompt is not the one that the requester sent.")
    found = _made("leaf", lambda: leaf(answer, spec))
    _require(found == entry.leaf, "leaf", "The transcript does not have the digest that was committed.")
    delivered = keccak(_made("answer", lambda: sealed_answer(answer, spec)))
    _require(delivered == entry.answer_digest, "answer", "The answer delivered is not what the output tokens make.")
    count = len(transcript.output_token_ids)
    most = job.max_output_tokens
    _require(1 <= count <= most, "length", f"{count} output tokens, allowed are 1 to {most}.")
    fits = input_tokens <= job.input_tokens
    _require(fits, "input", f"{input_tokens} input tokens, reserved were {job.input_tokens}.")
    early = answer.finish == "length" and count != most
    _require(not early, "finish", f"Ends after {count} of {most} tokens without a stop token.")
    worth = payment(input_tokens, count, offer.input_price, offer.output_price)
    _require(entry.amount == worth, "amount", f"Claims {entry.amount} wei for work worth {worth} wei.")
    # The leaf digests logprobs and vector in a row: what comes behind the top logprobs could be moved from one into
    # the other.
    _require(not transcript.vector, "vector", "An answer of tokens comes with a vector.")
    check_logprobs(transcript.logprobs, count)


def check_logprobs(data: bytes, count: int) -> list[float]:
    """The claimed logprobs as floats. Raises ProviderFault unless they are `count` finite numbers of at most 1e-3."""
    _require(len(data) == 4 * count, "logprobs", f"{len(data)} bytes of logprobs for {count} tokens.")
    values = unpack_float32(data)
    _require(all(math.isfinite(v) and v <= 1e-3 for v in values), "logprobs", "A logprob is not finite or above 0.")
    return values


def _parse(kind: type[T], data: bytes, what: str) -> T:
    """The noun of a canonical document. One noun has one text: also its hexadecimal and its addresses are as written by
    `to_json`, so that whoever writes it again gets the digest under which it came."""
    noun = from_json(kind, parse_canonical(data, what), what)
    if canonical_json(to_json(noun)) != data:
        raise Malformed(f"{what} is not in canonical form: write hexadecimal in lower case, addresses with checksum.")
    return noun


def _made(check: str, make: Callable[[], bytes]) -> bytes:
    """What cannot even be computed from a transcript is its provider's fault, never the verifier's error."""
    try:
        return make()
    except BadInput as error:
        raise ProviderFault(check, error.message) from error


def _require(holds: bool, check: str, message: str) -> None:
    if not holds:
        raise ProviderFault(check, message)
