"""What a call leaves when it has ended: transcript and leaf."""

from __future__ import annotations

from dataclasses import dataclass

from protocol.limits import MAX_TRANSCRIPT
from protocol.proofs.fingerprint import fingerprint_root
from protocol.sealing import new_secret
from protocol.transcript import answer_of, leaf, transcript_bytes
from protocol.types import NO_FINGERPRINT, JobSpec, Transcript
from provider.flow.inference import OPENING_ROOM
from provider.records.sessions import CallRefused, CallRow, CallWork
from provider.records.work import Completion


@dataclass(frozen=True)
class Times:
    """Unix seconds: of the beginning, of the first token (0 without one), of the end."""

    started: float
    first: float
    finished: float


def write_work(row: CallRow, spec: JobSpec, done: Completion, telemetry: dict[str, object], times: Times) -> CallWork:
    """Transcript and leaf, with a fresh salt. Raises CallRefused for a transcript that could not be opened."""
    root = fingerprint_root(done.fingerprints) if done.fingerprints else NO_FINGERPRINT
    transcript = Transcript(spec, row.prompt, done.output_token_ids, done.logprobs, new_secret(), done.top_logprobs,
                            root, vector=done.vector)
    data = transcript_bytes(transcript)
    if len(data) + OPENING_ROOM > MAX_TRANSCRIPT:
        # It could not be opened, which would cost the whole batch its pay.
        raise CallRefused(503, "transcript_too_long", f"The transcript has {len(data)} bytes.", "Ask for less.")
    answer = answer_of(transcript, row.session_id, done.input_tokens, done.text, done.finish)
    return CallWork(data, leaf(answer, spec), transcript.salt, root, done.input_tokens, len(done.output_token_ids),
                    done.finish, telemetry, int(times.finished), max(times.finished - times.started, 1e-6),
                    (times.first or times.finished) - times.started, done.fingerprints, done.vector)
