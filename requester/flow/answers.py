"""Opening an answer and checking that it is the one that the provider committed to."""

from __future__ import annotations

from dataclasses import replace

from protocol import sealing
from protocol.errors import ProviderFault
from protocol.transcript import check_logprobs, leaf, parse_answer
from protocol.types import Answer, Transcript
from requester.errors import AnswerInvalid
from requester.ports.jobs import Models
from requester.records.jobs import JobFile


def read_answer(sealed: bytes, file: JobFile, reply_secret: bytes, models: Models) -> Answer:
    """The answer of sealed bytes whose digest is the committed one, with its text decoded here.

    Errors: BadInput (not sealed to us, or not an answer), AnswerInvalid (another job's, another leaf, more tokens
    than asked for, logprobs that are none, or a text that its tokens do not spell).
    """
    answer = parse_answer(sealing.unseal(sealed, reply_secret))
    entry = file.entries[file.index]
    if answer.job_id != file.job_id:
        raise AnswerInvalid("The provider delivered the answer of another job.")
    if leaf(answer, file.spec) != entry.leaf:
        raise AnswerInvalid("The answer delivered does not have the digest that the provider committed on-chain.")
    if not 1 <= len(answer.output_token_ids) <= file.job.max_output_tokens:
        raise AnswerInvalid(f"The answer has {len(answer.output_token_ids)} tokens, asked for were at most "
                            f"{file.job.max_output_tokens}.")
    try:
        check_logprobs(answer.logprobs, len(answer.output_token_ids))
    except ProviderFault as fault:
        raise AnswerInvalid(f"The answer's logprobs are none: {fault.message}") from fault
    text = models.decode(models.find_digest(file.spec.model), answer.output_token_ids)
    if text != answer.text:
        raise AnswerInvalid("The answer's text is not what its committed tokens spell.")
    return replace(answer, text=text)


def transcript_of(file: JobFile) -> Transcript | None:
    """What an audit would replay, but for the opening of the fingerprint: whoever holds the answer can hold each of its
    tokens against the model. None before the answer is here."""
    answer = file.answer
    if answer is None:
        return None
    return Transcript(file.spec, file.prompt, answer.output_token_ids, answer.logprobs, answer.salt,
                      answer.top_logprobs, answer.fingerprint_root)
