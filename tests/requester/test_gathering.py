"""What comes of a reply, part by part: held to the same rules however it is cut, and each part looked at once."""

from __future__ import annotations

from typing import Any

import pytest

from protocol.encoding import keccak, pack_float32, to_hex
from protocol.errors import ProviderFault
from protocol.sampling import PLAIN
from protocol.types import JobSpec
from protocol.units import Address
from requester.flow import endings
from requester.flow.gathering import Gathering

WHO, STOP, TOP = Address("0x" + "11" * 20), 2, 40
SPEC = JobSpec(31337, WHO, WHO, WHO, keccak(b"m"), keccak(b"p"), PLAIN, 7, 6, keccak(b"d"), keccak(b"b"), bytes(32), 1)


def part(*ids: int, logprob: float = -0.5, top: bool = True) -> dict[str, Any]:
    return {"kind": "tokens", "ids": list(ids), "logprobs": to_hex(pack_float32([logprob] * len(ids))),
            "top": to_hex(bytes(TOP * len(ids)) if top else b"")}


@pytest.mark.parametrize(("parts", "check"), [
    ([part()], "tokens"), ([{"kind": "tokens", "ids": ["1"]}], "tokens"), ([part(5), part()], "tokens"),
    ([part(5, 6, 7), part(5, 6, 7, 8)], "length"), ([part(5, STOP, 6)], "stop"), ([part(5, STOP), part(6)], "stop"),
    ([part(STOP), part(STOP)], "stop"), ([part(5), part(6, logprob=0.5)], "logprobs"),
    ([part(5), part(6, logprob=float("nan"))], "logprobs"), ([part(5), part(6) | {"top": "0x00"}], "top"),
    ([part(5), part(6) | {"logprobs": "0x00"}], "logprobs")])
def test_add__what_may_not_come__names_what_is_wrong(parts: list[dict[str, Any]], check: str) -> None:
    gathering = Gathering(SPEC, (STOP,))
    for one in parts[:-1]:
        gathering.add(one)
    before = gathering.whole()
    with pytest.raises(ProviderFault) as caught:
        gathering.add(parts[-1])
    assert caught.value.check == check and gathering.whole() == before


def test_add__in_parts__is_what_comes_at_once() -> None:
    one, many = Gathering(SPEC, (STOP,)), Gathering(SPEC, (STOP,))
    assert one.add(part(5, 6, 7, STOP)).ids == (5, 6, 7, STOP)
    assert [many.add(some).ids for some in (part(5), part(6, 7), part(STOP))] == [(5,), (6, 7), (STOP,)]
    assert one.whole() == many.whole() and many.count == 4


def test_add__long_answer__every_logprob_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    honest = endings.check_logprobs
    monkeypatch.setattr(endings, "check_logprobs", lambda data, count: seen.append(count) or honest(data, count))
    gathering = Gathering(SPEC, (STOP,))
    for one in range(6):
        gathering.add(part(10 + one))
    assert sum(seen) == 6
