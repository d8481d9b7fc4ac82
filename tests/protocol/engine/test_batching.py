"""The engine that batches: each sequence gives what `generate` gives alone, whoever runs beside it."""

from __future__ import annotations

import copy
import random
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
import torch

from protocol.claim import Asked, FinishReason
from protocol.engine import batching
from protocol.engine.batching import Engine
from protocol.engine.generate import Execution, GenerationCancelled, NumbersBroken, generate
from protocol.engine.model import ServedModel, build_model
from protocol.engine.prompt import PromptEncoder
from protocol.engine.replay import audit_claim
from protocol.engine.sequence import AHEAD, EngineClosed
from protocol.engine.sequence import Sequence as Running
from protocol.errors import BadInput
from protocol.profile import CalibrationProfile
from protocol.sampling import PLAIN
from protocol.types import AuditStatistics, Sampler

SEED = b"\x07" * 32
NOISE = 1e-4
"""Of logprobs, between a batch and a sequence alone, in float32."""


def drain(engine: Engine, *running: Running) -> list[Execution]:
    """Turn the engine by hand until these are over and taken."""
    while not all(one.is_taken for one in running):
        engine.turn()
        for one in running:
            one.take(0)
    return [one.execution() for one in running]


def require_alike(found: Execution, alone: Execution) -> None:
    assert found.output_token_ids == alone.output_token_ids
    assert found.finish_reason is alone.finish_reason
    assert max(abs(a - b) for a, b in zip(found.chosen_logprobs, alone.chosen_logprobs, strict=True)) < NOISE
    assert len(found.top_logprobs) == len(alone.top_logprobs) and len(found.fingerprints) == len(alone.fingerprints)


def prompts(count: int, seed: int = 1) -> list[list[int]]:
    rng = random.Random(seed)
    return [[1, *(rng.randrange(3, 261) for _ in range(rng.randrange(2, 40)))] for _ in range(count)]


@pytest.fixture
def endless(tiny: ServedModel) -> ServedModel:
    """Whose stop token is none that it can choose."""
    manifest = copy.copy(tiny.manifest)
    object.__setattr__(manifest, "stop_token_ids", (10_000,))  # no manifest that is read may have such a one
    return replace(tiny, manifest=manifest)


@pytest.fixture
def running(endless: ServedModel) -> Iterator[Engine]:
    engine = Engine(endless, 4).start()
    yield engine
    engine.close()


def test_submit__prompt_without_tokens__is_refused(tiny: ServedModel) -> None:
    with pytest.raises(BadInput, match="no tokens"):
        Engine(tiny).submit([], 4)


def test_submit__closed_engine__is_refused_and_those_at_hand_fail(endless: ServedModel) -> None:
    engine = Engine(endless, 2).start()
    sequence = engine.submit([1, 5], 80)
    engine.close()
    with pytest.raises(EngineClosed):
        engine.submit([1, 5], 4)
    with pytest.raises(EngineClosed):
        while True:
            sequence.take(5)


def test_sequence__cancelled_before_its_first_token__gives_no_answer(endless: ServedModel) -> None:
    engine = Engine(endless, 1)
    first, second = engine.submit([1, 5], 40), engine.submit([1, 6], 40)
    engine.turn()
    second.cancel()
    engine.turn()
    assert second.over and not first.over
    with pytest.raises(GenerationCancelled):
        second.execution()


def test_sequence__numbers_of_another_one_broken__is_not_harmed(endless: ServedModel,
                                                                monkeypatch: pytest.MonkeyPatch) -> None:
    engine, real = Engine(endless, 4), batching.logprobs_of
    good, bad = engine.submit([1, 50, 60], 8), engine.submit([1, 70], 8)
    alone = 0

    def break_second(logits: torch.Tensor, chosen: torch.Tensor) -> object:
        """Both fail together, and of those tried alone the second one."""
        nonlocal alone
        alone = 0 if len(logits) > 1 else alone + 1
        if len(logits) > 1 or (alone == 2 and len(bad.written.tokens) == 3):
            raise NumbersBroken("not finite")
        return real(logits, chosen)

    monkeypatch.setattr(batching, "logprobs_of", break_second)
    while not (good.over and bad.over):
        engine.turn()
    assert good.error is None and len(good.written.tokens) == 8
    bad.take(0)
    with pytest.raises(NumbersBroken):
        bad.take(0)


def test_engine__pass_that_fails__fails_those_at_hand_and_serves_the_next(tiny: ServedModel) -> None:
    broken = {**tiny.tensors, "model.norm.weight": torch.full((63,), 1.0)}
    engine = Engine(build_model(tiny.manifest, broken), 2).start()
    for _ in range(2):
        with pytest.raises(RuntimeError):
            engine.submit([1, 5], 4).take(10)
    engine.close()


