"""Sealed boxes: X25519 + XSalsa20-Poly1305, the bytes of libsodium's crypto_box_seal.

The sender keeps the ephemeral secret, so that it can later show that a ciphertext holds a plaintext: whoever gets
(secret, plaintext, recipient) seals again and compares the bytes.
"""

from __future__ import annotations

import hashlib
import hmac
import os

from nacl.bindings import crypto_box_NONCEBYTES, crypto_box_PUBLICKEYBYTES, crypto_box_SECRETKEYBYTES
from nacl.encoding import RawEncoder
from nacl.exceptions import CryptoError
from nacl.hash import blake2b
from nacl.public import Box, PrivateKey, PublicKey, SealedBox

from protocol.errors import BadInput, Malformed

OVERHEAD = 48
"""Bytes that a sealed box is longer than its plaintext."""


def new_secret() -> bytes:
    """A fresh 32-byte X25519 secret."""
    return os.urandom(32)


def derive_secret(private_key: bytes, purpose: str) -> bytes:
    """An X25519 secret that belongs to a signing key: HMAC-SHA256(key, purpose). Nothing more has to be kept."""
    return hmac.new(private_key, purpose.encode(), hashlib.sha256).digest()


def public_key(secret: bytes) -> bytes:
    return bytes(PrivateKey(secret).public_key)


def seal(plaintext: bytes, recipient: bytes, secret: bytes) -> bytes:
    """Seal to an X25519 public key with the given ephemeral secret: the same three arguments give the same bytes."""
    if len(recipient) != crypto_box_PUBLICKEYBYTES:
        raise Malformed(f"An X25519 public key has 32 bytes, this one has {len(recipient)}.")
    if len(secret) != crypto_box_SECRETKEYBYTES:
        raise Malformed(f"An X25519 secret has 32 bytes, this one has {len(secret)}.")
    ephemeral = PrivateKey(secret)
    public = bytes(ephemeral.public_key)
    nonce = blake2b(public + recipient, digest_size=crypto_box_NONCEBYTES, encoder=RawEncoder)
    try:
        return public + Box(ephemeral, PublicKey(recipient)).encrypt(plaintext, nonce).ciphertext
    except CryptoError as error:
        raise Malformed("Nothing can be sealed to this X25519 public key: it is a point of small order.") from error


def require_public_key(recipient: bytes) -> None:
    """Raises Malformed unless something can be sealed to the key."""
    seal(b"", recipient, b"\x01" * crypto_box_SECRETKEYBYTES)


def unseal(sealed: bytes, secret: bytes) -> bytes:
    """The plaintext. Raises BadInput when the box was not sealed to this key or was altered."""
    try:
        return SealedBox(PrivateKey(secret)).decrypt(sealed)
    except (CryptoError, ValueError, TypeError) as error:
        raise BadInput("The sealed bytes cannot be opened: they were sealed to another key, or altered.") from error
