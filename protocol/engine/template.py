"""A model's chat template: Jinja without files, attributes and surprises, within bounded steps and memory.

Jinja's own sandbox keeps a template from the interpreter, not from the processor: loops in loops, doubled texts
and padded numbers are all safe to it. Here the parsed template is refused when it holds anything but a list of
harmless parts, and rewritten so that loops, comparisons and joins pay from a budget (see `template_budget`).
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from jinja2 import StrictUndefined, TemplateError, pass_context
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context, LoopContext, Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace

from protocol.engine.data_file import BundleRefused
from protocol.engine.template_budget import (
    MAX_TEXT,
    one_level_deeper,
    spend_deep,
    spend_shallow,
    template_budget,
)
from protocol.engine.template_filters import (
    TEXT_METHODS,
    bounded_range,
    call_text_method,
    list_filters,
    list_tests,
    operate,
)
from protocol.engine.template_guard import TemplateGuard

MAX_TEMPLATE = 64 * 1024
"""Characters of a template."""
ATTRIBUTES: tuple[tuple[type, frozenset[str]], ...] = (
    (str, TEXT_METHODS),
    (dict, frozenset({"get", "items", "keys", "values"})),
    (
        LoopContext,
        frozenset({
            "cycle", "first", "index", "index0", "last", "length", "nextitem", "previtem", "revindex",
            "revindex0",
        }),
    ),
)  # fmt: skip
FAILURES = (ArithmeticError, AttributeError, LookupError, MemoryError, RuntimeError, TypeError, ValueError)
"""What a template can make Python raise: 1/0, a missing key, endless recursion, a text added to a number."""


class ChatTemplate:
    """A compiled chat template. Errors: `BundleRefused` when the text holds what no template may."""

    def __init__(self, text: str) -> None:
        if len(text) > MAX_TEMPLATE:
            raise BundleRefused(f"The chat template has {len(text)} characters, the limit is {MAX_TEMPLATE}.")
        environment = _Environment(
            trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined, autoescape=False, optimized=False
        )
        try:
            tree = TemplateGuard(environment.filters, environment.tests).visit(environment.parse(text))
            self._template = environment.from_string(tree)
        except TemplateError as error:
            raise BundleRefused(f"The chat template is refused: {_short(error)}.") from error
        except (SyntaxError, *FAILURES) as error:
            raise BundleRefused(f"The chat template cannot be compiled: {_short(error)}.") from error

    def render(self, messages: Sequence[Mapping[str, str]]) -> str:
        """The prompt's text, ending where the assistant begins to answer.

        Errors: `jinja2.TemplateError`, of which `SecurityError` names a forbidden or endless step.
        """
        parts, length = [], 0
        with template_budget():
            try:
                for part in self._template.generate(messages=messages, add_generation_prompt=True):
                    parts.append(part)
                    length += len(part)
                    if length > MAX_TEXT:
                        raise SecurityError(f"the template writes more than {MAX_TEXT} characters")
            except FAILURES as error:
                raise TemplateError(_short(error)) from error
        return "".join(parts)


class _Environment(ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset({"*", "+", "%"})

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        # With the context as an argument it is not run at compile time, where nothing is counted.
        self.finalize = pass_context(lambda _context, value: spend_deep(value, printed=True))
        self.filters.clear()
        self.filters.update(list_filters())
        self.tests.clear()
        self.tests.update(list_tests())
        self.globals = {
            "namespace": Namespace, "dict": dict, "range": bounded_range, "raise_exception": _raise_from_template
        }  # fmt: skip

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        if isinstance(obj, Namespace):
            return not attr.startswith("_")
        return any(isinstance(obj, kind) and attr in names for kind, names in ATTRIBUTES)

    def unsafe_undefined(self, obj: Any, attribute: str) -> NoReturn:
        """Refuse at once: an undefined value could be passed on and never be looked at."""
        raise SecurityError(f"the attribute {attribute[:40]!r} of a {type(obj).__name__} is unsafe")

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """None: `format` is no method of a text here, because it pads to any width."""
        return None

    def getitem(self, obj: Any, argument: Any) -> Any:
        # A key is hashed, and written into the message when it is missing: both go as deep as it does.
        spend_deep(argument)
        return super().getitem(obj, argument)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        return operate(operator, left, right)

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        # A macro only passes its arguments on; everything else may hash, compare or write them.
        pay = spend_shallow if isinstance(__obj, Macro) else spend_deep
        for value in (*args, *kwargs.values()):
            pay(value)
        if isinstance(__obj, types.BuiltinMethodType) and isinstance(__obj.__self__, str):
            return call_text_method(__obj.__self__, __obj.__name__, args, kwargs)
        with one_level_deeper():
            return spend_shallow(super().call(__context, __obj, *args, **kwargs))


def _short(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error)[:200]}"


def _raise_from_template(message: str) -> NoReturn:
    raise TemplateError(str(message)[:200])