@pytest.mark.parametrize("sampler", [PLAIN, Sampler("gumbel", 2**63 + 5, 800, 9_500, 40, 2)])
def test_sequences__joining_and_leaving_at_any_time__give_what_each_gives_alone(tiny: ServedModel,
                                                                                sampler: Sampler) -> None:
    engine, rng = Engine(tiny, 5), random.Random(3)
    asked = [(prompt, rng.randrange(1, 40), replace(sampler, seed=sampler.seed ^ i))
             for i, prompt in enumerate(prompts(14))]
    submitted: list[Running] = []
    for prompt, most, its in asked:
        submitted.append(engine.submit(prompt, most, its, SEED))
        for _ in range(rng.randrange(4)):
            engine.turn()
            for one in submitted:
                one.take(0)
    for found, (prompt, most, its) in zip(drain(engine, *submitted), asked, strict=True):
        require_alike(found, generate(tiny, prompt, most, sampler=its, fingerprint_seed=SEED))


def test_sequences__greedy_and_sampled_in_one_batch__each_by_its_own_rule(endless: ServedModel) -> None:
    engine = Engine(endless, 4)
    rules = [PLAIN, Sampler("gumbel", 5, 700), PLAIN, Sampler("gumbel", 6, 1500, 8000)]
    found = drain(engine, *(engine.submit([1, 50, 60, 70], 12, rule) for rule in rules))
    for execution, rule in zip(found, rules, strict=True):
        require_alike(execution, generate(endless, [1, 50, 60, 70], 12, sampler=rule))


def test_sequence__that_nobody_takes__pauses_and_goes_on_as_if_nothing_was(endless: ServedModel) -> None:
    engine = Engine(endless, 4)
    slow, quick = engine.submit([1, 50, 60], 60), engine.submit([1, 70, 80, 90], 60)
    while not quick.is_taken:
        engine.turn()
        quick.take(0)
    assert len(slow.written.tokens) == AHEAD
    assert not engine.turn()  # nothing to do: it costs nothing
    for found, prompt in zip(drain(engine, slow, quick), ([1, 50, 60], [1, 70, 80, 90]), strict=True):
        require_alike(found, generate(endless, prompt, 60))


def test_prompt__longer_than_a_pass__is_read_between_the_steps_of_others(endless: ServedModel,
                                                                         monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("protocol.engine.batching.PASS", 8)
    engine = Engine(endless, 4)
    first = engine.submit([1, 50], 30)
    engine.turn()
    long = engine.submit([1, *range(10, 50)], 10)
    while not long.written.tokens:
        before = len(first.written.tokens)
        engine.turn()
        assert len(first.written.tokens) == before + 1
        first.take(0)
    require_alike(drain(engine, first, long)[1], generate(endless, [1, *range(10, 50)], 10))


def test_room__used_up__newcomer_waits(endless: ServedModel) -> None:
    engine = Engine(endless, 8, room=96)
    first, second = engine.submit([1, 50], 60), engine.submit([1, 60], 60)
    for _ in range(3):
        engine.turn()
    assert first.written.tokens and not second.written.tokens
    require_alike(drain(engine, first, second)[1], generate(endless, [1, 60], 60))


def test_execution__of_the_first_tokens__is_an_answer_that_ended_early(endless: ServedModel) -> None:
    engine = Engine(endless, 1)
    sequence = engine.submit([1, 50], 10, fingerprint_seed=SEED)
    (whole,) = drain(engine, sequence)
    part = sequence.execution(4)
    assert part.finish_reason is FinishReason.CANCELLED and whole.finish_reason is FinishReason.LENGTH
    assert part.output_token_ids == whole.output_token_ids[:4]
    assert part.fingerprints == whole.fingerprints[: len(part.fingerprints)]
    assert len(part.fingerprints) * 10 == len(whole.fingerprints) * 4
    assert isinstance(audit_claim(endless, Asked([1, 50], 10, may_end_early=True), part.as_claim()), AuditStatistics)


def test_engine__callers_in_threads__each_gets_its_own(running: Engine, endless: ServedModel) -> None:
    asked, found = prompts(12, 5), {}

    def ask(place: int) -> None:
        sequence = running.submit(asked[place], 20)
        while not sequence.is_taken:
            sequence.take(5)
        found[place] = sequence.execution()

    threads = [threading.Thread(target=ask, args=(place,)) for place in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for place, prompt in enumerate(asked):
        require_alike(found[place], generate(endless, prompt, 20))


@pytest.mark.model
def test_smollm2__eight_at_once__pass_the_audit_of_their_profile(smollm2: ServedModel, smollm2_encoder: PromptEncoder,
                                                                 smollm2_profile: CalibrationProfile) -> None:
    engine = Engine(smollm2, 8)
    asked: Sequence[tuple[int, ...]] = [smollm2_encoder.encode([("user", f"Tell me about the number {i}.")])
                                        for i in range(8)]
    for execution, prompt in zip(drain(engine, *(engine.submit(prompt, 16) for prompt in asked)), asked, strict=True):
        found = audit_claim(smollm2, Asked(prompt, 16), execution.as_claim())
        assert isinstance(found, AuditStatistics)
        for name in ("max_margin", "mean_logprob_distance", "mean_top_logprob_distance"):
            assert getattr(found, name) <= float(smollm2_profile.statistics[name].numeric_floor), name
