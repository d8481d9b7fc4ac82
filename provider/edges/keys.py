"""The node key from its keystore."""

from __future__ import annotations

from pathlib import Path

from protocol.chain.keystore import open_keystore, read_password
from protocol.sealing import derive_secret, public_key, unseal
from protocol.signing import Signer
from protocol.units import Address

SEALING_PURPOSE = "malla/node/x25519/v1"


class NodeKeys:
    """`provider.ports.work.Keys`: signs with the node key, opens with the X25519 key that is derived from it."""

    def __init__(self, private_key: bytes) -> None:
        self.signer = Signer(private_key)
        self._secret = derive_secret(private_key, SEALING_PURPOSE)
        self.address: Address = self.signer.address
        self.encryption_key = public_key(self._secret)

    def sign(self, digest: bytes) -> bytes:
        return self.signer.sign(digest)

    def unseal(self, sealed: bytes) -> bytes:
        return unseal(sealed, self._secret)

    def __repr__(self) -> str:
        return f"NodeKeys({self.address})"


def open_node_keys(keystore: Path, password_file: Path) -> NodeKeys:
    """Errors: ConfigInvalid."""
    return unlock_node_keys(keystore, read_password(password_file))


def unlock_node_keys(keystore: Path, password: str) -> NodeKeys:
    """Errors: ConfigInvalid."""
    return NodeKeys(open_keystore(keystore, password))
