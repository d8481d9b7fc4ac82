from __future__ import annotations

import pytest
from eth_keys import keys
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.encoding import keccak
from protocol.errors import SignatureInvalid
from protocol.signing import Signer, compact, expand, recover, require_signer

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
DIGEST = keccak(b"digest")
ONE = Signer(keccak(b"one"))
secrets = st.integers(1, ORDER - 1).map(lambda number: number.to_bytes(32, "big"))


def malleable(signature: bytes) -> bytes:
    """The other signature of the same key over the same digest: s is mirrored, v flipped."""
    s = ORDER - int.from_bytes(signature[32:64], "big")
    return signature[:32] + s.to_bytes(32, "big") + bytes([55 - signature[64]])


@pytest.mark.parametrize("signature", [
    b"", ONE.sign(DIGEST)[:64], ONE.sign(DIGEST) + b"\0", ONE.sign(DIGEST)[:64] + b"\0", ONE.sign(DIGEST)[:64] + b"\1",
    ONE.sign(DIGEST)[:64] + b"\x1d", bytes(64) + b"\x1b", b"\xff" * 32 + ONE.sign(DIGEST)[32:],
    ONE.sign(DIGEST)[:32] + bytes(32) + b"\x1b",
])
def test_recover__no_signature_of_ours__invalid(signature: bytes) -> None:
    with pytest.raises(SignatureInvalid):
        recover(DIGEST, signature)


def test_recover__upper_half_s__invalid_although_the_curve_takes_it() -> None:
    other = malleable(ONE.sign(DIGEST))
    vrs = keys.Signature(signature_bytes=other[:64] + bytes([other[64] - 27]))
    assert vrs.recover_public_key_from_msg_hash(DIGEST).to_checksum_address() == ONE.address
    with pytest.raises(SignatureInvalid, match="malleable"):
        recover(DIGEST, other)


def test_require_signer__another_key__invalid_naming_both() -> None:
    two = Signer(keccak(b"two"))
    with pytest.raises(SignatureInvalid, match=f"The offer is signed by {two.address}, not by {ONE.address}"):
        require_signer(DIGEST, two.sign(DIGEST), ONE.address, "The offer")


def test_signer__as_text__shows_no_key() -> None:
    assert repr(ONE) == f"Signer({ONE.address})" and keccak(b"one").hex() not in repr(ONE)
    assert not hasattr(ONE, "__dict__")


@settings(max_examples=30)
@given(secrets, st.binary(min_size=32, max_size=32))
def test_sign__any_key_and_digest__recovers_and_equals_eth_keys(secret: bytes, digest: bytes) -> None:
    signer, reference = Signer(secret), keys.PrivateKey(secret)
    signature = signer.sign(digest)
    assert signer.address == reference.public_key.to_checksum_address() == recover(digest, signature)
    expected = reference.sign_msg_hash(digest).to_bytes()
    assert signature == expected[:64] + bytes([27 + expected[64]])
    assert signer.sign(digest) == signature
    require_signer(digest, signature, signer.address.lower(), "It")


@given(st.integers(0, 64 * 8 - 1))
def test_recover__one_bit_changed__never_the_signer(bit: int) -> None:
    signature = bytearray(ONE.sign(DIGEST))
    signature[bit // 8] ^= 1 << bit % 8
    try:
        found = recover(DIGEST, bytes(signature))
    except SignatureInvalid:
        return
    assert found != ONE.address


@given(secrets, st.binary(min_size=32, max_size=32))
def test_compact__any_signature__expands_to_the_same(secret: bytes, digest: bytes) -> None:
    """EIP-2098: 64 bytes, the recovery bit in the highest bit of the second word."""
    signature = Signer(secret).sign(digest)
    r, vs = compact(signature)
    assert (len(r), len(vs), vs[0] >> 7) == (32, 32, signature[64] - 27)
    assert expand(r, vs) == signature


def test_compact__known_vector__is_that_of_the_standard() -> None:
    """The first example of EIP-2098."""
    r = bytes.fromhex("68a020a209d3d56c46f38cc50a33f704f4a9a10a59377f8dd762ac66910e9b90")
    s = bytes.fromhex("7e865ad05c4035ab5792787d4a0297a43617ae897930a6fe4d822b8faea52064")
    assert compact(r + s + b"\x1b") == (r, s)


@pytest.mark.parametrize("signature", [b"", ONE.sign(DIGEST)[:64], ONE.sign(DIGEST)[:64] + b"\1",
                                       malleable(ONE.sign(DIGEST))[:32] + b"\xff" * 32 + b"\x1b"])
def test_compact__no_signature_of_ours__invalid(signature: bytes) -> None:
    with pytest.raises(SignatureInvalid):
        compact(signature)


@pytest.mark.parametrize("words", [(b"", b"\1" * 32), (b"\1" * 32, b"\1" * 31)])
def test_expand__words_of_another_length__invalid(words: tuple[bytes, bytes]) -> None:
    with pytest.raises(SignatureInvalid):
        expand(*words)
