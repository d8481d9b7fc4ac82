"""What a requester keeps of the API keys that it gave to applications."""

from __future__ import annotations

from dataclasses import dataclass

from protocol.units import Address, Wei

PENDING, ACTIVE, REVOKING, REVOKED = "PENDING", "ACTIVE", "REVOKING", "REVOKED"
"""PENDING: written down, its authorisation perhaps not mined. REVOKING: refused here, in the chain perhaps not yet."""


@dataclass(frozen=True)
class ApiKey:
    """What is kept of a key. `digest` is SHA-256 of the whole bearer key, hexadecimal; `ends_at` unix seconds.

    No `models` means every model.
    """

    id: str
    name: str
    digest: str
    address: Address
    cap: Wei
    ends_at: int
    models: tuple[str, ...]
    created_at: int
    state: str = PENDING
