"""Signed offers as files of the home folder: what the command line writes and the node publishes."""

from __future__ import annotations

import os
from pathlib import Path

from protocol.encoding import canonical_json, parse_json
from protocol.errors import BadInput, ConfigInvalid
from protocol.types import SignedOffer
from protocol.wire import from_json, to_json


class OfferFiles:
    """`<home>/offers/<nonce>.json`, one signed offer each; a removed one moves to `offers/removed`."""

    def __init__(self, home: Path) -> None:
        self._folder = home / "offers"

    def write(self, offer: SignedOffer) -> Path:
        """Appears whole or not at all. Raises ConfigInvalid when the folder is not writable."""
        path = self._folder / f"{offer.offer.nonce}.json"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_suffix(".unfinished")
            unfinished.write_bytes(canonical_json(to_json(offer)) + b"\n")
            os.replace(unfinished, path)
        except OSError as error:
            raise ConfigInvalid(f"The offer file {path} cannot be written: {error.strerror}.",
                                "Make the home folder writable.") from error
        return path

    def standing(self) -> list[SignedOffer]:
        """By nonce. Raises ConfigInvalid naming a file that is no offer."""
        return [self._read(path) for path in sorted(self._folder.glob("*.json"))]

    def removed(self) -> list[SignedOffer]:
        """Those that were revoked here. Raises ConfigInvalid likewise."""
        return [self._read(path) for path in sorted((self._folder / "removed").glob("*.json"))]

    def find(self, nonce: int) -> SignedOffer:
        path = self._folder / f"{nonce}.json"
        if not path.is_file():
            known = ", ".join(path.stem for path in sorted(self._folder.glob("*.json"))) or "none"
            raise ConfigInvalid(f"There is no offer with nonce {nonce} here.", f"Standing offers: {known}.")
        return self._read(path)

    def remove(self, nonce: int) -> None:
        self.find(nonce)
        removed = self._folder / "removed"
        removed.mkdir(exist_ok=True)
        os.replace(self._folder / f"{nonce}.json", removed / f"{nonce}.json")

    def _read(self, path: Path) -> SignedOffer:
        try:
            return from_json(SignedOffer, parse_json(path.read_bytes().strip(), path.name), "offer")
        except (OSError, BadInput) as error:
            reason = f"{error.strerror}." if isinstance(error, OSError) else error.message
            raise ConfigInvalid(f"The offer file {path} cannot be used: {reason}",
                                "Remove it and set the offer again.") from error
