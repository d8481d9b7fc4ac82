"""A call between requester and provider: the request in a sealed box, the reply in numbered parts under one key.

The request is sealed to the provider's X25519 key and carries a fresh key of 32 bytes, under which every part of the
reply is encrypted (XSalsa20-Poly1305, the part's number as nonce): a relay reads nothing, and what it alters, drops or
puts into another order does not open.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Any

from nacl.exceptions import CryptoError
from nacl.secret import SecretBox

from protocol.encoding import canonical_json, parse_canonical
from protocol.errors import BadInput, Malformed
from protocol.sealing import new_secret, seal, unseal
from protocol.types import JobSpec
from protocol.units import Digest, Wei
from protocol.wire import from_json, to_json

KEY_BYTES = 32


@dataclass(frozen=True)
class SignedTotals:
    """A voucher between requester and provider, who both know its session. `in_flight` are the spec digests of the
    calls that it may pay beyond `calls`, ascending. `signature` has 65 bytes."""

    session_id: Digest
    amount: Wei
    units: int
    calls: int
    head: Digest
    in_flight: tuple[Digest, ...]
    signature: bytes


@dataclass(frozen=True)
class CallRequest:
    """What the sealed box holds: the spec, the prompt's plaintext, the voucher that covers it, the key of the reply."""

    spec: JobSpec
    prompt: bytes
    voucher: SignedTotals
    key: bytes


def seal_request(request: CallRequest, encryption_key: bytes) -> bytes:
    return seal(canonical_json(to_json(request)), encryption_key, new_secret())


def parse_request(plaintext: bytes) -> CallRequest:
    """Errors: Malformed."""
    request = from_json(CallRequest, parse_canonical(plaintext, "The call"), "The call")
    if len(request.key) != KEY_BYTES:
        raise Malformed(f"The key of a call has {KEY_BYTES} bytes, this one has {len(request.key)}.")
    return request


def open_request(sealed: bytes, secret: bytes) -> CallRequest:
    """Errors: BadInput for a box that is not ours or was altered, Malformed."""
    return parse_request(unseal(sealed, secret))


def seal_part(key: bytes, number: int, part: dict[str, Any]) -> str:
    """One part of a reply as the text that travels: base64 of the ciphertext. Each number is used once a key."""
    return base64.b64encode(SecretBox(key).encrypt(canonical_json(part), _nonce(number)).ciphertext).decode()


def open_part(key: bytes, number: int, text: str) -> dict[str, Any]:
    """Errors: BadInput when the part was altered, left out, or is not the one of this number."""
    try:
        plaintext = SecretBox(key).decrypt(base64.b64decode(text, validate=True), _nonce(number))
    except (CryptoError, binascii.Error, ValueError) as error:
        raise BadInput(f"Part {number} of the reply cannot be opened: it was altered on its way, or parts are missing.",
                       "Try again, with another provider or without the relay.") from error
    part = parse_canonical(plaintext, "A part of the reply")
    if not isinstance(part, dict) or not isinstance(part.get("kind"), str):
        raise Malformed("A part of the reply must be an object with its kind.")
    return part


def _nonce(number: int) -> bytes:
    return number.to_bytes(SecretBox.NONCE_SIZE, "big")
