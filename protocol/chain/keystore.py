"""Keystore v3 files (scrypt, as Geth and MetaMask read them): the only form in which a key lies on disk."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

from eth_account import Account
from eth_utils import is_hex_address, to_checksum_address

from protocol.errors import ConfigInvalid
from protocol.signing import Signer
from protocol.units import Address

KDF_ROUNDS = 2**14
"""scrypt's n: about 50 ms. The files are private to their owner; a longer derivation would guard weak passwords."""
MAX_FILE = 64 * 1024
"""Most bytes of a keystore or a password file; a keystore has about 500."""


def create_keystore(path: Path, password: str) -> Address:
    """Make a fresh key, encrypt it into `path` (mode 0600) and return its address.

    Raises ConfigInvalid when the file exists (it is never overwritten), its folder is not writable, or the password
    is empty.
    """
    return write_keystore(path, os.urandom(32), password)


def write_keystore(path: Path, private_key: bytes, password: str) -> Address:
    """`create_keystore` with a key that is already there."""
    if not password:
        raise ConfigInvalid("A keystore needs a password that is not empty.", "Write one into the password file.")
    signer = Signer(private_key)
    text = json.dumps(Account.encrypt(private_key, password, kdf="scrypt", iterations=KDF_ROUNDS))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigInvalid(f"The folder of the keystore {path} cannot be made: {error.strerror}.",
                            "Choose a folder that you may write to.") from error
    try:
        # O_EXCL: two processes that create it at once cannot both succeed, and nothing is ever replaced.
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise ConfigInvalid(
            f"The keystore {path} exists already and is not overwritten.", "Choose another path, or move it away."
        ) from error
    except OSError as error:
        raise ConfigInvalid(f"The keystore {path} cannot be written: {error.strerror}.",
                            "Choose a folder that you may write to.") from error
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        path.unlink(missing_ok=True)  # a half-written keystore would stand in the way of the next try
        raise ConfigInvalid(f"The keystore {path} cannot be written: {error.strerror}.",
                            "Make room on the disk and try again.") from error
    return signer.address


def open_keystore(path: Path, password: str) -> bytes:
    """The 32-byte private key. Raises ConfigInvalid, without any secret in it, when the file is missing or broken or
    the password is wrong."""
    value = _read(path)
    try:
        return bytes(Account.decrypt(value, password))
    except Exception:  # noqa: BLE001 - eth_account raises many kinds, and their texts may quote what must stay secret
        raise ConfigInvalid(
            f"The keystore {path} does not open: the password is wrong, or the file is damaged.",
            "Check the password file; restore the keystore from its backup if it is damaged.",
        ) from None


def keystore_address(path: Path) -> Address:
    """The address that a keystore names, without its password. Raises ConfigInvalid."""
    named = _read(path).get("address")
    if not isinstance(named, str) or not is_hex_address(named):
        raise ConfigInvalid(f"The keystore {path} names no address.", "Restore it from its backup.")
    return Address(to_checksum_address(named))


def read_password(path: Path) -> str:
    """The first line of a password file, without its line end. Raises ConfigInvalid when missing or empty."""
    try:
        lines = _read_text(path).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
        raise ConfigInvalid(f"The password file {path} cannot be read: {reason}.", "Name a readable file.") from error
    if not lines or not lines[0]:
        raise ConfigInvalid(f"The password file {path} is empty.", "Write the password into its first line.")
    return lines[0]


def _read(path: Path) -> dict[str, object]:
    fix = "Name an existing keystore v3 file, or create one with the `init` command."
    try:
        value = json.loads(_read_text(path))
    except OSError as error:
        raise ConfigInvalid(f"The keystore {path} cannot be read: {error.strerror}.", fix) from error
    except ValueError as error:
        raise ConfigInvalid(f"The keystore {path} is not JSON: the file is damaged.", fix) from error
    except RecursionError as error:
        raise ConfigInvalid(f"The keystore {path} is nested too deeply: the file is damaged.", fix) from error
    if not isinstance(value, dict) or not ({"crypto", "Crypto"} & value.keys()):
        raise ConfigInvalid(f"The file {path} is not a keystore v3: it has no field crypto.", fix)
    return value


def _read_text(path: Path) -> str:
    """Raises OSError for more than MAX_FILE bytes: the path may be of something endless."""
    with path.open("rb") as file:
        data = file.read(MAX_FILE + 1)
    if len(data) > MAX_FILE:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
    return data.decode("utf-8")
