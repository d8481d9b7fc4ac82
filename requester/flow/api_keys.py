"""API keys for the applications behind a gateway: each pays with a sub-key that the escrow knows, up to its cap.

An application shows a bearer key. Here only its digest is kept, beside the id from which the wallet derives the sub-key
that signs; cap, end and models are held by the escrow against that sub-key, whatever this side believes.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, Protocol

from protocol.errors import BadInput, MallaError
from protocol.signing import Signer
from protocol.units import Address, Digest, Wei
from requester.ports.jobs import Wallet
from requester.records.keys import ACTIVE, REVOKED, REVOKING, ApiKey

PREFIX = "malla-"
MAX_MODELS = 16


class KeyRefused(MallaError):
    """`code` is key_unknown, key_revoked, key_expired or model_not_allowed."""

    def __init__(self, code: str, message: str, fix: str = "") -> None:
        super().__init__(message, fix)
        self._code = code

    @property
    def code(self) -> str:  # type: ignore[override]
        return self._code


class KeyStore(Protocol):
    """The keys of one wallet in one deployment."""

    def read(self) -> tuple[ApiKey, ...]: ...
    def write(self, keys: Sequence[ApiKey]) -> None: ...
    def hold(self) -> AbstractContextManager[None]: ...


class KeyChain(Protocol):
    """What of `ports.sessions.SessionChain` concerns sub-keys."""

    def authorise_key_call(self, key: Address, cap: Wei, ends_at: int, models: Sequence[Digest]) -> Any: ...
    def revoke_key_call(self, key: Address) -> Any: ...


@dataclass(frozen=True)
class KeyRing:
    """Creates, checks and revokes keys. `signer_of` derives a key's sub-key, `digest_of` names a model's manifest.

    Errors of what is sent: ChainRefused, ChainUnreachable, Unavailable.
    """

    store: KeyStore
    chain: KeyChain
    wallet: Wallet
    signer_of: Callable[[str], Signer]
    digest_of: Callable[[str], Digest]

    def create(self, name: str, cap: Wei, ends_at: int, models: Sequence[str], now: int) -> tuple[str, ApiKey]:
        """A new bearer key, which nobody can show again, and what is kept of it. Errors: BadInput, Refused."""
        if cap <= 0 or ends_at <= now:
            raise BadInput("A key needs a cap above 0 and an end in the future.", "Name other --cap and --expires.")
        if len(models) > MAX_MODELS:
            raise BadInput(f"A key takes at most {MAX_MODELS} models, these are {len(models)}.", "Name fewer.")
        digests = [self.digest_of(model) for model in models]
        bearer, key_id = PREFIX + secrets.token_urlsafe(32), "key_" + secrets.token_hex(8)
        address = self.signer_of(key_id).address
        key = ApiKey(key_id, name, digest_of_bearer(bearer), address, cap, ends_at, tuple(models), now)
        self._put(key)  # before it is sent: a key that the escrow knows must be one that can be revoked here
        self.wallet.wait(self.wallet.send(self.chain.authorise_key_call(address, cap, ends_at, digests)))
        return bearer, self._put(replace(key, state=ACTIVE))

    def list(self) -> tuple[ApiKey, ...]:
        return self.store.read()

    def revoke(self, key_id: str) -> ApiKey:
        """Nothing is accepted for the key from now on; the escrow takes its vouchers until the claim delay is over.

        Errors: BadInput for an id that is none.
        """
        found = next((key for key in self.store.read() if key_id in (key.id, key.name)), None)
        if found is None:
            raise BadInput(f"There is no key '{key_id[:60]}'.", "See `malla request keys list`.")
        if found.state == REVOKED:
            return found
        if found.state in (ACTIVE, REVOKING):
            self._put(replace(found, state=REVOKING))  # refused here at once, also if the chain is away now
            self.wallet.wait(self.wallet.send(self.chain.revoke_key_call(found.address)))
        return self._put(replace(found, state=REVOKED))

    def admit(self, bearer: str, now: float) -> ApiKey:
        """The key of a bearer. Errors: KeyRefused."""
        digest = digest_of_bearer(bearer)
        key = next((one for one in self.store.read() if secrets.compare_digest(one.digest, digest)), None)
        if key is None:
            raise KeyRefused("key_unknown", "This API key is not known.",
                             "Make one with `malla request keys create`.")
        if key.state in (REVOKING, REVOKED):
            raise KeyRefused("key_revoked", f"The API key {key.id} was revoked.", "Use another one.")
        if now >= key.ends_at:
            raise KeyRefused("key_expired", f"The API key {key.id} has expired.", "Use another one.")
        return key

    def _put(self, key: ApiKey) -> ApiKey:
        with self.store.hold():
            self.store.write([*(one for one in self.store.read() if one.id != key.id), key])
        return key


def digest_of_bearer(bearer: str) -> str:
    """256 random bits need no slow hash."""
    return hashlib.sha256(bearer.encode("utf-8", "surrogatepass")).hexdigest()


def require_model(key: ApiKey, model: str) -> None:
    """Errors: KeyRefused, which the escrow would say later and dearer."""
    if key.models and model.lower() not in (one.lower() for one in key.models):
        raise KeyRefused("model_not_allowed", f"The API key {key.id} may not use {model}.",
                         f"It may use {', '.join(key.models)}.")
