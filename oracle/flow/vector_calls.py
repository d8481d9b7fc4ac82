"""The audit of a vector model's call: its inputs run again, and the answer has to lie within its class's tolerance."""

from __future__ import annotations

from typing import Any

from oracle.flow.measuring import Judged
from oracle.ports import Replayer
from oracle.records.scores import KeptNumbers
from oracle.records.sessions import CallNote
from protocol.documents import document_to_json
from protocol.encoding import json_digest, to_hex
from protocol.errors import BadInput, ProviderFault, Reason, Refused
from protocol.transcript import parse_prompt
from protocol.types import Transcript
from protocol.vector_bundle import vector_ids
from protocol.vector_manifest import VectorManifest
from protocol.vector_profile import tolerance
from protocol.vector_verdict import (
    WRONG_VECTOR,
    judge_vector_numbers,
    measure_vectors,
    vector_numbers_to_json,
)
from protocol.vectors import check_vector_transcript, inputs_of_prompt


def check_vector_call(transcript: Transcript, call: CallNote) -> None:
    """Raises ProviderFault: what came has to be a vector, and no output token is paid."""
    check_vector_transcript(transcript)
    if call.line.output_tokens:
        raise ProviderFault("amount", f"Reports {call.line.output_tokens} output tokens for a vector.")


def measure_vector(transcript: Transcript, call: CallNote, manifest: VectorManifest, replayer: Replayer) -> Judged:
    """The verdict of a replay. Raises ProviderFault where the input is not what is paid; Refused(prompt_unreadable),
    which convicts nobody, and unknown_profile."""
    spec = transcript.spec
    profile = replayer.vector_profile(spec.profile, spec.model)
    try:
        inputs = inputs_of_prompt(parse_prompt(transcript.prompt), manifest)
        replay, counted = replayer.replay_vector(spec.model, inputs)
    except (BadInput, Refused) as error:
        # The requester sent this and its provider should have refused it; neither can be convicted for it.
        raise Refused(Reason.PROMPT_UNREADABLE, f"The requester's inputs cannot be run: {error.message}") from error
    if counted != call.line.input_tokens:
        raise ProviderFault("input", f"Reports {call.line.input_tokens} input tokens for inputs that count {counted}.")
    numbers = measure_vectors(manifest, inputs.count, transcript.vector, replay)
    verdict = judge_vector_numbers(profile, numbers)
    if WRONG_VECTOR in verdict.checks:
        # Its requester chose the inputs: those on which the model's numbers cancel out must not frame an honest node.
        # The seed is in nobody's hand: the leaf holds the provider's salt, and was signed before the audit was drawn.
        noise = replayer.perturb_vector(spec.model, inputs, int.from_bytes(call.line.leaf[:7], "big"))
        numbers = measure_vectors(manifest, inputs.count, transcript.vector, replay, noise)
        verdict = judge_vector_numbers(profile, numbers)
    shown = vector_numbers_to_json(numbers)
    facts: dict[str, Any] = {
        "inputs": inputs.count, "thresholds": {name: str(tolerance(profile, name)) for name in profile.statistics},
        "numbers": to_hex(json_digest(shown)), "distances": shown["distances"],
    }
    kept = KeptNumbers(shown, vector_ids(transcript, counted, replay), document_to_json(profile))
    return Judged(verdict, facts, kept=kept)
