"""A chatbot with a memory of its talk: SmolLM2 answers about countries, two turns each, and is marked.

    python -m scripts.recipes.chatbot --local              # on this machine
    python -m scripts.recipes.chatbot                      # on the market, through `malla request serve`
    python -m scripts.recipes.chatbot --ask "Your question"

Each talk asks for a country's capital, then on which continent "that country" lies: the second answer needs the first
turn. An answer counts when it holds the word that the package countryinfo names. Two baselines: the one answer
that is right most often, and the second turn without the first. A model of 135 million parameters knows some of this,
invents the rest, and says both in the same voice: look at the figure, not at the tone.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from scripts.recipes.backends import Backend, Messages, add_backend, choose_backend, tell
from scripts.recipes.data import Country, countries
from scripts.recipes.quality import words_of

SYSTEM = "You are a helpful assistant. Answer in one short sentence."
TOKENS = 32
REGIONS = ("Africa", "Americas", "Asia", "Europe", "Oceania")
SAME = {"Americas": {"americas", "america", "caribbean"}}
"""Words beside its own name that say a region."""


@dataclass(frozen=True)
class Marks:
    """Share of right answers: of each turn, of the most frequent answers, and of the second turn without memory."""

    talks: int
    capital: float
    region: float
    guess_capital: float
    guess_region: float
    forgetful_region: float


def main(*words: str) -> int:
    parser = argparse.ArgumentParser(prog="chatbot", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    add_backend(parser, 100, "countries to ask about")
    parser.add_argument("--ask", metavar="QUESTION", help="ask this instead, and print the answer")
    options = parser.parse_args(words)
    backend = choose_backend(options)
    if options.ask:
        print(backend.chat([[("system", SYSTEM), ("user", options.ask)]], 4 * TOKENS)[0])
        return 0
    began = time.monotonic()
    marks = run(backend, countries()[: options.limit])
    print(f"{marks.talks} talks of two turns, {time.monotonic() - began:.0f} s")
    print(f"capital: {marks.capital:.2f} right; always the same answer: {marks.guess_capital:.2f}")
    print(f"region of 'that country': {marks.region:.2f} right; always the most frequent: {marks.guess_region:.2f}; "
          f"without the first turn: {marks.forgetful_region:.2f}")
    return 0


def run(backend: Backend, asked: Sequence[Country]) -> Marks:
    """Hold all talks and mark them."""
    first: list[Messages] = [
        [("system", SYSTEM), ("user", f"What is the capital of {country.name}?")] for country in asked
    ]
    capitals = backend.chat(first, TOKENS)
    question = "On which continent is that country?"
    second: list[Messages] = [[*talk, ("assistant", answer), ("user", question)]
                              for talk, answer in zip(first, capitals, strict=True)]
    regions = backend.chat(second, TOKENS)
    alone = backend.chat([[("system", SYSTEM), ("user", question)]], TOKENS)[0]
    count = len(asked)
    most = Counter(country.region for country in asked).most_common(1)[0][1]
    return Marks(
        count,
        sum(holds(answer, country.capital) for answer, country in zip(capitals, asked, strict=True)) / count,
        sum(names_region(answer, country.region) for answer, country in zip(regions, asked, strict=True)) / count,
        1 / count, most / count,
        sum(names_region(alone, country.region) for country in asked) / count,
    )


def holds(answer: str, wanted: str) -> bool:
    """Whether the words of `wanted` stand in the answer, one after the other."""
    said, words = words_of(answer), words_of(wanted)
    return bool(words) and any(said[i : i + len(words)] == words for i in range(len(said)))


def names_region(answer: str, region: str) -> bool:
    """Whether the answer names this region and no other one: a list of all of them is no answer."""
    said = set(words_of(answer))
    named = {one for one in REGIONS if said & (SAME.get(one, set()) | {one.lower()})}
    return named == {region}


if __name__ == "__main__":
    sys.exit(tell(main))
