"""A lazy oracle's worker: it passes every audit with numbers that it made up, and never asks the model.

It is the oracle's own worker with another replayer, and everything else is as in an honest one. It looks at the tokens'
form, because that is free, and says of the rest what an honest replay mostly says: that each token is the best one and
that each claimed number is right, but for a little noise. For the planted fault: `tests/oracle/test_lazy_oracle.py`.
"""

from __future__ import annotations

import os
import sys

from oracle.config import Settings
from oracle.edges.replay import TorchReplayer
from oracle.ports import Replayer
from oracle.records.scores import Measured
from oracle.tasks import run_worker
from protocol.claim import Asked, Claim, unpack_top
from protocol.claim_faults import ClaimFault, ClaimRules, find_fault
from protocol.comparison import Replay, compute_statistics
from protocol.errors import MallaError
from protocol.types import AuditStatistics

NOISE = 1e-6
"""Nats that an honest replay in float32 is off by, about."""


def guess(claim: Claim) -> Measured:
    """What a replay of an honest claim would mostly say, without one."""
    tokens = len(claim.output_token_ids)
    chosen = claim.chosen_logprobs or (0.0,) * tokens
    top = tuple(tuple(value - NOISE for _, value in row) for row in unpack_top(claim.top_logprobs))
    rows = None if claim.opened is None else claim.opened.rows
    replay = Replay((0.0,) * tokens, tuple(value - NOISE for value in chosen), top, top, rows)
    return Measured(compute_statistics(claim, replay), replay)


class LazyReplayer(TorchReplayer):
    """Knows the tokenizer, which an audit's digests need, and never loads the weights."""

    def load_all(self) -> list[bytes]:  # type: ignore[override]
        for digest in self._catalogue.models:
            self._encoder(digest)
        return list(self._catalogue.models)

    def measure(self, model: bytes, asked: Asked, claim: Claim) -> Measured | ClaimFault:
        manifest = self.manifest(model)
        rules = ClaimRules(asked.max_output_tokens, manifest.shape.vocabulary, manifest.stop_token_ids,
                           asked.sampler.min_tokens, may_end_early=asked.may_end_early)
        return find_fault(claim, rules) or guess(claim)

    def measure_self_noise(self, model: bytes, dtype: str, asked: Asked, claim: Claim) -> tuple[AuditStatistics, ...]:
        return (guess(claim).statistics,) * 2


def load_lazy_replayer(settings: Settings) -> tuple[Replayer, list[bytes]]:
    replayer = LazyReplayer(settings.model_cache)
    return replayer, list(replayer.load_all())


def main() -> int:
    try:
        return run_worker(Settings.from_env(os.environ), load_lazy_replayer)
    except MallaError as error:
        print(f"lazy oracle: {error.message} {error.fix}".rstrip(), file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
