"""Blobs and answers: whoever lies about bytes is passed over, whatever was altered is not taken for the answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from protocol import sealing
from protocol.encoding import canonical_json, keccak, pack_float32
from protocol.transcript import sealed_answer
from protocol.types import Answer
from protocol.units import Digest
from protocol.wire import to_json
from requester.cli.terminal import token_lines
from requester.client import Client
from requester.errors import AnswerInvalid
from requester.flow.answers import read_answer
from requester.flow.blobs import fetch_blob
from tests.requester.world import World


@pytest.fixture
def world() -> World:
    return World()


def test_fetch_blob__lying_and_silent_oracles__are_passed_over(world: World) -> None:
    data, digest = b"sealed", keccak(b"sealed")
    for oracle in world.oracles:
        oracle.blobs[digest] = data
    world.oracles[0].lies = world.oracles[1].lies = world.oracles[2].down = True
    assert fetch_blob(digest, world.oracles) == data
    assert [len(oracle.asked) for oracle in world.oracles] == [1, 1, 1, 1]


def test_fetch_blob__nobody_has_the_true_bytes__is_none(world: World) -> None:
    for oracle in world.oracles:
        oracle.blobs[keccak(b"sealed")] = b"sealed"
        oracle.lies = True
    assert fetch_blob(keccak(b"sealed"), world.oracles) is None


@pytest.mark.parametrize("change", [
    lambda a: replace(a, output_token_ids=(72, 106, 2)),
    lambda a: replace(a, text="Ho"),
    lambda a: replace(a, salt=keccak(b"other")),
    lambda a: replace(a, job_id=keccak(b"other")),
    lambda a: replace(a, input_tokens=a.input_tokens + 1),
    lambda a: replace(a, logprobs=pack_float32([-1.0, -2.0, -4.0])),
], ids=["tokens", "text", "salt", "job", "count", "logprobs"])  # fmt: skip
def test_wait__delivered_answer_differs_from_the_leaf__is_noted_and_not_shown(
    world: World, change: Callable[[Answer], Answer]
) -> None:
    world.acts = [lambda: world.commit(change), world.settle]  # type: ignore[list-item, return-value]
    result = Client(world.market).run("Hello?", max_tokens=8)
    assert (result.state, result.text, result.receipt_path) == ("SETTLED", "", "")
    assert "answer" in result.note


def test_read_answer__sealed_to_another_key__is_refused(world: World) -> None:
    world.acts = [world.commit, world.settle]
    Client(world.market).run("Hello?", max_tokens=8)
    stranger = sealing.public_key(sealing.new_secret())
    sealed = sealed_answer(world.answer, replace(world.job().spec, reply_key=stranger))
    with pytest.raises(Exception, match="cannot be opened"):
        read_answer(sealed, world.job(), world.wallet.reply_secret(world.job().job.nonce), world.models)


def test_read_answer__more_tokens_than_asked_for__is_refused(world: World) -> None:
    world.acts = [world.commit, world.settle]
    Client(world.market).run("Hello?", max_tokens=8)
    file = world.job()
    short = replace(file, job=replace(file.job, max_output_tokens=2))
    sealed = sealing.seal(canonical_json(to_json(world.answer)), file.spec.reply_key, sealing.new_secret())
    with pytest.raises(AnswerInvalid, match="3 tokens, asked for were at most 2"):
        read_answer(sealed, short, world.wallet.reply_secret(file.job.nonce), world.models)


def test_wait__answer_arrives_after_the_settlement__is_still_fetched(world: World) -> None:
    held: dict[Digest, bytes] = {}

    def commit_and_hold_back() -> None:
        world.commit()
        (entry,) = world.chain.committed[world.job().job_id].entries
        for oracle in world.oracles:
            held[entry.answer_digest] = oracle.blobs.pop(entry.answer_digest)

    world.acts = [commit_and_hold_back, world.settle, lambda: world.oracles[3].blobs.update(held)]
    result = Client(world.market).run("Hello?", max_tokens=8)
    assert result.text == "Hi" and result.receipt_path


def test_transcript__answer_is_here__has_every_token_with_its_logprob_before_the_money_moved(world: World) -> None:
    """R106: what comes with an answer is enough for its requester to audit it in full."""
    world.acts = [world.commit]  # type: ignore[list-item]
    client = Client(world.market)
    job_id = client.submit("Hello?", max_tokens=8)
    found, transcript = client.transcript(job_id)
    assert found.state == "COMMITTED" and transcript is not None
    assert transcript.output_token_ids == world.answer.output_token_ids
    assert (transcript.logprobs, transcript.salt) == (world.answer.logprobs, world.answer.salt)
    assert keccak(transcript.prompt) == transcript.spec.prompt_digest
    assert [line.split()[1] for line in token_lines(transcript)] == ["-0.100000", "-0.200000", "-0.300000"]
