"""The rule in torch beside the rule in integers: two implementations, one token stream."""

from __future__ import annotations

import random

import pytest
import torch

from protocol.engine.generate import generate, generate_batch
from protocol.engine.model import ServedModel
from protocol.engine.sampler import NUCLEUS_SLACK_BPS, ban, choose, margins, ranked
from protocol.sampling import choose as reference
from protocol.types import Sampler

SIZES = (3, 64, 65, 300, 2_000)


def cases(seed: int, count: int) -> list[tuple[torch.Tensor, Sampler, int]]:
    draw, generator = random.Random(seed), torch.Generator().manual_seed(seed)
    found = []
    for place in range(count):
        logits = torch.randn(draw.choice(SIZES), generator=generator) * draw.choice((0.1, 1, 4))
        if place % 3 == 0:
            logits = (logits * 4).round() / 4  # many equal logits, also at the edge of the candidates
        sampler = Sampler("gumbel", draw.randrange(2**64), draw.choice((1, 300, 700, 1_000, 2_000)),
                          draw.choice((1, 500, 5_000, 9_000, 10_000)), draw.choice((1, 2, 40, 64)))
        found.append((logits, sampler, draw.randrange(4_096)))
    return found


def test_choose__five_hundred_rows__every_token_is_the_reference_s() -> None:
    """R98: two implementations agree on every token."""
    for logits, sampler, position in cases(1, 500):
        chosen = choose(logits[None], sampler, torch.tensor([position]))
        assert int(chosen) == reference(logits.tolist(), sampler, position)


def test_choose__rows_together__as_each_alone() -> None:
    logits = torch.randn(16, 500, generator=torch.Generator().manual_seed(2)) * 3
    samplers = [Sampler("gumbel", seed, 500 + 50 * seed, 9_500) for seed in range(16)]
    positions = torch.arange(16)
    together = choose(logits, samplers, positions)
    alone = [int(choose(logits[i : i + 1], samplers[i], positions[i : i + 1])) for i in range(16)]
    assert together.tolist() == alone


def test_choose__more_threads__the_same_tokens() -> None:
    logits = torch.randn(8, 49_152, generator=torch.Generator().manual_seed(3))
    sampler, before = Sampler("gumbel", 5, 1_000), torch.get_num_threads()
    try:
        found = []
        for threads in (1, 2):
            torch.set_num_threads(threads)
            found.append(choose(logits, sampler, torch.arange(8)).tolist())
    finally:
        torch.set_num_threads(before)
    assert found[0] == found[1]


def test_margins__the_chosen_token__is_no_worse_than_itself() -> None:
    for logits, sampler, position in cases(4, 300):
        place = torch.tensor([position])
        chosen = choose(logits[None], sampler, place)
        assert float(margins(logits[None], chosen, sampler, place)) == 0


def test_margins__any_other_token__costs_what_the_scores_differ() -> None:
    logits, place = torch.randn(1, 64, generator=torch.Generator().manual_seed(5)), 3
    sampler = Sampler("gumbel", 9, 1_000)
    chosen = int(choose(logits, sampler, torch.tensor([place])))
    for token in set(range(64)) - {chosen}:
        assert float(margins(logits, torch.tensor([token]), sampler, torch.tensor([place]))) > 0


def test_margins__greedy__is_the_distance_to_the_best_logit() -> None:
    found = margins(torch.tensor([[1.0, 3.0, 2.5]]), torch.tensor([2]), Sampler("greedy", 0), torch.tensor([0]))
    assert float(found) == pytest.approx(0.5)


def test_margins__token_just_beyond_the_nucleus__is_not_held_against_its_provider() -> None:
    """R100: a token at the edge may have been a candidate; one far beyond was none."""
    logits = torch.tensor([0.5, 0.3, 0.2]).log()[None]
    edge = Sampler("gumbel", 1, 1_000, 8_000 - NUCLEUS_SLACK_BPS // 2)
    far = Sampler("gumbel", 1, 1_000, 4_000)
    third, place = torch.tensor([2]), torch.tensor([0])
    assert float(margins(logits, third, far, place)) > 0.9  # ln(0.5 / 0.2)
    wide = Sampler("gumbel", 1, 1_000, 10_000)
    assert float(margins(logits, third, edge, place)) <= float(margins(logits, third, wide, place))


def test_ban__before_min_tokens__hides_the_stop_tokens() -> None:
    logits = torch.tensor([[0.0, 5.0], [0.0, 5.0]])
    assert ban(logits, (1,), torch.tensor([True, False])).argmax(dim=-1).tolist() == [0, 1]


def test_ranked__equal_logits_at_the_edge__keeps_the_lowest_ids() -> None:
    values, ids = ranked(torch.tensor([[1.0, 0.5, 2.0, 0.5, 0.5]]), 3)
    assert ids.tolist() == [[2, 0, 1]] and values.tolist() == [[2.0, 1.0, 0.5]]


def test_generate__sampled__batch_and_alone_give_one_stream(tiny: ServedModel) -> None:
    prompts = [[1, 50, 60, 70], [5, 6], [9, 8, 7, 6, 5, 4]]
    samplers = [Sampler("gumbel", seed, 900, 9_500, min_tokens=3) for seed in range(3)]
    together = generate_batch(tiny, prompts, 24, samplers)
    alone = [generate(tiny, prompt, 24, sampler=sampler) for prompt, sampler in zip(prompts, samplers, strict=True)]
    assert [run.output_token_ids for run in together] == [run.output_token_ids for run in alone]
    assert len({run.output_token_ids for run in alone}) == 3
