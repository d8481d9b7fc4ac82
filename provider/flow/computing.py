"""The worker's steps of a GPU challenge: compute and commit to products, open what was drawn."""

from __future__ import annotations

from dataclasses import replace

from protocol.challenge import ChallengeTerms
from provider.ports.challenges import Challenger, Challenges
from provider.ports.work import Log
from provider.records.challenges import ChallengeStage

NO_DEVICE = "no challenge taken: this provider has no CUDA device"


def compute_challenge(rows: Challenges, challenger: Challenger, terms: ChallengeTerms, log: Log, window: int) -> None:
    """The worker's step: compute and commit, or open what was drawn. Without a CUDA device it says so, once."""
    row = rows.challenge(window)
    if row is not None and row.stage is ChallengeStage.WANTED:
        claim = challenger.claim(terms)
        if claim is None:
            rows.move_challenge(replace(row, stage=ChallengeStage.SKIPPED, note=NO_DEVICE), row.stage)
            log("challenge_skipped", window=window, note=NO_DEVICE)
            return
        roots = b"".join(challenger.commit(row.seed, terms))
        rows.move_challenge(replace(row, stage=ChallengeStage.COMPUTED, claim=claim, roots=roots), row.stage)
        log("challenge_computed", window=window, products=len(roots) // 32)
    elif row is not None and row.stage is ChallengeStage.DRAWN:
        opening = challenger.open(row.seed, row.draw, row.product_roots, terms)
        rows.move_challenge(replace(row, stage=ChallengeStage.OPENED, opening=opening, touched_at=0.0), row.stage)
        log("challenge_opened", window=window)
