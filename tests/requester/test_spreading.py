"""A batch over many providers: no provider sees more than its share, and what failed is asked elsewhere, then told."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from protocol.errors import BadInput, Refused
from requester.flow.batch import read_lines
from requester.flow.spreading import Shares, ask_line, most_of
from tests.requester.fake_asker import PROVIDERS, FakeAsker


def lines(count: int, **fields: Any) -> str:
    return "".join(json.dumps({"prompt": f"q{number}", **fields}) + "\n" for number in range(count))


@pytest.mark.parametrize(("documents", "percent", "sellers", "fix"), [
    (10, 33, 3, "40"), (10, 0, 3, "40"), (3, 20, 3, "34"), (100, 33, 3, "34"), (5, 99, 1, "100"),
])
def test_most__shares_that_cannot_take_all__is_refused_with_one_that_can(documents: int, percent: float, sellers: int,
                                                                       fix: str) -> None:
    """Before anything is paid; and the share that is named works."""
    with pytest.raises(BadInput) as refusal:
        most_of(documents, percent, sellers)
    assert f"--spread {fix} " in refusal.value.fix
    assert most_of(documents, float(fix), sellers) * sellers >= documents


def test_most__nobody_offers__says_so() -> None:
    with pytest.raises(Refused):
        most_of(3, 100, 0)


def test_ask__every_line__no_provider_sees_more_than_its_share() -> None:
    asker, shares = FakeAsker(), Shares(most_of(10, 40, 3))
    for line in read_lines(lines(10), "x", {}):
        assert ask_line(line, asker, shares, {}, 3, 0.0).result is not None
    assert max(Counter(provider for _, provider in asker.asked).values()) <= 4


def test_ask__provider_fails__another_is_asked_and_none_twice() -> None:
    asker, shares = FakeAsker(failing=("0xA",), refusing=("0xB",)), Shares(9)
    (line,) = read_lines(lines(1), "x", {})
    found = ask_line(line, asker, shares, {}, 3, 0.0)
    assert found.result is not None and (found.result.state, found.result.provider) == ("SETTLED", "0xC")
    assert found.asked == PROVIDERS


def test_ask__all_fail__the_last_result_is_told() -> None:
    (line,) = read_lines(lines(1), "x", {})
    found = ask_line(line, FakeAsker(failing=PROVIDERS), Shares(9), {}, 5, 0.0)
    assert found.result is not None and found.result.state == "REFUNDED" and len(found.asked) == 3
    refused = ask_line(line, FakeAsker(refusing=PROVIDERS), Shares(9), {}, 2, 0.0)
    assert refused.result is None and refused.error is not None and len(refused.asked) == 2


def test_ask__what_the_user_did_wrong__is_asked_of_nobody_else() -> None:
    asker = FakeAsker()
    (line,) = read_lines(json.dumps({"prompt": "bad"}), "x", {})
    found = ask_line(line, asker, Shares(1), {}, 3, 0.0)
    assert isinstance(found.error, BadInput) and len(asker.asked) == 1


def test_ask__line_that_names_its_provider__is_asked_there_alone() -> None:
    asker = FakeAsker(failing=("0xB",))
    (line,) = read_lines(lines(1, provider="0xB"), "x", {})
    assert ask_line(line, asker, Shares(9), {}, 3, 0.0).asked == ("0xB",)


def test_ask__shares_used_up__says_so_and_asks_nobody() -> None:
    (line,) = read_lines(lines(1), "x", {})
    found = ask_line(line, FakeAsker(), Shares(0), {}, 3, 0.0)
    assert found.result is None and found.error is not None and "--spread" in found.error.fix


def test_ask__job_of_an_earlier_run_that_failed__goes_on_elsewhere() -> None:
    asker, shares = FakeAsker(failing=("0xA",)), Shares(9)
    (line,) = read_lines(lines(1), "x", {})
    asker.submit(line.messages, label=line.label, provider="0xA")
    found = ask_line(line, asker, shares, asker.labels(), 3, 0.0)
    assert found.asked == ("0xA", "0xB") and found.result is not None and found.result.state == "SETTLED"


def test_ask__no_share_is_named__the_asker_chooses_and_only_a_failed_job_goes_elsewhere() -> None:
    asker, shares = FakeAsker(failing=("0xA",)), Shares()
    for line in read_lines(lines(2), "x", {}):
        found = ask_line(line, asker, shares, {}, 3, 0.0)
        assert found.result is not None and found.result.state == "SETTLED"
    assert [provider for _, provider in asker.asked] == [None, "0xB", None, "0xC"], "those who were shown fewest"


def test_ask__no_share_is_named_and_no_offer_fits__nobody_else_is_asked() -> None:
    asker = FakeAsker()
    (line,) = read_lines(json.dumps({"prompt": "fail"}), "x", {})
    found = ask_line(line, asker, Shares(), {}, 3, 0.0)
    assert found.error is not None and found.error.code == "price_over_cap" and asker.asked == [("fail", None)]


def test_ask__no_share_is_named_but_a_provider__is_asked_there_alone() -> None:
    asker = FakeAsker(refusing=("0xB",))
    (line,) = read_lines(lines(1, provider="0xB"), "x", {})
    found = ask_line(line, asker, Shares(), {}, 3, 0.0)
    assert found.error is not None and found.error.code == "busy" and asker.asked == [("q0", "0xB")]
