"""The device that takes challenges, through torch: one CUDA device, or none."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from protocol.challenge import ChallengeTerms, DeviceClaim
from protocol.engine.challenge import (
    challenge_device,
    commit_products,
    free_products,
    measure_ops,
    open_drawn,
)
from protocol.errors import Unavailable


class TorchChallenger:
    """`provider.ports.challenges.Challenger`."""

    def claim(self, terms: ChallengeTerms) -> DeviceClaim | None:
        """What the driver says of the card, and a rate measured on one product; None without a CUDA device."""
        device = challenge_device()
        if device is None:
            return None
        about = torch.cuda.get_device_properties(device)
        uuid = f"GPU-{getattr(about, 'uuid', '')}"
        return DeviceClaim(uuid[:96], about.name[:96], f"CUDA {torch.version.cuda}", about.total_memory,
                           measure_ops(terms.width, device))

    def commit(self, seed: bytes, terms: ChallengeTerms) -> tuple[bytes, ...]:
        """Fill the free memory with products. Errors: ConfigInvalid, Unavailable when the memory is taken meanwhile."""
        device = _require(challenge_device())
        try:
            return commit_products(seed, free_products(device, terms.width, terms.most_products), terms.width, device)
        except torch.OutOfMemoryError as error:
            raise Unavailable("The device's memory was taken while the challenge filled it.") from error
        finally:
            torch.cuda.empty_cache()

    def open(self, seed: bytes, draw: bytes, roots: Sequence[bytes], terms: ChallengeTerms) -> bytes:
        return open_drawn(seed, draw, roots, terms, _require(challenge_device())).pack()


def _require(device: torch.device | None) -> torch.device:
    if device is None:
        raise Unavailable("There is no CUDA device any more.", "Check the driver: nvidia-smi.")
    return device
