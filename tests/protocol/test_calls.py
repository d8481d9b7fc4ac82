"""R114: which vouchers of a batch can be reported, and how units are numbered."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from protocol.calls import call_unit, split_unit
from protocol.session_reports import MAX_BATCH_CALLS, MAX_CALLS, reportable


def test_reportable__more_than_a_report_or_a_batch_takes__left_out_in_the_order_of_entries() -> None:
    assert reportable({0: MAX_CALLS + 1, 1: 5}) == {1}
    assert reportable({4: 1, 3: MAX_CALLS, 2: MAX_CALLS, 7: 0}) == {2, 3, 7}
    assert reportable({0: -3, 1: MAX_CALLS, 2: MAX_CALLS}) == {0, 1, 2}


@given(st.dictionaries(st.integers(0, 127), st.integers(-5, 2 * MAX_CALLS)))
def test_reportable__any_vouchers__never_more_calls_than_a_batch_takes(added: dict[int, int]) -> None:
    taken = reportable(added)
    assert sum(max(0, added[index]) for index in taken) <= MAX_BATCH_CALLS
    assert all(added[index] <= MAX_CALLS for index in taken)
    assert all(index in taken for index, calls in added.items() if calls <= 0)


@given(st.integers(0, 127), st.integers(0, MAX_CALLS - 1))
def test_unit__of_a_call__says_entry_and_call_again(index: int, call: int) -> None:
    assert split_unit(call_unit(index, call)) == (index, call) and call_unit(index, call) > 127
