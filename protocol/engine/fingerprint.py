"""Fingerprint rows of hidden states that are in torch; what they mean is in `protocol.proofs.fingerprint`."""

from __future__ import annotations

from torch import Tensor

from protocol.proofs.fingerprint import Rows, pack_rows, project


def projections(states: Tensor, seed: bytes) -> Rows:
    """Projections (tokens, 34) of final hidden states (tokens, hidden) of any dtype and device."""
    return project(states.detach().float().cpu().numpy(), seed)


def fingerprint_rows(states: Tensor, seed: bytes) -> bytes:
    """The rows of all tokens as bytes. Errors: `ValueError` when a state is zero or not finite."""
    return pack_rows(projections(states, seed))
