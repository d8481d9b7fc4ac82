"""Prompts of canaries: made of the shipped corpus, of a wanted length in the model's tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from protocol.encoding import keccak

Encode = Callable[[str], int]
"""Tokens of a prompt as the chat template renders it."""
SHORT = ("now", "please", "so", "again", "too", "here", "then", "well")
"""Words that most tokenizers write as one token."""
MOST_TEXTS = 10_000


def compose(texts: Sequence[str], wanted: int, count: Encode, seed: bytes) -> str:
    """A text of about `wanted` tokens, one sentence of the corpus after the other in an order that the seed names; the
    shortest one where the template alone is longer. Never longer than wanted if there is a shorter one."""
    words: list[str] = []
    drawn = 0
    while count(" ".join(words)) < wanted and drawn < MOST_TEXTS:
        for _ in range(1 + drawn):  # twice as many in each round: long prompts take few counts
            words += texts[_draw(seed, drawn, len(texts))].split()
            drawn += 1
    low, high = 1, len(words)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if count(" ".join(words[:middle])) <= wanted else (low, middle - 1)
    text = " ".join(words[:low])
    for place in range(8):  # what no whole word fills
        longer = f"{text} {SHORT[_draw(seed, MOST_TEXTS + place, len(SHORT))]}"
        text = longer if count(longer) <= wanted else text
    return text


def _draw(seed: bytes, place: int, below: int) -> int:
    return int.from_bytes(keccak(seed + place.to_bytes(8, "big"))[:8], "big") % below
