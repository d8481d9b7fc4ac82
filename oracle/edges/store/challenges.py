"""GPU challenges: commitments as they came, openings until they are checked, results."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import and_, func, or_, select, update

from oracle.edges.store.challenge_tables import CHALLENGES
from oracle.edges.store.session import Session
from oracle.records.challenges import ChallengeRow, ChallengeState
from protocol.challenge import SignedCommitment
from protocol.units import Digest
from protocol.wire import from_json, to_json


class ChallengeStore(Session):
    def put_challenge(self, row: ChallengeRow) -> ChallengeRow:
        """Keep the first commitment of a provider's device in a window; returns the one that is kept."""
        said = row.signed.commitment
        its = and_(CHALLENGES.c.provider == said.provider, CHALLENGES.c.device == said.device,
                   CHALLENGES.c.window == said.window)
        with self._begin() as c:
            found = c.execute(select(CHALLENGES).where(its)).first()
            if found is None:
                values = {
                    "digest": row.digest, "provider": said.provider, "device": said.device, "window": said.window,
                    "body": to_json(row.signed), "uuid": said.claim.uuid, "arrived_at": row.arrived_at,
                    "seconds": row.seconds, "state": int(row.state), "reason": row.reason,
                }
                c.execute(self._insert(CHALLENGES).values(values).on_conflict_do_nothing())
                found = c.execute(select(CHALLENGES).where(its)).first()
        return _row(found)

    def challenge(self, digest: bytes) -> ChallengeRow | None:
        with self._begin() as c:
            row = c.execute(select(CHALLENGES).where(CHALLENGES.c.digest == digest)).first()
        return None if row is None else _row(row)

    def put_challenge_opening(self, digest: bytes, body: bytes) -> bool:
        """Keep the first opening of a commitment that waits for one."""
        waiting = (CHALLENGES.c.digest == digest) & (CHALLENGES.c.state == int(ChallengeState.COMMITTED))
        change = update(CHALLENGES).where(waiting).values(opening=body, state=int(ChallengeState.OPENED))
        with self._begin() as c:
            return bool(c.execute(change).rowcount)

    def challenge_opening(self, digest: bytes) -> bytes | None:
        with self._begin() as c:
            found = c.execute(select(CHALLENGES.c.opening).where(CHALLENGES.c.digest == digest)).scalar()
        return None if found is None else bytes(found)

    def decide_challenge(self, digest: bytes, state: ChallengeState, reason: str) -> None:
        """The result; what was opened is let go."""
        with self._begin() as c:
            c.execute(update(CHALLENGES).where(CHALLENGES.c.digest == digest)
                      .values(state=int(state), reason=reason, opening=None))

    def challenges_due(self, before: float, limit: int) -> list[Digest]:
        """Opened ones that the broker was not told of since."""
        untold = or_(CHALLENGES.c.enqueued_at.is_(None), CHALLENGES.c.enqueued_at < before)
        query = (select(CHALLENGES.c.digest).where(CHALLENGES.c.state == int(ChallengeState.OPENED), untold)
                 .order_by(CHALLENGES.c.window, CHALLENGES.c.digest).limit(limit))
        with self._begin() as c:
            return [Digest(bytes(digest)) for digest in c.execute(query).scalars()]

    def mark_challenge_enqueued(self, digest: bytes, now: float) -> None:
        with self._begin() as c:
            c.execute(update(CHALLENGES).where(CHALLENGES.c.digest == digest).values(enqueued_at=now))

    def count_challenge(self, digest: bytes) -> int:
        """One more attempt to check it; returns how many there were."""
        its = CHALLENGES.c.digest == digest
        with self._begin() as c:
            c.execute(update(CHALLENGES).where(its).values(attempts=CHALLENGES.c.attempts + 1))
            return int(c.execute(select(CHALLENGES.c.attempts).where(its)).scalar() or 0)

    def unopened_challenges(self, window: int) -> list[Digest]:
        """Commitments of that window or an earlier one that were never opened."""
        query = select(CHALLENGES.c.digest).where(CHALLENGES.c.state == int(ChallengeState.COMMITTED),
                                                  CHALLENGES.c.window <= window)
        with self._begin() as c:
            return [Digest(bytes(digest)) for digest in c.execute(query).scalars()]

    def latest_challenges(self, providers: Collection[str]) -> list[ChallengeRow]:
        """The devices' rows of each provider's newest decided window."""
        over = CHALLENGES.c.state.in_([int(ChallengeState.PASSED), int(ChallengeState.FAILED)])
        newest = (select(CHALLENGES.c.provider, func.max(CHALLENGES.c.window).label("window"))
                  .where(CHALLENGES.c.provider.in_(providers), over).group_by(CHALLENGES.c.provider).subquery())
        same = and_(CHALLENGES.c.provider == newest.c.provider, CHALLENGES.c.window == newest.c.window)
        with self._begin() as c:
            rows = c.execute(select(CHALLENGES).join(newest, same).where(over).order_by(CHALLENGES.c.device))
            return [_row(row) for row in rows]

    def challenges_in(self, windows: Collection[int]) -> list[ChallengeRow]:
        with self._begin() as c:
            rows = c.execute(select(CHALLENGES).where(CHALLENGES.c.window.in_(windows)).order_by(CHALLENGES.c.provider))
            return [_row(row) for row in rows]


def _row(row: Any) -> ChallengeRow:
    return ChallengeRow(Digest(bytes(row.digest)), from_json(SignedCommitment, row.body), row.arrived_at, row.seconds,
                        ChallengeState(row.state), row.reason)
