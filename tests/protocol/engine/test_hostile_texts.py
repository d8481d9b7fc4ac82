"""Bundles whose chat template or tokenizer lies: walks, loops, bombs, and files that do not fit the model."""

from __future__ import annotations

import json
import random
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from jinja2 import TemplateError

from protocol.engine.data_file import BundleRefused
from protocol.engine.template import ChatTemplate
from protocol.engine.template_budget import MAX_STEPS, MAX_TEXT
from protocol.engine.tokenizer_file import read_tokenizer
from tests.protocol.engine.hostile import Hostile, assert_refused, measure
from tests.protocol.engine.tiny_bundle import CONTROLS, SHAPE, TEMPLATE, make_tokenizer

QUESTION = [{"role": "user", "content": "hello"}]
DOUBLE = "{% set ns = namespace(x=X) %}{% for i in range(64) %}{% set ns.x = Y %}{% endfor %}{{ ns.x }}"


def template(cause: str, text: str | bytes) -> Hostile:
    return Hostile(cause, lambda parts: setattr(parts, "template", text))


def doubling(cause: str, first: str, step: str) -> Hostile:
    return template(cause, DOUBLE.replace("X", first).replace("Y", step))


def tokenizer(cause: str, **changes: Any) -> Hostile:
    """Parts of the tokenizer, those with `model__` before them of its model."""

    def change(parts: Any) -> None:
        for name, value in changes.items():
            place = parts.tokenizer["model"] if name.startswith("model__") else parts.tokenizer
            place[name.removeprefix("model__")] = value

    return Hostile(cause, change)


def tokenizer_text(cause: str, text: bytes) -> Hostile:
    return Hostile(cause, lambda parts: setattr(parts, "tokenizer", text))


def added(place: int, content: str) -> list[dict[str, Any]]:
    return [*make_tokenizer()["added_tokens"][:-1], {**make_tokenizer()["added_tokens"][-1], "id": place,
                                                     "content": content}]  # fmt: skip


