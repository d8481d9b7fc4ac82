"""secp256k1 signatures of 65 bytes (r ‖ s ‖ v, v 27 or 28, low s as EIP-2 asks). coincurve does the curve."""

from __future__ import annotations

from functools import lru_cache

from coincurve import PrivateKey as CurveKey
from coincurve import PublicKey as CurvePublic
from eth_utils import to_checksum_address

from protocol.encoding import keccak
from protocol.errors import SignatureInvalid
from protocol.units import Address

_HALF_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141 // 2


class Signer:
    """A private key that signs digests and never prints itself."""

    __slots__ = ("_key", "address")

    def __init__(self, private_key: bytes) -> None:
        self._key = CurveKey(private_key)
        self.address: Address = _address(self._key.public_key)

    def sign(self, digest: bytes) -> bytes:
        """65 bytes over a 32-byte digest; deterministic (RFC 6979)."""
        signature = self._key.sign_recoverable(digest, hasher=None)
        return signature[:64] + bytes([27 + signature[64]])

    def __repr__(self) -> str:
        return f"Signer({self.address})"


def recover(digest: bytes, signature: bytes) -> Address:
    """The address that signed. Raises SignatureInvalid on a wrong length, v, a high s or no point."""
    if len(signature) != 65 or signature[64] not in (27, 28):
        raise SignatureInvalid("A signature has 65 bytes and ends with 27 or 28.")
    if int.from_bytes(signature[32:64], "big") > _HALF_ORDER:
        raise SignatureInvalid("The signature's s is in the upper half: it is malleable (EIP-2).")
    try:
        public = CurvePublic.from_signature_and_message(
            signature[:64] + bytes([signature[64] - 27]), digest, hasher=None
        )
    except Exception as error:  # coincurve raises bare Exception for an unrecoverable signature
        raise SignatureInvalid("The signature recovers to no public key.") from error
    return _address(public)


def compact(signature: bytes) -> tuple[bytes, bytes]:
    """(r, vs) of a signature of 65 bytes: EIP-2098 keeps the recovery bit in the highest bit of s, which is low."""
    if len(signature) != 65 or signature[64] not in (27, 28) or signature[32] >> 7:
        raise SignatureInvalid("A signature has 65 bytes, a low s, and ends with 27 or 28.")
    return signature[:32], bytes([signature[32] | (signature[64] - 27) << 7]) + signature[33:64]


def expand(r: bytes, vs: bytes) -> bytes:
    """The 65 bytes of a compact signature (EIP-2098)."""
    if len(r) != 32 or len(vs) != 32:
        raise SignatureInvalid("A compact signature has two words of 32 bytes.")
    return r + bytes([vs[0] & 0x7F]) + vs[1:] + bytes([27 + (vs[0] >> 7)])


def require_signer(digest: bytes, signature: bytes, expected: str, what: str) -> None:
    """Raises SignatureInvalid unless `expected` signed the digest."""
    signer = recover(digest, signature)
    if signer.lower() != expected.lower():
        raise SignatureInvalid(f"{what} is signed by {signer}, not by {expected}.")


def _address(public: CurvePublic) -> Address:
    return _checksum(keccak(public.format(compressed=False)[1:])[-20:])


@lru_cache(maxsize=4096)
def _checksum(raw: bytes) -> Address:
    return Address(to_checksum_address(raw))
