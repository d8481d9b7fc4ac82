from __future__ import annotations

import math

import pytest

from protocol.claim import Claim, ClaimRules, FaultCode, find_fault
from protocol.comparison import Replay, compute_statistics

STOP = 2
RULES = ClaimRules(max_output_tokens=4, vocabulary=100, stop_token_ids=(STOP,))
STOPPED = Claim((10, 11, STOP), (-0.1, -0.2, -0.3), "stop")
FULL = Claim((10, 11, 12, 13), (-0.1, -0.2, -0.3, 0.0), "length")


@pytest.mark.parametrize(
    ("claim", "code"),
    [
        (Claim((), (), "stop"), FaultCode.OUTPUT_EMPTY),
        (Claim((5,) * 5, (-1.0,) * 5, "length"), FaultCode.OUTPUT_TOO_LONG),
        (Claim((5, 100, STOP), (-1.0,) * 3, "stop"), FaultCode.TOKEN_INVALID),
        (Claim((5, -1, STOP), (-1.0,) * 3, "stop"), FaultCode.TOKEN_INVALID),
        (Claim((5, True, STOP), (-1.0,) * 3, "stop"), FaultCode.TOKEN_INVALID),
        (Claim((5, "6", STOP), (-1.0,) * 3, "stop"), FaultCode.TOKEN_INVALID),  # type: ignore[arg-type]
        (Claim((5, STOP, 6, STOP), (-1.0,) * 4, "stop"), FaultCode.TOKEN_AFTER_STOP),
        (Claim((5, STOP), (-1.0,) * 2, "eos"), FaultCode.FINISH_UNKNOWN),
        (Claim((5, STOP), (-1.0,) * 2, None), FaultCode.FINISH_UNKNOWN),  # type: ignore[arg-type]
        (Claim((5, 6), (-1.0,) * 2, "stop"), FaultCode.STOP_WITHOUT_STOP_TOKEN),
        (Claim((5, 6, 7, STOP), (-1.0,) * 4, "length"), FaultCode.LENGTH_WITH_STOP_TOKEN),
        (Claim((5, 6, 7), (-1.0,) * 3, "length"), FaultCode.LENGTH_TOO_SHORT),
        (Claim((5, STOP), (-1.0,), "stop"), FaultCode.LOGPROBS_WRONG_COUNT),
        (Claim((5, STOP), (-1.0,) * 3, "stop"), FaultCode.LOGPROBS_WRONG_COUNT),
        (Claim((5, STOP), (-1.0, math.nan), "stop"), FaultCode.LOGPROB_NOT_FINITE),
        (Claim((5, STOP), (-math.inf, -1.0), "stop"), FaultCode.LOGPROB_NOT_FINITE),
        (Claim((5, STOP), (-1.0, None), "stop"), FaultCode.LOGPROB_NOT_FINITE),  # type: ignore[arg-type]
        (Claim((5, STOP), (-1.0, 0.001), "stop"), FaultCode.LOGPROB_POSITIVE),
        # ln 100 is 4.6: no token that greedy decoding chooses can be less likely than one in a hundred.
        (Claim((5, STOP), (-1.0, -5.7), "stop"), FaultCode.LOGPROB_TOO_LOW),
    ],
)
def test_find_fault__rule_broken__names_it(claim: Claim, code: FaultCode) -> None:
    fault = find_fault(claim, RULES)
    assert fault is not None and fault.code is code
    assert fault.reason.endswith(".")


@pytest.mark.parametrize(
    "claim", [STOPPED, FULL, Claim((STOP,), (-4.7,), "stop"), Claim((7, 8, 9, STOP), (-1.0,) * 4, "stop")]
)
def test_find_fault__answer_by_the_rules__finds_none(claim: Claim) -> None:
    assert find_fault(claim, RULES) is None


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
