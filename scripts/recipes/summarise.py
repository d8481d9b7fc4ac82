"""Summaries of papers, extractive and abstractive, beside the first three sentences.

    python -m scripts.recipes.summarise --local            # on this machine
    python -m scripts.recipes.summarise                    # on the market, through `malla request serve`
    python -m scripts.recipes.summarise --file notes.txt   # your own text

Extractive: MiniLM embeds every sentence, and the three that are nearest to the whole document's mean (and early, where
an abstract leads it) without repeating each other are quoted word for word: nothing in it can be invented. Abstractive:
SmolLM2 writes three sentences of its own about the document's beginning; it does invent, so its summaries are labelled
as unreliable. The figure is ROUGE-L against summaries by people (package aclsum); the baseline, the first three
sentences, is strong for papers, whose abstract stands first. With --body the documents come without their abstracts, as
letters and reports do.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy
from numpy.typing import NDArray

from scripts.recipes.backends import Backend, Messages, add_backend, choose_backend, tell
from scripts.recipes.data import Paper, papers
from scripts.recipes.quality import mean, rouge_l

SENTENCES = 3
MOST_WORDS = 120
"""Of a sentence, so that it fits the sentence model's 256 tokens; a longer one is not quoted."""
READ_WORDS = 350
"""Of the document's beginning that the chat model reads."""
TOKENS = 96
NEARNESS = 0.7
"""Weight of being near to the document against being unlike what was quoted already (maximal marginal relevance)."""
EARLINESS = 0.4
"""Weight of standing early, in a document that begins with its own abstract; 0 for others. Both weights were chosen on
the package's validation papers; the figures are of its test papers."""
UNRELIABLE = "[written by a small model: may be wrong]"


def main(*words: str) -> int:
    parser = argparse.ArgumentParser(prog="summarise", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    add_backend(parser, 100, "papers")
    parser.add_argument("--abstractive", type=int, default=24, metavar="N", help="how many of them SmolLM2 writes (24)")
    parser.add_argument("--body", action="store_true", help="leave the papers' abstracts out")
    parser.add_argument("--file", type=Path, help="summarise this text and print both summaries")
    options = parser.parse_args(words)
    backend = choose_backend(options)
    if options.file:
        sentences = split_sentences(options.file.read_text(encoding="utf-8"))
        print("Extractive:", extract(backend, sentences))
        print("Abstractive", UNRELIABLE + ":", abstract(backend, [sentences])[0])
        return 0
    documents = papers("test", body=options.body)[: options.limit]
    began = time.monotonic()
    lead = [rouge_l(first_sentences(paper), paper.summary) for paper in documents]
    early = 0.0 if options.body else EARLINESS
    extracted = [rouge_l(extract(backend, paper.sentences, early), paper.summary) for paper in documents]
    print(f"{len(documents)} papers: extractive ROUGE-L {mean(extracted):.3f}, first three sentences {mean(lead):.3f} "
          f"({time.monotonic() - began:.0f} s)", flush=True)
    some = documents[: options.abstractive]
    if some:
        began = time.monotonic()
        written = [rouge_l(text, paper.summary)
                   for text, paper in zip(abstract(backend, [paper.sentences for paper in some]), some, strict=True)]
        others = mean(extracted[: len(some)]), mean(lead[: len(some)])
        print(f"{len(some)} of them: abstractive ROUGE-L {mean(written):.3f}, extractive {others[0]:.3f}, "
              f"first three sentences {others[1]:.3f} ({time.monotonic() - began:.0f} s)")
    return 0


def extract(backend: Backend, sentences: Sequence[str], early: float = 0.0) -> str:
    """The most telling sentences in their own order, word for word."""
    usable = [sentence for sentence in sentences if 4 <= len(sentence.split()) <= MOST_WORDS]
    if len(usable) <= SENTENCES:
        return " ".join(usable)
    rows = numpy.array(backend.embed(usable))
    return " ".join(usable[place] for place in sorted(choose(rows, SENTENCES, early)))


def choose(rows: NDArray[numpy.float64], count: int, early: float = 0.0) -> list[int]:
    """Places of `count` rows that are near to the mean of all and not alike; `early` weighs their place."""
    first = early / numpy.sqrt(1 + numpy.arange(len(rows)))
    near = rows @ (rows.mean(axis=0) / numpy.linalg.norm(rows.mean(axis=0)))
    chosen: list[int] = []
    while len(chosen) < count:
        repeats = (rows @ rows[chosen].T).max(axis=1) if chosen else numpy.zeros(len(rows))
        worth = NEARNESS * near - (1 - NEARNESS) * repeats + first
        worth[chosen] = -numpy.inf
        chosen.append(int(worth.argmax()))
    return chosen


def abstract(backend: Backend, documents: Sequence[Sequence[str]]) -> list[str]:
    """What SmolLM2 writes about the beginning of each document."""
    talks: list[Messages] = []
    for sentences in documents:
        beginning = " ".join(" ".join(sentences).split()[:READ_WORDS])
        talks.append([("user", f"Summarize the following text in three sentences.\n\n{beginning}")])
    return backend.chat(talks, TOKENS)


def first_sentences(paper: Paper) -> str:
    return " ".join(paper.sentences[:SENTENCES])


def split_sentences(text: str) -> list[str]:
    """Sentences of plain text, by their full stops."""
    return [part.strip() for part in re.split(r"(?<=[.!?])\s+", " ".join(text.split())) if part.strip()]


if __name__ == "__main__":
    sys.exit(tell(main))
