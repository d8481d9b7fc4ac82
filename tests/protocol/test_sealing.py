from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.public import PrivateKey, SealedBox

from protocol.errors import BadInput, Malformed
from protocol.sealing import OVERHEAD, derive_secret, new_secret, public_key, require_public_key, seal, unseal

OURS, EPHEMERAL = b"\1" * 32, b"\2" * 32


@pytest.mark.parametrize("recipient", [b"", b"\1" * 31, b"\1" * 33, bytes(32), b"\1" + bytes(31)])
def test_seal__to_no_usable_key__malformed(recipient: bytes) -> None:
    with pytest.raises(Malformed, match="X25519 public key"):
        seal(b"text", recipient, EPHEMERAL)
    with pytest.raises(Malformed):
        require_public_key(recipient)


@pytest.mark.parametrize("secret", [b"", b"\1" * 31, b"\1" * 33])
def test_seal__secret_of_another_length__malformed(secret: bytes) -> None:
    with pytest.raises(Malformed, match="secret"):
        seal(b"text", public_key(OURS), secret)


@pytest.mark.parametrize("sealed", [b"", b"\1" * 47, bytes(64), seal(b"text", public_key(EPHEMERAL), OURS)])
def test_unseal__cut_off_or_for_another_key__bad_input(sealed: bytes) -> None:
    with pytest.raises(BadInput, match="another key, or altered"):
        unseal(sealed, OURS)


@given(st.integers(0, 8 * (OVERHEAD + 4) - 1))
def test_unseal__one_bit_changed__bad_input(bit: int) -> None:
    """The highest bit of the ephemeral key is not part of its point, but of the nonce."""
    sealed = bytearray(seal(b"text", public_key(OURS), EPHEMERAL))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(BadInput):
        unseal(bytes(sealed), OURS)


@settings(max_examples=30)
@given(st.binary(max_size=200), st.binary(min_size=32, max_size=32))
def test_seal__any_text__same_bytes_each_time_and_libsodium_opens_them(plaintext: bytes, secret: bytes) -> None:
    sealed = seal(plaintext, public_key(OURS), secret)
    assert sealed == seal(plaintext, public_key(OURS), secret)
    assert len(sealed) == len(plaintext) + OVERHEAD
    assert unseal(sealed, OURS) == plaintext == SealedBox(PrivateKey(OURS)).decrypt(sealed)


def test_unseal__sealed_by_libsodium__opens() -> None:
    assert unseal(SealedBox(PrivateKey(OURS).public_key).encrypt(b"text"), OURS) == b"text"


def test_seal__text_recipient_or_secret_changed__other_bytes() -> None:
    made = {seal(b"text", public_key(OURS), EPHEMERAL), seal(b"texT", public_key(OURS), EPHEMERAL),
            seal(b"text", public_key(b"\3" * 32), EPHEMERAL), seal(b"text", public_key(OURS), b"\3" * 32)}
    assert len(made) == 4


def test_derive_secret__purpose_and_key__each_gives_its_own() -> None:
    found = {derive_secret(OURS, "a"), derive_secret(OURS, "b"), derive_secret(EPHEMERAL, "a")}
    assert len(found) == 3 and derive_secret(OURS, "a") in found
    assert len(new_secret()) == 32 and new_secret() != new_secret()
