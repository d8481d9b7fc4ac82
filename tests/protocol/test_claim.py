from __future__ import annotations

import math
from dataclasses import replace

import pytest

from protocol.claim import Claim, pack_top, unpack_top
from protocol.claim_faults import ClaimRules, FaultCode, find_fault

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


def top(*rows: list[float], first: int = 10) -> bytes:
    return pack_top([tuple((first + i, value) for i, value in enumerate(row)) for row in rows])


FALLING = [-0.5, -1.0, -2.0, -3.0, -4.0]


@pytest.mark.parametrize(
    "bad",
    [
        top(FALLING, FALLING),  # two rows for three tokens
        top(FALLING, FALLING, FALLING)[:-1],
        top(FALLING, FALLING, FALLING[::-1]),
        top(FALLING, FALLING, [math.nan, *FALLING[1:]]),
        top(FALLING, FALLING, [0.5, *FALLING[1:]]),
        top(FALLING, FALLING, [-math.inf] * 5),
        top(FALLING, FALLING, FALLING, first=97),  # ids 100 and 101 are outside the vocabulary
        pack_top([tuple((10, value) for value in FALLING)] * 3),  # one token five times
    ],
)
def test_find_fault__top_logprobs_that_none_can_have__names_them(bad: bytes) -> None:
    fault = find_fault(replace(STOPPED, top_logprobs=bad), RULES)
    assert fault is not None and fault.code is FaultCode.TOP_LOGPROBS_INVALID


def test_find_fault__top_logprobs_in_order__finds_none() -> None:
    assert find_fault(replace(STOPPED, top_logprobs=top(FALLING, FALLING, FALLING)), RULES) is None


def test_find_fault__bare_transcript__needs_no_logprobs() -> None:
    assert find_fault(replace(STOPPED, chosen_logprobs=None), RULES) is None


def test_find_fault__stop_token_that_was_banned__names_it() -> None:
    """R99: an answer may not end before `min_tokens`."""
    fault = find_fault(STOPPED, replace(RULES, min_tokens=3))
    assert fault is not None and fault.code is FaultCode.TOKEN_BANNED
    assert find_fault(STOPPED, replace(RULES, min_tokens=2)) is None


def test_find_fault__sampled_token_of_any_likelihood__is_allowed() -> None:
    unlikely = Claim((5, STOP), (-1.0, -30.0), "stop")
    assert find_fault(unlikely, replace(RULES, greedy=False)) is None


def test_unpack_top__its_bytes__come_back() -> None:
    data = top(FALLING, FALLING)
    assert pack_top(unpack_top(data)) == data
    with pytest.raises(ValueError, match="five of eight bytes"):
        unpack_top(data[:-1])
