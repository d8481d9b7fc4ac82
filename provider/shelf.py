"""What a node serves: one text model, or several vector models, each found by the digest of its manifest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from protocol.errors import ConfigInvalid
from protocol.sampling import GREEDY, GUMBEL, MAX_MIN_TOKENS
from protocol.units import Digest

CHAT, COMPLETION, EMBEDDING, PREDICTION = "chat", "completion", "embedding", "prediction"


@dataclass(frozen=True)
class Served:
    """A model that this node computes: digests of the manifest and of the calibration profile, what its backend can
    draw (the kinds of samplers, and the largest `min_tokens`), and the kinds of calls that it answers."""

    model: Digest
    profile: Digest
    name: str
    samplers: tuple[str, ...] = (GREEDY, GUMBEL)
    min_tokens: int = MAX_MIN_TOKENS
    kinds: tuple[str, ...] = (CHAT, COMPLETION)


@dataclass(frozen=True)
class Shelf:
    """Every model that a node serves, in the order of MALLA_MODEL."""

    models: tuple[Served, ...]

    @property
    def kinds(self) -> frozenset[str]:
        """Kinds of calls that one of the models answers."""
        return frozenset(kind for served in self.models for kind in served.kinds)

    def find(self, model: bytes) -> Served | None:
        return next((served for served in self.models if served.model == model), None)


def choose_name(asked: str, served: Sequence[str]) -> str:
    """The model that an offer is for: the one asked for, which has to be served, or the only one.

    Errors: ConfigInvalid.
    """
    listed = ", ".join(served)
    if asked:
        for name in served:
            if name.lower() == asked.lower():
                return name
        raise ConfigInvalid(f"The node serves {listed} (MALLA_MODEL) and not {asked[:80]}.",
                            f"Offer one of these, or name {asked[:80]} in MALLA_MODEL first.")
    if len(served) != 1:
        raise ConfigInvalid(f"The node serves {listed} (MALLA_MODEL).", "Say which one you offer: --model NAME.")
    return served[0]
