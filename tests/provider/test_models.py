"""What MALLA_MODEL may name: one text model or several vector models, all known, each once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from protocol.documents import document_digest
from protocol.engine.vector_catalogue import find_vector_model
from protocol.errors import ConfigInvalid
from protocol.sampling import PLAIN
from protocol.units import Address
from protocol.vectors import VectorInputs, prompt_of_inputs
from provider.__main__ import main
from provider.config import Settings, models_of
from provider.edges import facts
from provider.edges.backends import load_torch_backends
from provider.edges.models import find_shelf, model_name, require_servable
from provider.edges.tokenizer import load_counters
from provider.records.work import Produced
from provider.shelf import CHAT, COMPLETION, EMBEDDING, PREDICTION
from provider.wiring.console import choose_served, name_of_model
from tests.provider.test_config import GOOD

TEXT, MINI, DEMAND, CHURN = "SmolLM2-135M-Instruct", "all-MiniLM-L6-v2", "Demand-M3-Monthly", "Churn-Telco"
SETTINGS = Settings("http://rpc", Path("d"), Path("k"), Path("p"), "database", "broker", Address("0x0"), Path("h"))


@pytest.mark.parametrize(("names", "server", "why", "fix"), [
    (("GPT-9",), False, "names GPT-9, which this release does not know", DEMAND),
    ((MINI, "GPT-9"), False, "names GPT-9, which this release does not know", TEXT),
    ((TEXT, MINI), False, f"names {TEXT}, a text model, beside {MINI}", "run another node"),
    ((CHURN, DEMAND, TEXT), False, f"names {TEXT}, a text model, beside {CHURN}, {DEMAND}", "run another node"),
    ((CHURN, "churn-telco"), False, f"names {CHURN} 2 times", "once"),
    ((TEXT, TEXT), False, f"names {TEXT} 2 times", "once"),
    ((CHURN,), True, "a model server .* serves one text model", TEXT),
    ((CHURN, DEMAND), True, "a model server .* serves one text model", TEXT),
    ((TEXT, CHURN), True, "a model server .* serves one text model", TEXT),
])
def test_models__that_no_node_serves_together__refused_with_cause_and_fix(names: Sequence[str], server: bool, why: str,
                                                                          fix: str) -> None:
    with pytest.raises(ConfigInvalid, match=why) as caught:
        require_servable(names, server)
    assert "MALLA_MODEL" in caught.value.message and fix in caught.value.fix


@pytest.mark.parametrize("role", ["api", "node", "worker"])
def test_main__mix_of_models__one_sentence_and_status_1_from_every_process(
        role: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything is opened or connected."""
    for name, value in (GOOD | {"MALLA_MODEL": f"{TEXT},{MINI}"}).items():
        monkeypatch.setenv(name, value)
    assert main([role]) == 1
    assert "a text model, beside" in capsys.readouterr().err


def test_doctor__mix_of_models__says_so_and_asks_for_no_file() -> None:
    found, error = facts.ask_models((TEXT, CHURN))
    assert found == {} and "beside Churn-Telco" in error


def test_doctor__several_vector_models__each_is_asked_for() -> None:
    assert facts.ask_models((DEMAND, CHURN)) == ({DEMAND: ("", ""), CHURN: ("", "")}, "")


@pytest.mark.parametrize(("asked", "listed", "why"), [
    (TEXT, f"{DEMAND},{CHURN}", "and not SmolLM2"), ("", f"{DEMAND},{CHURN}", "serves Demand-M3-Monthly, Churn-Telco"),
    (CHURN, f"{TEXT},{CHURN}", "a text model, beside"),
])
def test_choose_served__offer_for_what_the_node_does_not_serve__refused(asked: str, listed: str, why: str) -> None:
    with pytest.raises(ConfigInvalid, match=why):
        choose_served(asked, listed)


def test_choose_served__one_of_those_or_without_a_list__is_it() -> None:
    assert choose_served("churn-telco", f"{DEMAND}, {CHURN}").name == CHURN
    assert [choose_served(asked, listed).name for asked, listed in (("", CHURN), ("", ""), (DEMAND, ""))] == [
        CHURN, TEXT, DEMAND]


@pytest.mark.parametrize(("text", "names"), [
    ("", (TEXT,)), (" , ", (TEXT,)), (CHURN, (CHURN,)), (f" {DEMAND} ,{CHURN},", (DEMAND, CHURN)),
])
def test_settings__models__are_names_between_commas(text: str, names: tuple[str, ...]) -> None:
    assert models_of(text) == names == Settings.from_env(GOOD | {"MALLA_MODEL": text}).models


def test_shelf__three_vector_models__in_their_order_with_their_kinds() -> None:
    shelf = find_shelf(replace(SETTINGS, models=(MINI, "demand-m3-monthly", CHURN)))
    assert [(one.name, one.kinds) for one in shelf.models] == [
        (MINI, (EMBEDDING,)), (DEMAND, (PREDICTION,)), (CHURN, (PREDICTION,))]
    assert find_shelf(SETTINGS).kinds == {CHAT, COMPLETION}
    assert [name_of_model(one.model) for one in shelf.models] == [MINI, DEMAND, CHURN]
    assert model_name(bytes(32)) is None and name_of_model(bytes(32)) == "0x" + "00" * 32


def test_backends__two_vector_models__each_answers_by_its_own_digest() -> None:
    settings, widths = replace(SETTINGS, models=(DEMAND, CHURN)), {}
    backends, counters = load_torch_backends(settings), load_counters(settings)
    assert len({id(backend) for backend in backends.values()}) == 2
    for name in settings.models:
        manifest = find_vector_model(name)
        model, row = document_digest(manifest), tuple(float(place) for place in range(manifest.input_width))
        messages = prompt_of_inputs(VectorInputs(rows=(row,)), bytes(32)).messages
        done = backends[model].run(messages, 1, lambda count: None, lambda: False, PLAIN, bytes(32), deliver)
        widths[name] = len(done.vector) // 4
        assert done.input_tokens == manifest.input_width == counters[model].count(messages, 1)
    assert widths == {DEMAND: 18, CHURN: 1}


def deliver(new: Produced) -> int:
    raise AssertionError("A vector model has no tokens to deliver.")
