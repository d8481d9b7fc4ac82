"""The manifest of a vector model: texts or rows of numbers in, rows of numbers out.

An embedding, a forecast and a score are one kind of function: a fixed network from one input to a vector of fixed
width. Two parties that hold the same manifest digest mean the same function.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from protocol.documents import DocumentInvalid
from protocol.manifest import FileDigest, TensorDigest

VECTOR_FORMAT = "malla-vector-model/1"
TASKS = {"bert": "embedding", "forecaster": "forecast", "scorer": "score"}
"""What each architecture is for."""
RELEASE = "release"
"""The package that a manifest names whose weights lie beside it, in this release."""
MAX_SIZE = 1 << 20
MAX_WIDTH = 1 << 14
MAX_CONTEXT = 1 << 13
MAX_ROWS = 256
_SOURCE = re.compile(r"[A-Za-z0-9_]{1,100}:[A-Za-z0-9][A-Za-z0-9._-]{0,99}(/[A-Za-z0-9][A-Za-z0-9._-]{0,99}){0,3}")
_BOUND = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,12})?")


@dataclass(frozen=True)
class VectorManifest:
    """One served vector model.

    `input_width` is how many numbers a row has, named by `columns` where they have names; 0 for a model that reads
    texts, each of at most `context_tokens` tokens. An answer has one row of `output_width` numbers for each input,
    every number between `low` and `high` (decimal strings), every row of length 1 if it is `unit`. A call has at most
    `max_rows` inputs. `shape` holds the architecture's own sizes.
    """

    format: str
    name: str
    licence: str
    source: str
    architecture: str
    shape: dict[str, int]
    input_width: int
    columns: tuple[str, ...]
    output_width: int
    context_tokens: int
    max_rows: int
    low: str
    high: str
    unit: bool
    weights: FileDigest
    tensors: TensorDigest
    tokenizer: FileDigest | None

    def __post_init__(self) -> None:
        if self.format != VECTOR_FORMAT:
            raise DocumentInvalid(f"The manifest's format is {self.format!r}; this version reads {VECTOR_FORMAT!r}.")
        if self.architecture not in TASKS:
            raise DocumentInvalid(f"The architecture {self.architecture!r} is not served; {', '.join(TASKS)} are.")
        for name in ("name", "licence"):
            text = getattr(self, name)
            if not 1 <= len(text) <= 200 or not text.isprintable():
                raise DocumentInvalid(
                    f"The manifest's {name} is {text[:200]!r}; 1 to 200 printable characters are needed."
                )
        if not _SOURCE.fullmatch(self.source):
            raise DocumentInvalid(f"The manifest's source is {self.source[:200]!r}; package:file is needed.")
        odd = {name: size for name, size in self.shape.items() if not 1 <= size <= MAX_SIZE}
        if odd:
            raise DocumentInvalid(f"The sizes {odd} lie outside 1 to {MAX_SIZE}.")
        limits = (("input_width", 0, MAX_WIDTH), ("output_width", 1, MAX_WIDTH), ("context_tokens", 0, MAX_CONTEXT),
                  ("max_rows", 1, MAX_ROWS))
        for name, least, most in limits:
            if not least <= getattr(self, name) <= most:
                raise DocumentInvalid(f"The manifest's {name} is {getattr(self, name)}, outside {least} to {most}.")
        if self.reads_texts != (self.tokenizer is not None) or self.reads_texts != (self.context_tokens > 0):
            raise DocumentInvalid("A model of texts has a tokenizer, a context and rows of width 0; others have none.")
        if self.columns and len(self.columns) != self.input_width:
            raise DocumentInvalid(f"{len(self.columns)} columns are named, a row has {self.input_width} numbers.")
        if not all(_BOUND.fullmatch(text) for text in (self.low, self.high)) or float(self.low) >= float(self.high):
            raise DocumentInvalid(f"The bounds {self.low!r} and {self.high!r} are no two rising decimal numbers.")

    @property
    def reads_texts(self) -> bool:
        """Whether its inputs are texts; else they are rows of `input_width` numbers."""
        return self.input_width == 0

    @property
    def task(self) -> str:
        """"embedding", "forecast" or "score"."""
        return TASKS[self.architecture]