# As many lists, objects and texts as pass, and a letter that makes Python take four bytes for each of 16 million.
LARGEST = b"".join((
    b"[", b"[{}]," * 196_000, b"[]," * 590_000, b'"ab",' * 590_000, '"\N{GRINNING FACE}"'.encode(),
    b" " * 10_300_000, b"]",
))  # fmt: skip
VOCAB = make_tokenizer()["model"]["vocab"]
TABLE = {
    "walks_classes": template("a part of the interpreter", "{{ ''.__class__.__mro__[1].__subclasses__() }}"),
    "walks_by_name": template("a part of the interpreter", "{{ messages['__class__'] }}"),
    "walks_by_pieces": template("is unsafe", "{{ messages['_' ~ '_class_' ~ '_'] }}"),
    "walks_by_filter": template("the filter 'attr'", "{{ messages|attr('x') }}"),
    "walks_by_map": template("is unsafe", "{{ messages|map(attribute='_'~'_class_'~'_')|list }}"),
    "walks_by_format": template("is unsafe", "{{ '{0.__class__}'.format(1) }}"),
    "walks_globals": template("a part of the interpreter", "{{ raise_exception.__globals__ }}"),
    "prints_a_function": template("prints a function", "{{ raise_exception }}"),
    "includes_a_file": template("uses Include", "{% include '/etc/passwd' %}"),
    "imports_a_file": template("uses Import", "{% import '/etc/passwd' as x %}"),
    "extends_a_file": template("uses Extends", "{% extends '/etc/passwd' %}"),
    "draws_lots": template("the filter 'random'", "{{ [1, 2]|random }}"),
    "changes_messages": template("is unsafe", "{{ messages.append(1) }}"),
    "text_times_10_9": template("a text of 1000000000", "{{ 'a' * 1000000000 }}"),
    "power_of_numbers": template("uses Pow", "{{ 10 ** 10 ** 10 }}"),
    "list_times_10_9": template("multiplies something", "{{ [1] * 1000000000 }}"),
    "padded_by_percent": template("formats a text", "{{ '%1000000000d' % 1 }}"),
    "padded_by_method": template("is unsafe", "{{ 'a'.ljust(1000000000) }}"),
    "padded_by_filter": template("the filter 'center'", "{{ 'a'|center(1000000000) }}"),
    "indented": template("indents by more", "{{ 'a\n'|indent(1000000000) }}"),
    "replaced_by_much": template("the template", "{{ ('a' * 1000).replace('', 'b' * 100000) }}"),
    "joined_by_much": template("the template", "{{ range(10000)|join('b' * 1000000) }}"),
    "counts_to_10_12": template("counts further", "{% for i in range(1000000000000) %}{% endfor %}"),
    "loops_in_loops": template("steps", "{% for i in range(9999) %}" * 4 + "{% endfor %}" * 4),
    "long_loop_body": template("steps", "{% for i in range(9999) %}" + "{% if i %}{% endif %}" * 3000 + "{% endfor %}"),
    "recursive_loop": template("recursive loop", "{% for m in messages recursive %}{{ loop(messages) }}{% endfor %}"),
    "macros_call_macros": template("deeper than", "{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}"),
    "writes_for_ever": template("writes more than", "{% for i in range(9999) %}" + "x" * 60_000 + "{% endfor %}"),
    "searches_for_ever": template("steps", "{{ ('a' * 1000000).rsplit('b' + 'a' * 500000) }}"),
    "doubled_text": doubling("steps", "'aaaaaaaa'", "ns.x ~ ns.x"),
    "doubled_sum": doubling("steps", "'aaaaaaaa'", "ns.x + ns.x"),
    "doubled_list": doubling("steps", "[1]", "[ns.x, ns.x]"),
    "doubled_json": doubling("makes a text", "[1]", "[ns.x, ns.x|tojson]"),
    "doubled_comparison": doubling("steps", "[1]", "[ns.x, ns.x, ns.x == [ns.x]]"),
    "doubled_key": doubling("steps", "(1,)", "(ns.x, ns.x, {ns.x: 1}|length)"),
    "doubled_name": doubling("steps", "(1,)", "(ns.x, ns.x, messages[0].get(ns.x))"),
    "doubled_index": doubling("steps", "(1,)", "(ns.x, ns.x, messages[0][ns.x] is defined)"),
    "doubled_in_capitals": doubling("the template makes", "[1]", "[ns.x, ns.x, ns.x|upper]"),
    "doubled_in_an_error": template("steps", DOUBLE.replace("X", "[1]").replace("Y", "[ns.x, ns.x]").replace(
        "{{ ns.x }}", "{{ raise_exception(ns.x) }}")),
    "doubled_in_a_namespace": template("prints a Namespace", DOUBLE.replace("X", "[1]").replace("Y", "[ns.x, ns.x]")
        .replace("{{ ns.x }}", "{{ ns|string }}")),
    "doubled_in_changes": doubling("'changed'", "[1]", "[ns.x, loop.changed(ns.x)]"),
    "squared_number": doubling("bits", "3", "ns.x * ns.x"),
    "divides_by_zero": template("ZeroDivisionError", "{{ 1 / 0 }}"),
    "deep_parentheses": template("RecursionError", "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}"),
    "nested_blocks": template("cannot be compiled", "{% for a in messages %}" * 30 + "{% endfor %}" * 30),
    "no_jinja": template("TemplateSyntaxError", "{% for %}"),
    "not_utf8": template("not UTF-8", b"\xff{{ messages[0].content }}"),
    "too_long": template("the limit is 65536", TEMPLATE + " " * 70_000),
    "far_too_long": template("the limit is 262144", b" " * (1 << 20)),
    "empty_template": template("is empty", ""),
    "leaves_the_question_out": template("leaves the question out", "{{ messages[0].role }}"),
    "tokenizer_is_no_json": tokenizer_text("is not JSON", b"\x80\x04pickle"[2:]),
    "tokenizer_is_a_pickle": tokenizer_text("is not UTF-8", b"\x80\x04."),
    "tokenizer_too_large": tokenizer_text("the limit is 16777216", b"[" + b" " * (17 << 20)),
    "tokenizer_of_lists": tokenizer_text("the limit is 786432", b"[" * (16 << 20)),
    "tokenizer_of_objects": tokenizer_text("the limit is 196608", b'{"":' * (4 << 20)),
    "tokenizer_of_commas": tokenizer_text("the limit is 1572864", b"[" + b"0," * 8_000_000),
    "tokenizer_at_its_limits": tokenizer_text("is not an object", LARGEST),
    "tokenizer_nested": tokenizer_text("nested deeper", b"[" * 500_000 + b"]" * 500_000),
    "tokenizer_is_a_list": tokenizer_text("is not an object", b"[1]"),
    "extra_part": tokenizer("auto_map", auto_map={}),
    "padding": tokenizer("has a padding", padding={"strategy": {"Fixed": 10**9}}),
    "truncation": tokenizer("has a truncation", truncation={"max_length": 1}),
    "normalizer": tokenizer("has a normalizer", normalizer={"type": "Replace", "pattern": {"Regex": "(a+)+$"}}),
    "endless_regular_expression": tokenizer("of the type 'Split'", pre_tokenizer={
        "type": "Split", "pattern": {"Regex": "(a+)+$"}, "behavior": "Isolated", "invert": False
    }),
    "decoder_of_another_kind": tokenizer("of the type 'Replace'", decoder={"type": "Replace"}),
    "unigram": tokenizer("only 'BPE'", model__type="Unigram"),
    "dropout": tokenizer("only integers", model__dropout=0.5),
    "one_token_more": tokenizer("has 262 tokens", model__vocab={**VOCAB, "more": 261}),
    "one_token_less": tokenizer("has 260 tokens", model__vocab={
        token: place for token, place in VOCAB.items() if token != "ll"
    }, model__merges=[["h", "e"]]),
    "id_out_of_range": tokenizer("ids up to 1000000", model__vocab={**VOCAB, "ll": 10**6}),
    "negative_id": tokenizer("each once", model__vocab={**VOCAB, "ll": -1}),
    "one_id_twice": tokenizer("each once", model__vocab={**VOCAB, "ll": 5}),
    "id_is_true": tokenizer("the token 'he'"[4:], model__vocab={**VOCAB, "he": True}),
    "merge_of_no_tokens": tokenizer("no pair of its tokens", model__merges=[["zz", "zz"]]),
    "marker_has_two_ids": tokenizer("two ids", added_tokens=added(7, CONTROLS[2])),
    "marker_is_empty": tokenizer("an added token ''", added_tokens=added(2, "")),
}  # fmt: skip


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    return measure(TABLE, tmp_path_factory.mktemp("hostile"))


