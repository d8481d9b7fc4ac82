"""The model manifest: what a job's model digest stands for.

A manifest names the weights as shipped, what they decode to, the tokenizer, the chat template and the
limits. Two parties that hold the same manifest digest mean the same function from prompt to tokens.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from protocol.documents import DocumentInvalid
from protocol.errors import BadInput, Malformed, Reason, Refused

MANIFEST_FORMAT = "malla-model/1"
SIZE_LIMITS = {
    "layers": 1024, "hidden": 1 << 16, "heads": 1 << 10, "kv_heads": 1 << 10, "intermediate": 1 << 20,
    "vocabulary": 1 << 20,
}  # fmt: skip
"""Several times the largest open model. A file that claims more wants memory, not an audience."""
MAX_HEAD_SIZE = 1 << 10
MAX_CONTEXT_TOKENS = 1 << 20
MAX_ROTARY_NUMBERS = 1 << 27
"""Context tokens times head size: the tables of angles take twelve bytes each while they are made."""
MAX_STOP_TOKENS = 64
MAX_FILE_BYTES = 1 << 44
_DECIMAL = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?(e[+-]?[0-9]{1,2})?")
_SOURCE = re.compile(r"[A-Za-z0-9_]{1,100}:[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


@dataclass(frozen=True)
class FileDigest:
    """A file's size in bytes and its SHA-256, 64 lower-case hex digits."""

    bytes: int
    sha256: str

    def __post_init__(self) -> None:
        require_hex_digest(self.sha256, "FileDigest.sha256")
        if not 0 <= self.bytes <= MAX_FILE_BYTES:
            raise DocumentInvalid(f"FileDigest.bytes is {self.bytes}, outside 0 to {MAX_FILE_BYTES}.")


@dataclass(frozen=True)
class TensorDigest:
    """How many float32 tensors there are, how many numbers, and the digest of all (see `weights`)."""

    count: int
    numbers: int
    sha256: str

    def __post_init__(self) -> None:
        require_hex_digest(self.sha256, "TensorDigest.sha256")


@dataclass(frozen=True)
class LlamaShape:
    """Sizes of a Llama network; the two real numbers are decimal strings, so that JSON stays exact."""

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    intermediate: int
    vocabulary: int
    rope_theta: str
    rms_norm_eps: str
    tied_embeddings: bool

    def __post_init__(self) -> None:
        for name, limit in SIZE_LIMITS.items():
            if not 1 <= getattr(self, name) <= limit:
                raise DocumentInvalid(f"LlamaShape.{name} is {getattr(self, name)}, outside 1 to {limit}.")
        for name in ("rope_theta", "rms_norm_eps"):
            text = getattr(self, name)
            if not _DECIMAL.fullmatch(text) or not 0 < float(text) <= 1e12:
                raise DocumentInvalid(
                    f"LlamaShape.{name} is {text[:40]!r}, but a decimal number above 0 and up to 1e12 is needed."
                )
        if self.hidden % self.heads or self.heads % self.kv_heads:
            raise DocumentInvalid(
                f"LlamaShape: {self.hidden} channels do not divide into {self.heads} heads, "
                f"or those not into {self.kv_heads} key-value heads."
            )
        if self.head_size % 2 or self.head_size > MAX_HEAD_SIZE:
            raise DocumentInvalid(
                f"LlamaShape: a head of {self.head_size} channels cannot be rotated; an even number up to "
                f"{MAX_HEAD_SIZE} is needed."
            )

    @property
    def head_size(self) -> int:
        """Channels of one head."""
        return self.hidden // self.heads


@dataclass(frozen=True)
class ModelManifest:
    """One served model.

    `context_tokens` limits prompt plus output, in tokens. Greedy generation ends with the first of
    `stop_token_ids`, which is part of the output.
    """

    format: str
    name: str
    licence: str
    source: str
    architecture: str
    shape: LlamaShape
    weights: FileDigest
    tensors: TensorDigest
    tokenizer: FileDigest
    chat_template: FileDigest
    context_tokens: int
    stop_token_ids: tuple[int, ...]

    def __post_init__(self) -> None:
        if self.format != MANIFEST_FORMAT:
            raise DocumentInvalid(
                f"The manifest's format is {self.format!r}; this version reads {MANIFEST_FORMAT!r}."
            )
        if self.architecture != "llama":
            raise DocumentInvalid(f"The architecture {self.architecture!r} is not served; only 'llama' is.")
        for name in ("name", "licence"):
            text = getattr(self, name)
            if not 1 <= len(text) <= 200 or not text.isprintable():
                raise DocumentInvalid(
                    f"The manifest's {name} is {text[:200]!r}, but 1 to 200 printable characters are needed."
                )
        if not _SOURCE.fullmatch(self.source):
            raise DocumentInvalid(
                f"The manifest's source is {self.source[:200]!r}; package:file is needed, without folders."
            )
        if self.context_tokens < 2 or not self.stop_token_ids:
            raise DocumentInvalid("A manifest needs a context of at least 2 tokens and one stop token.")
        if len(self.stop_token_ids) > MAX_STOP_TOKENS:
            raise DocumentInvalid(f"{len(self.stop_token_ids)} stop tokens, the limit is {MAX_STOP_TOKENS}.")
        angles = self.context_tokens * self.shape.head_size
        if self.context_tokens > MAX_CONTEXT_TOKENS or angles > MAX_ROTARY_NUMBERS:
            raise DocumentInvalid(
                f"A context of {self.context_tokens} tokens for heads of {self.shape.head_size} channels is beyond "
                f"the limits of {MAX_CONTEXT_TOKENS} tokens and {MAX_ROTARY_NUMBERS} angles."
            )
        beyond = [token for token in self.stop_token_ids if not 0 <= token < self.shape.vocabulary]
        if beyond:
            raise DocumentInvalid(
                f"Stop tokens {beyond} lie outside the vocabulary of {self.shape.vocabulary}."
            )


def check_request(manifest: ModelManifest, prompt_token_ids: Sequence[int], max_output_tokens: int) -> None:
    """Refuse what the model cannot be asked. Errors: `Malformed`, `BadInput`, `Refused(TOO_MANY_TOKENS)`."""
    vocabulary = manifest.shape.vocabulary
    if not prompt_token_ids:
        raise BadInput("The prompt has no tokens.", "Send at least one message.")
    for place, token in enumerate(prompt_token_ids):
        if type(token) is not int or not 0 <= token < vocabulary:
            raise Malformed(
                f"Prompt token {place} is {token!r}, outside the vocabulary 0 to {vocabulary - 1}."
            )
    if type(max_output_tokens) is not int or max_output_tokens < 1:
        raise BadInput(f"The output limit is {max_output_tokens!r} tokens.", "Ask for at least 1 token.")
    if len(prompt_token_ids) + max_output_tokens > manifest.context_tokens:
        raise Refused(
            Reason.TOO_MANY_TOKENS,
            f"A prompt of {len(prompt_token_ids)} tokens and {max_output_tokens} output tokens do not fit "
            f"into the {manifest.context_tokens} tokens of {manifest.name}.",
            "Shorten the prompt or ask for fewer output tokens.",
        )


def require_hex_digest(text: str, path: str) -> None:
    """Refuse anything but 64 lower-case hex digits. Errors: `DocumentInvalid`."""
    if len(text) != 64 or not set(text) <= set("0123456789abcdef"):
        raise DocumentInvalid(f"{path} is {text!r}, but 64 lower-case hex digits are needed.")
