"""GPU challenges in the journal on PostgreSQL: the node's and the worker's moves, and the tables themselves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.exc import IntegrityError

from protocol.challenge import Commitment, DeviceClaim, SignedCommitment
from protocol.encoding import keccak
from protocol.units import Address
from provider.config import Settings
from provider.edges.challenge_rows import CHALLENGES, SqlChallenges
from provider.edges.migrate import open_journal
from provider.flow.computing import NO_DEVICE
from provider.ports.work import Log
from provider.records.challenges import ChallengeRow, ChallengeStage
from provider.wiring import take_challenge_step

CLAIM = DeviceClaim("GPU-1", "Test A100", "570", 80 * 2**30, 2**62)
OWNER = Address("0x00000000000000000000000000000000000A11cE")
SAID = Commitment(OWNER, 0, 100, keccak(b"w"), keccak(b"t"), keccak(b"r"), 2, CLAIM)


def test_rows__moved_by_two__only_from_the_stage_that_each_saw(database_url: str) -> None:
    journal = open_journal(database_url)
    rows = SqlChallenges(journal.engine)
    row = ChallengeRow(100, keccak(b"w"), keccak(b"s"), ChallengeStage.WANTED)
    assert rows.challenge(100) is None
    rows.begin_challenge(row)
    with pytest.raises(IntegrityError):
        rows.begin_challenge(row)
    done = replace(row, stage=ChallengeStage.OPENED, claim=CLAIM, roots=b"r" * 64, taken=("0x1",), touched_at=1.5,
                   signed=SignedCommitment(SAID, b"s" * 65), draw=b"d" * 32, opening=bytes(2**22), note="n")
    assert not rows.move_challenge(done, ChallengeStage.DRAWN)
    assert rows.challenge(100) == row
    assert rows.move_challenge(done, ChallengeStage.WANTED)
    assert rows.challenge(100) == done
    with journal.engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"include_object": lambda o, name, kind, r, c: kind != "table" or name == CHALLENGES.name})
        assert compare_metadata(context, CHALLENGES.metadata) == []
    journal.engine.dispose()


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_worker__machine_without_cuda__skips_the_window_and_says_so(database_url: str) -> None:
    """R91: through the real wiring; no model is loaded for it."""
    journal = open_journal(database_url)
    rows = SqlChallenges(journal.engine)
    rows.begin_challenge(ChallengeRow(100, keccak(b"w"), keccak(b"s"), ChallengeStage.WANTED))
    settings = Settings("", Path(), Path(), Path(), database_url, "memory://", OWNER, Path())
    said: list[str] = []
    take_challenge_step(settings, Log(lambda event, **_: said.append(event)), 100)
    take_challenge_step(settings, Log(lambda event, **_: said.append(event)), 100)
    row = rows.challenge(100)
    assert row is not None and (row.stage, row.note) == (ChallengeStage.SKIPPED, NO_DEVICE)
    assert said == ["challenge_skipped"]
    journal.engine.dispose()