@pytest.mark.parametrize("name", TABLE)
def test_read__template_or_tokenizer_lies__is_refused_with_the_cause(
    records: dict[str, dict[str, Any]], name: str
) -> None:
    """R97: template and tokenizer do nothing but their work, within counted steps."""
    assert_refused(records[name], TABLE[name].cause)


def test_render__bomb_behind_a_condition__is_refused_when_it_goes_off() -> None:
    """A template may look honest until it reads a certain word: the budget holds at every rendering."""
    bomb = "{% if 'fuse' in messages[0].content %}{% for i in range(9999) %}{% for j in range(9999) %}{% endfor %}"
    sleeper = ChatTemplate(bomb + "{% endfor %}{% endif %}{{ messages[0].content }}")
    assert sleeper.render(QUESTION) == "hello"
    start = time.monotonic()
    with pytest.raises(TemplateError, match=f"more than {MAX_STEPS} steps"):
        sleeper.render([{"role": "user", "content": "the fuse burns"}])
    assert time.monotonic() - start < 5
    assert sleeper.render(QUESTION) == "hello"


def test_render__long_prompt_of_a_template_with_all_usual_parts__fits_into_the_budget() -> None:
    usual = (
        "{%- set ns = namespace(seen=false, parts=[]) -%}{% macro turn(m) %}<{{ m.role|upper }}>{{ m['content']|trim }}"
        "{% endmacro %}{% for m in messages %}{% if m.role == 'user' and not loop.last %}{{ turn(m) }}"
        "{% elif '</think>' in m.content %}{{ m.content.split('</think>')[-1].lstrip('\\n') }}"
        "{% else %}{{ m.content ~ loop.index ~ loop.length }}{% set ns.seen = true %}{% endif %}{% endfor %}"
        "{{ messages|selectattr('role', 'equalto', 'user')|list|length }}{{ {'a': [1, none]}|tojson }}"
        "{{ messages[1:]|map(attribute='role')|join(',') }}{{ 'end' if ns.seen else 'open' }}"
    )
    talk = [{"role": ("user", "assistant")[n % 2], "content": " x" * 127 + "</think>"[n % 2 * 8:]} for n in range(256)]
    text = ChatTemplate(usual).render(talk)
    assert text.endswith('128{"a": [1, null]}' + ",".join(m["role"] for m in talk[1:]) + "end")


def test_render__in_many_threads__each_has_a_budget_of_its_own() -> None:
    heavy = ChatTemplate("{% for i in range(9000) %}{{ i }}{% endfor %}{{ messages[0].content }}")
    texts: list[str] = []
    threads = [threading.Thread(target=lambda: texts.append(heavy.render(QUESTION))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(texts)) == 1 and len(texts) == 8 and len(texts[0]) < MAX_TEXT


def test_read_tokenizer__300_random_changes__give_a_tokenizer_or_our_error() -> None:
    honest, dice, refused = json.dumps(make_tokenizer()).encode(), random.Random(4), 0
    for _ in range(300):
        data = bytearray(honest)
        for _ in range(dice.randint(1, 3)):
            data[dice.randrange(len(data))] = dice.choice(b'0123456789[]{},:"\\\x00\xfftrue-')
        if dice.random() < 0.2:
            del data[dice.randrange(len(data)):]
        try:
            read_tokenizer(bytes(data), SHAPE.vocabulary).encode("hello")
        except BundleRefused:
            refused += 1
    assert refused > 200


def test_read_template__300_random_changes__render_or_raise_our_error(tmp_path: Path) -> None:
    dice, rendered = random.Random(5), 0
    for _ in range(300):
        text = list(TEMPLATE)
        for _ in range(dice.randint(1, 3)):
            text[dice.randrange(len(text))] = dice.choice("{}%|.[]'()~+*-_ 09ain")
        try:
            ChatTemplate("".join(text)).render(QUESTION)
            rendered += 1
        except (BundleRefused, TemplateError):
            pass
    assert rendered > 30
