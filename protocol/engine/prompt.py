"""From chat messages to token ids and from output tokens to text, as the model's manifest fixes it.

Needs no torch. Requester, provider and oracle each render the prompt for themselves: nobody has to
believe somebody else's token ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jinja2 import TemplateError
from tokenizers import Tokenizer

from protocol.engine.template import ChatTemplate
from protocol.engine.weights import TEMPLATE_FILE, TOKENIZER_FILE, Progress, prepare_model
from protocol.errors import ProviderFault, Reason, Refused
from protocol.manifest import ModelManifest
from protocol.transcript import TEXT

PRINTABLE = (*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100))
"""Bytes that a byte-level vocabulary writes as themselves; the others become the signs from U+0100 on, in order."""
BYTE_OF_SIGN = {chr(byte): byte for byte in PRINTABLE} | {
    chr(0x100 + at): byte for at, byte in enumerate(byte for byte in range(0x100) if byte not in PRINTABLE)
}  # fmt: skip


class PromptEncoder:
    """Tokenizer and chat template of one model. Errors: `BundleRefused` when no template may be so."""

    def __init__(self, manifest: ModelManifest, tokenizer: Tokenizer, template: str) -> None:
        self.manifest = manifest
        self._tokenizer = tokenizer
        self._template = ChatTemplate(template)
        self._added = tokenizer.get_added_tokens_decoder()

    def render(self, messages: Sequence[tuple[str, str]]) -> str:
        """The prompt's text for (role, content) pairs, ending where the assistant begins to answer.

        Errors: `Refused(PROMPT_UNREADABLE)` when the template refuses the messages.
        """
        if not messages:
            raise Refused(Reason.PROMPT_UNREADABLE, "The prompt has no messages.", "Send at least one.")
        turns = [{"role": role, "content": content} for role, content in messages]
        try:
            return self._template.render(turns)
        except TemplateError as error:
            raise Refused(
                Reason.PROMPT_UNREADABLE,
                f"The chat template of {self.manifest.name} refuses the messages: {error}.",
            ) from error

    def encode(self, messages: Sequence[tuple[str, str]]) -> tuple[int, ...]:
        """The prompt's token ids. A marker such as <|im_end|> inside a message counts as the marker; the text of an
        only message with the role "text" is taken as it is.

        Errors: `Refused(PROMPT_UNREADABLE)`.
        """
        if len(messages) == 1 and messages[0][0] == TEXT:
            return self.encode_text(messages[0][1])
        return self.encode_text(self.render(messages))

    def encode_text(self, text: str) -> tuple[int, ...]:
        """Token ids of text without the chat template. Errors: `Refused(PROMPT_UNREADABLE)`."""
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise Refused(Reason.PROMPT_UNREADABLE, f"The prompt is no Unicode text: {error}.") from error
        return tuple(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def decode(self, token_ids: Sequence[int]) -> str:
        """The answer's text without markers; bytes that are no UTF-8 yet become U+FFFD."""
        return self._tokenizer.decode(list(token_ids), skip_special_tokens=True)

    def token_bytes(self, token_id: int) -> bytes:
        """What one token of a byte-level vocabulary spells, often less than a character; nothing for a marker.

        The bytes of tokens, one after the other and read as UTF-8, are the text that `decode` gives.
        Errors: `ProviderFault` for an id that the vocabulary does not have.
        """
        added = self._added.get(token_id)
        if added is not None:
            return b"" if added.special else added.content.encode()
        token = self._tokenizer.id_to_token(token_id)
        if token is None:
            raise ProviderFault("tokens", f"{token_id} is no token of {self.manifest.name}.")
        return bytes(BYTE_OF_SIGN[sign] for sign in token) if BYTE_OF_SIGN.keys() >= set(token) else token.encode()


def load_prompt_encoder(
    manifest: ModelManifest, cache: Path, weights_file: Path | None = None, progress: Progress | None = None
) -> PromptEncoder:
    """The encoder from the prepared model folder (made now if there is none).

    Errors: `ModelFileMissing`, `ModelFileMismatch`, `BundleRefused`.
    """
    folder = prepare_model(manifest, cache, weights_file, progress)
    # from_file takes 0.1 s; the automatic loader of the transformers library takes 6 to 14.
    tokenizer = Tokenizer.from_file(str(folder / TOKENIZER_FILE))
    return PromptEncoder(manifest, tokenizer, (folder / TEMPLATE_FILE).read_text(encoding="utf-8"))
