"""The work that a chat template may do, counted in steps: the same count, hence the same refusal, on every machine.

A clock would refuse on a busy machine what passes on an idle one, and requester, provider and oracle would
disagree about a prompt. A step is one node of the template that is run, one item, or CHARS_A_STEP characters.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from jinja2 import Undefined
from jinja2.exceptions import SecurityError

MAX_STEPS = 1_000_000
"""Half a second. SmolLM2's template takes 105,000 for the longest prompt that is allowed."""
CHARS_A_STEP = 8
MAX_TEXT = 1 << 20
"""Characters of any text that a template holds, its output too; the longest prompt has 65,536."""
MAX_RANGE = 10_000
MAX_BITS = 256
"""Of an integer."""
MAX_DEPTH = 16
"""Of macros that call macros. Python's own limit depends on who called us, and would not refuse alike everywhere."""


@dataclass
class _Budget:
    steps: int = MAX_STEPS
    depth: int = 0


_budget: ContextVar[_Budget] = ContextVar("budget of a chat template")


@contextmanager
def template_budget() -> Iterator[None]:
    """Steps for one rendering; they belong to the thread that renders."""
    token = _budget.set(_Budget())
    try:
        yield
    finally:
        _budget.reset(token)


@contextmanager
def one_level_deeper() -> Iterator[None]:
    """Around a macro's call. Errors: `SecurityError` when they are nested too deeply."""
    budget = _budget.get()
    if budget.depth >= MAX_DEPTH:
        raise SecurityError(f"the template's macros call each other deeper than {MAX_DEPTH} levels")
    budget.depth += 1
    try:
        yield
    finally:
        budget.depth -= 1


def spend(steps: int) -> None:
    """Take steps from the budget. Errors: `SecurityError` when it is used up."""
    budget = _budget.get()
    budget.steps -= max(1, steps)
    if budget.steps < 0:
        raise SecurityError(f"the template takes more than {MAX_STEPS} steps")


def spend_text(length: int) -> None:
    """Pay for a text of that many characters. Errors: `SecurityError` when it is too long."""
    if length > MAX_TEXT:
        raise SecurityError(f"the template makes a text of {length} characters, the limit is {MAX_TEXT}")
    spend(1 + length // CHARS_A_STEP)


def spend_shallow(value: Any) -> Any:
    """Pay for a value without looking into it; gives it back."""
    if isinstance(value, str):
        spend_text(len(value))
    elif isinstance(value, list | tuple | dict):
        spend(1 + len(value))
    elif type(value) is int and value.bit_length() > MAX_BITS:
        raise SecurityError(f"the template makes a number of {value.bit_length()} bits, the limit is {MAX_BITS}")
    return value


def spend_deep(value: Any, printed: bool = False) -> Any:
    """Pay for a value and everything in it, each time it occurs: writing or comparing it costs as much.

    Gives it back. Errors: `SecurityError`, also for what has no text of its own when it is to be printed.
    """
    waiting, characters = [value], 0
    while waiting:
        item = waiting.pop()
        spend_shallow(item)
        if isinstance(item, str):
            characters += len(item)
        elif isinstance(item, dict):
            waiting += item.keys()
            waiting += item.values()
        elif isinstance(item, list | tuple):
            waiting += item
        elif printed and not (item is None or isinstance(item, bool | int | float | Undefined)):
            raise SecurityError(f"the template prints a {type(item).__name__}")
        if printed and characters > MAX_TEXT:
            raise SecurityError(f"the template makes a text of more than {MAX_TEXT} characters")
    return value
