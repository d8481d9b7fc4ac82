"""The honest corpus: prompts for calibration, made from topics and templates in a fixed order."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from protocol.encoding import parse_json
from protocol.errors import BadInput

CORPUS_FILE = Path(__file__).parent / "honest.json"


@dataclass(frozen=True)
class CorpusPrompt:
    """One prompt as (role, content) pairs."""

    messages: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Corpus:
    """`sha256` names the file; `output_tokens` are the limits that batches take in turn."""

    sha256: str
    output_tokens: tuple[int, ...]
    prompts: tuple[CorpusPrompt, ...]

    def take(self, count: int) -> tuple[CorpusPrompt, ...]:
        """The first `count` prompts. Errors: `BadInput` when there are fewer."""
        if not 1 <= count <= len(self.prompts):
            raise BadInput(
                f"The honest corpus has {len(self.prompts)} prompts, not {count}.", "Ask for fewer sequences."
            )
        return self.prompts[:count]


def load_corpus(path: Path = CORPUS_FILE) -> Corpus:
    """Every topic with every template, each once; neighbours differ in both."""
    data = path.read_bytes()
    content = parse_json(data, path.name)
    topics, templates = content["topics"], content["templates"]
    prompts = []
    for place in range(len(topics) * len(templates)):
        topic = topics[place % len(topics)]
        # With as many topics as a multiple of the templates, this pairs each topic with each template once.
        template = templates[(place // len(topics) + place) % len(templates)]
        prompts.append(CorpusPrompt(tuple((role, text.replace("{topic}", topic)) for role, text in template)))
    return Corpus(hashlib.sha256(data).hexdigest(), tuple(content["output_tokens"]), tuple(prompts))
