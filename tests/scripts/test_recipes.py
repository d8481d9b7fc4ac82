"""The recipes: their figures, their data, and what they make of answers. The models run where that takes a moment."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy
import pytest

from protocol.errors import BadInput, ConfigInvalid
from scripts.recipes import chatbot, churn, forecast, summarise
from scripts.recipes.backends import Local, Messages, Rows
from scripts.recipes.data import COLUMNS, countries, customers, demand_series, packaged_file, papers
from scripts.recipes.quality import auc, mase, rouge_l


class FakeBackend:
    """Answers from a table; a text's embedding tells its length and whether it says "key"."""

    def __init__(self, answers: dict[str, str] | None = None) -> None:
        self.answers, self.talks = answers or {}, list[Messages]()

    def chat(self, talks: Sequence[Messages], max_tokens: int) -> list[str]:
        self.talks += talks
        return [next((said for word, said in self.answers.items() if word in talk[1][1]), "No idea.") for talk in talks]

    def embed(self, texts: Sequence[str]) -> Rows:
        rows = [[1.0, 0.1 * place] if "key" in text else [0.0, 1.0] for place, text in enumerate(texts)]
        return [list(numpy.array(row) / numpy.linalg.norm(row)) for row in rows]

    def predict(self, model: str, rows: Sequence[Sequence[float]]) -> Rows:
        return [[row[-12 + month % 12] for month in range(18)] for row in rows]


@pytest.mark.parametrize(("scores", "labels", "area"), [
    ([1, 2, 3, 4], [False, False, True, True], 1.0), ([4, 3, 2, 1], [False, False, True, True], 0.0),
    ([1, 1, 1, 1], [False, True, True, False], 0.5), ([1, 2, 2, 3], [False, True, False, True], 0.875),
])
def test_auc__known_rankings__as_counted_by_hand(scores: list[float], labels: list[bool], area: float) -> None:
    assert auc(scores, labels) == area


def test_quality__without_a_scale_or_a_label__is_refused() -> None:
    with pytest.raises(ValueError):
        auc([1, 2], [True, True])
    with pytest.raises(ValueError):
        mase([1.0] * 12, [1.0], [1.0])
    with pytest.raises(ValueError):
        mase([1.0] * 30, [1.0], [1.0])


def test_mase__forecast_twice_as_wrong_as_last_season__is_two() -> None:
    past = [float(month) for month in range(24)]
    assert mase(past, [24.0, 25.0], [0.0, 1.0]) == 2.0


def test_rouge_l__same_words_in_order__is_one_and_no_words_nothing() -> None:
    assert rouge_l("The ship sails.", "the ship sails") == 1.0
    assert rouge_l("", "the ship") == 0.0
    assert rouge_l("the ship sank", "the boat sank") == pytest.approx(2 / 3)


def test_packaged_file__not_installed__says_what_to_do() -> None:
    with pytest.raises(ConfigInvalid, match="not installed"):
        packaged_file("no_such_package", "x.csv")


def test_data__of_the_packages__is_all_there() -> None:
    assert (len(demand_series()), len(customers()), len(papers())) == (1428, 7043, 100)
    assert len(customers()[0].row) == len(COLUMNS) == 24
    assert {"Paris", "Lima"} <= {country.capital for country in countries()}
    assert len(papers(body=True)[0].sentences) < len(papers()[0].sentences)


def test_forecast__of_the_release__beats_last_season_on_held_out_series() -> None:
    series = demand_series()[::5][:60]
    found = forecast.scores_of(forecast.score(Local(), series), range(len(series)))
    assert found.network < 0.9 * found.last_season


def test_forecast__by_last_season__has_its_error() -> None:
    series = demand_series()[:5]
    found = forecast.scores_of(forecast.score(FakeBackend(), series), range(5))
    assert found.network == pytest.approx(found.last_season)


@pytest.mark.parametrize(("text", "word"), [
    ("month,demand\n" + "a,1\n" * 35, "36"), ("demand\nmany\n", "numbers"), ("", "numbers"),
])
def test_forecast__file_without_enough_numbers__is_refused(tmp_path: Path, text: str, word: str) -> None:
    path = tmp_path / "demand.csv"
    path.write_text(text)
    with pytest.raises(BadInput, match=word):
        forecast.forecast_file(FakeBackend(), path)


def test_forecast__file_of_one_column__is_forecast(tmp_path: Path) -> None:
    path = tmp_path / "demand.csv"
    path.write_text("\n".join(str(month) for month in range(40)))
    assert forecast.forecast_file(FakeBackend(), path) == [float(value) for value in (*range(28, 40), *range(28, 34))]


def test_churn__held_out_customers__are_ranked_as_well_as_by_a_regression() -> None:
    known, held = churn.split(customers())
    left = [customer.left for customer in held]
    network, regression = auc(churn.score(Local(), held), left), auc(churn.logistic_scores(known, held), left)
    assert min(network, regression) > 0.82 and abs(network - regression) < 0.02


def test_chatbot__two_turns__are_marked_apart() -> None:
    asked = [country for country in countries() if country.name in ("France", "Peru")]
    backend = FakeBackend({"capital of France?": "It is Paris, in Europe.", "capital of Peru?": "Lima or Africa"})
    marks = chatbot.run(backend, asked)
    assert (marks.talks, marks.capital, marks.region, marks.guess_region) == (2, 1.0, 0.5, 0.5)
    assert [len(talk) for talk in backend.talks] == [2, 2, 4, 4, 2]


@pytest.mark.parametrize(("answer", "right"), [
    ("It is in Europe.", True), ("Africa, Americas, Asia, Europe or Oceania", False), ("Asia", False), ("", False),
])
def test_chatbot__region__one_and_no_other(answer: str, right: bool) -> None:
    assert chatbot.names_region(answer, "Europe") is right


def test_summarise__sentences__are_quoted_in_their_order() -> None:
    text = ["Many other words stand here.", "The key is to look ahead.", "Another one of many words.",
            "A key opens every door.", "There is nothing more to say.", "One more key of the whole thing."]
    said = summarise.extract(FakeBackend(), text)
    assert all(sentence in text for sentence in summarise.split_sentences(said))
    assert len(summarise.split_sentences(said)) == 3


def test_choose__a_sentence_twice__is_quoted_once() -> None:
    rows = numpy.array([[1.0, 0.0], [1.0, 0.0], [0.8, 0.6], [0.0, 1.0]])
    assert len({tuple(rows[place]) for place in summarise.choose(rows, 2)}) == 2
    assert summarise.choose(rows, 1, early=9.0) == [0]
