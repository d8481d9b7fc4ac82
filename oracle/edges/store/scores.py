"""What audited leaves add to their providers' scores, and the numbers behind each audit."""

from __future__ import annotations

from sqlalchemy import and_, delete, exists, or_, select

from oracle.edges.store.score_tables import AUDIT_NUMBERS, LEAF_SCORES
from oracle.edges.store.session import Session
from oracle.edges.store.tables import BATCHES
from oracle.records.scores import KeptNumbers, LeafScore
from protocol.types import BatchState
from protocol.units import Address, Digest

OVER = (int(BatchState.MATURED), int(BatchState.FORFEITED))
KEY = ["batch_id", "index"]


class ScoreStore(Session):
    def put_leaf_score(self, row: LeafScore, own: bool) -> None:
        """Keep what a leaf adds: of an own audit in the place of whatever was there, of a peer's if nothing was."""
        values = {
            "batch_id": row.batch_id, "index": row.index, "provider": row.provider, "profile": row.profile,
            "payer": row.payer, "log_e": row.log_e, "oracle": row.oracle, "at": row.at,
        }
        put = self._insert(LEAF_SCORES).values(**values)
        with self._begin() as c:
            c.execute(put.on_conflict_do_update(index_elements=KEY, set_=values) if own
                      else put.on_conflict_do_nothing())

    def drop_leaf_score(self, batch_id: int, index: int) -> None:
        """A leaf that an own audit found to be exact, or not to be judged, enters no score."""
        at = LEAF_SCORES.c
        with self._begin() as c:
            c.execute(delete(LEAF_SCORES).where(at.batch_id == batch_id, at["index"] == index))

    def leaf_scores(self, profile: bytes, since: float) -> list[LeafScore]:
        """Of all providers of a profile, in chain order: leaves of batches that are not over, or younger than that."""
        at = LEAF_SCORES.c
        over = exists().where(BATCHES.c.batch_id == at.batch_id, BATCHES.c.state.in_(OVER))
        wanted = select(LEAF_SCORES).where(and_(at.profile == profile, or_(at["at"] >= since, ~over)))
        with self._begin() as c:
            return [
                LeafScore(r.batch_id, r._mapping["index"], Address(r.provider), Digest(bytes(r.profile)),
                          Address(r.payer), r.log_e, Address(r.oracle), r.at)
                for r in c.execute(wanted.order_by(at.batch_id, at["index"]))
            ]

    def keep_numbers(self, batch_id: int, index: int, kept: KeptNumbers, now: float) -> None:
        values = {"batch_id": batch_id, "index": index, "numbers": kept.numbers, "ids": kept.ids,
                  "profile": kept.profile, "at": now}
        with self._begin() as c:
            c.execute(self._insert(AUDIT_NUMBERS).values(**values)
                      .on_conflict_do_update(index_elements=KEY, set_=values))

    def numbers(self, batch_id: int, index: int) -> KeptNumbers | None:
        at = AUDIT_NUMBERS.c
        with self._begin() as c:
            r = c.execute(select(AUDIT_NUMBERS).where(at.batch_id == batch_id, at["index"] == index)).first()
            return None if r is None else KeptNumbers(r.numbers, r.ids, r.profile)

    def drop_numbers(self, before: float) -> int:
        """Of batches that are over."""
        at = AUDIT_NUMBERS.c
        over = exists().where(BATCHES.c.batch_id == at.batch_id, BATCHES.c.state.in_(OVER))
        with self._begin() as c:
            return c.execute(delete(AUDIT_NUMBERS).where(at["at"] < before, over)).rowcount
