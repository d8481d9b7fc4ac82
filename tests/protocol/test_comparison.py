from __future__ import annotations

from dataclasses import replace

import numpy
import pytest

from protocol.claim import Claim, OpenedRows, pack_top
from protocol.comparison import Replay, compute_statistics

STOPPED = Claim((10, 11, 2), (-0.1, -0.2, -0.3), "stop")
FULL = Claim((10, 11, 12, 13), (-0.1, -0.2, -0.3, 0.0), "length")


def test_compute_statistics__lengths_differ__is_the_caller_s_error() -> None:
    with pytest.raises(ValueError, match="find_fault"):
        compute_statistics(STOPPED, Replay((0.0,), (-0.1,)))


def test_compute_statistics__stopped__separates_the_end_margin() -> None:
    found = compute_statistics(STOPPED, Replay((0.5, 0.25, 3.0), (-0.1, -0.25, -0.3)))
    assert (found.max_margin, found.end_margin, found.tokens) == (0.5, 3.0, 3)
    assert found.mean_logprob_distance == pytest.approx(0.05 / 3)


def test_compute_statistics__ended_by_length__has_no_end_margin() -> None:
    found = compute_statistics(FULL, Replay((0.0, 0.0, 0.0, 2.0), FULL.chosen_logprobs))
    assert (found.max_margin, found.end_margin, found.mean_logprob_distance) == (2.0, 0.0, 0.0)


def test_compute_statistics__bare_transcript__is_judged_by_its_tokens_alone() -> None:
    found = compute_statistics(replace(STOPPED, chosen_logprobs=None), Replay((0.5, 0.0, 0.0), (-0.1,) * 3))
    assert found.max_margin == 0.5
    assert (found.mean_logprob_distance, found.mean_top_logprob_distance, found.fingerprint_distance) == (None,) * 3


def test_compute_statistics__one_huge_margin__counts_for_one_nat_in_the_mean() -> None:
    found = compute_statistics(STOPPED, Replay((30.0, 0.5, 0.0), (-0.1,) * 3))
    assert found.max_margin == 30.0 and found.mean_margin == pytest.approx(0.5)


def test_compute_statistics__unlikely_tokens_named_as_the_top__are_far_off_in_rank() -> None:
    """Whoever names five tokens whose logprobs it knows, instead of the five likeliest, gains nothing."""
    row = ((90, -9.0), (91, -9.0), (92, -9.0), (93, -9.0), (94, -9.0))
    claim = Claim((10,), (-0.1,), "length", pack_top([row]))
    honest = Replay((0.0,), (-0.1,), ((-9.0,) * 5,), ((-0.5, -1.0, -2.0, -3.0, -4.0),))
    assert compute_statistics(claim, honest).mean_top_logprob_distance == pytest.approx(6.9)


def test_compute_statistics__opened_rows__are_held_against_our_own() -> None:
    own = numpy.zeros((2, 34))
    opened = OpenedRows(own + 0.024, numpy.full((2, 1), 0.012), (0, 1))
    found = compute_statistics(replace(STOPPED, opened=opened), Replay((0.0,) * 3, (-0.1,) * 3, rows=own))
    assert found.fingerprint_distance == pytest.approx(0.024)
