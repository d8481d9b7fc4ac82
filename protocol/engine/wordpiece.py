"""The tokenizer of a sentence model: a file that a package ships, taken only with the digest of the manifest.

Imports no torch: whoever pays for a call counts its tokens without the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer

from protocol.engine.data_file import ModelFileMismatch, read_data_file
from protocol.engine.digests import digest_bytes
from protocol.engine.tokenizer_file import MAX_TOKENIZER
from protocol.engine.vector_catalogue import locate_vector_weights
from protocol.errors import Reason, Refused
from protocol.manifest import FileDigest
from protocol.vector_manifest import VectorManifest
from protocol.vectors import VectorInputs, check_inputs, count_numbers


class TextEncoder:
    """Token ids of texts, marks included. Errors of the constructor: `ModelFileMismatch`, `BundleRefused`."""

    def __init__(self, path: Path, promised: FileDigest, context_tokens: int, name: str) -> None:
        data = read_data_file(path, MAX_TOKENIZER)
        found = digest_bytes(data)
        if found != promised:
            raise ModelFileMismatch(f"The tokenizer {path}", found.sha256, promised.sha256,
                                    "Reinstall the package that ships it.")
        self._tokenizer: Tokenizer = Tokenizer.from_str(data.decode("utf-8"))
        # The file cuts at 128 tokens and pads up to it. A text that is cut is another text: ours are whole or refused.
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._most, self._name = context_tokens, name

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text. Errors: `Refused(TOO_MANY_TOKENS)` for a text beyond the model's context,
        `Refused(PROMPT_UNREADABLE)` for what is no Unicode text."""
        try:
            for text in texts:
                text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise Refused(Reason.PROMPT_UNREADABLE, f"A text is no Unicode text: {error}.") from error
        found = [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]
        for place, ids in enumerate(found):
            if len(ids) > self._most:
                raise Refused(Reason.TOO_MANY_TOKENS, f"Text {place} has {len(ids)} tokens, {self._name} reads "
                                                      f"{self._most}.", "Split it into shorter texts.")
        return found


def load_text_encoder(manifest: VectorManifest, weights_file: Path | None = None) -> TextEncoder | None:
    """The tokenizer beside a model's weights; None for a model of rows. Errors: `ModelFileMissing`,
    `ModelFileMismatch`, `BundleRefused`."""
    if manifest.tokenizer is None:
        return None
    folder = (weights_file or locate_vector_weights(manifest)).parent
    return TextEncoder(folder / "tokenizer.json", manifest.tokenizer, manifest.context_tokens, manifest.name)


def count_input_tokens(inputs: VectorInputs, manifest: VectorManifest, encoder: TextEncoder | None) -> int:
    """What a call is paid for: the tokens of its texts, marks included, or the numbers of its rows.

    Errors: those of `check_inputs`; `Refused(TOO_MANY_TOKENS)` for a text beyond the model's context.
    """
    check_inputs(inputs, manifest)
    if encoder is None:
        return count_numbers(inputs)
    return sum(len(ids) for ids in encoder.encode(inputs.texts))
