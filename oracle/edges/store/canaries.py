"""An oracle's own canaries and their wallets, and the deposits of all accounts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import and_, or_, select, update
from sqlalchemy.exc import IntegrityError

from oracle.edges.store.canary_tables import CANARIES, CANARY_PLANS, CANARY_WALLETS, DEPOSITS
from oracle.edges.store.market import job_row
from oracle.edges.store.session import Session
from oracle.edges.store.tables import JOBS
from oracle.records.canaries import CanaryOrder, CanaryRow, CanaryState, OwnWallet
from oracle.records.work import JobRow
from protocol.canary_lines import SeenDeposit
from protocol.types import Sampler
from protocol.units import Address, Digest

_C = CANARIES.c
WAITING = (int(CanaryState.PLANNED), int(CanaryState.PLACED))


class CanaryStore(Session):
    def begin_plan(self, period: int, now: float) -> bool:
        """Whether this call is the first for the period: only it may plan."""
        put = self._insert(CANARY_PLANS).values(period=period, made_at=now).on_conflict_do_nothing()
        with self._begin() as c:
            return c.execute(put.returning(CANARY_PLANS.c.period)).first() is not None

    def put_canaries(self, orders: Sequence[CanaryOrder]) -> list[int]:
        """Plan these; returns their numbers."""
        with self._begin() as c:
            return [c.execute(self._insert(CANARIES).values(
                order=_order_json(one), wallet=one.wallet, due_at=one.deposit_at if one.deposit else one.due_at,
                state=int(CanaryState.PLANNED),
            ).returning(_C.number)).scalar_one() for one in orders]

    def canary(self, number: int) -> CanaryRow | None:
        with self._begin() as c:
            return _row(c.execute(select(CANARIES).where(_C.number == number)).first())

    def canary_of(self, job_id: bytes) -> CanaryRow | None:
        with self._begin() as c:
            return _row(c.execute(select(CANARIES).where(_C.job_id == job_id)).first())

    def canaries(self, *states: CanaryState, limit: int = 100) -> list[CanaryRow]:
        """Of these states, or all; in the order in which they are due."""
        wanted = select(CANARIES).order_by(_C.due_at, _C.number).limit(limit)
        if states:
            wanted = wanted.where(_C.state.in_([int(state) for state in states]))
        with self._begin() as c:
            return [row for r in c.execute(wanted) if (row := _row(r)) is not None]

    def canaries_due(self, now: float, looked_before: float, limit: int) -> list[int]:
        """What needs a step and was not looked at since: to be funded, placed, or followed."""
        due = and_(_C.state.in_(WAITING), _C.due_at <= now, _C.looked_at <= looked_before)
        with self._begin() as c:
            return list(c.execute(select(_C.number).where(due).order_by(_C.due_at).limit(limit)).scalars())

    def look_at_canary(self, number: int, now: float) -> int:
        """Note one more look; returns how many there were since it got on."""
        with self._begin() as c:
            return int(c.execute(update(CANARIES).where(_C.number == number).values(
                looked_at=now, attempts=_C.attempts + 1).returning(_C.attempts)).scalar() or 0)

    def use_prompt(self, number: int, digest: bytes) -> bool:
        """Take a prompt for a canary; False when one of this oracle's canaries ever had it."""
        mine = or_(_C.prompt_digest.is_(None), _C.prompt_digest == digest)
        try:
            with self._begin() as c:
                taken = select(_C.number).where(_C.prompt_digest == digest, _C.number != number)
                if c.execute(taken).first() is not None:
                    return False
                return bool(c.execute(update(CANARIES).where(_C.number == number, mine)
                                      .values(prompt_digest=digest)).rowcount)
        except IntegrityError:
            return False  # another process took it in this moment

    def place_canary(self, number: int, job_id: bytes) -> None:
        self._change_canary(number, state=int(CanaryState.PLACED), job_id=job_id, attempts=0)

    def note_canary_deposit(self, number: int) -> None:
        row = self.canary(number)
        if row is not None:
            self._change_canary(number, deposited=True, due_at=row.order.due_at, attempts=0, looked_at=0.0)

    def end_canary(self, number: int, state: CanaryState, verdict: str = "", reason: str = "",
                   evidence: dict[str, Any] | None = None) -> None:
        """What became of it; what is empty here stays as it was."""
        said = {"verdict": verdict, "reason": reason, "evidence": evidence}
        self._change_canary(number, state=int(state), **{name: value for name, value in said.items() if value})

    def keep_wallets(self, wallets: Sequence[OwnWallet]) -> None:
        with self._begin() as c:
            for one in wallets:
                c.execute(self._insert(CANARY_WALLETS).values(name=one.name, address=one.address)
                          .on_conflict_do_nothing())

    def own_wallets(self) -> list[OwnWallet]:
        with self._begin() as c:
            rows = c.execute(select(CANARY_WALLETS).order_by(CANARY_WALLETS.c.name))
            return [OwnWallet(r.name, r.address, r.spent) for r in rows]

    def spend_wallet(self, name: str) -> None:
        """Place nothing with it any more."""
        with self._begin() as c:
            c.execute(update(CANARY_WALLETS).where(CANARY_WALLETS.c.name == name).values(spent=True))
            c.execute(update(CANARIES).where(_C.wallet == name, _C.state == int(CanaryState.PLANNED))
                      .values(state=int(CanaryState.FAILED), reason="Its wallet is spent."))

    def note_deposit(self, account: str, amount: int, block: int, log_index: int, at: int) -> None:
        with self._begin() as c:
            c.execute(self._insert(DEPOSITS).values(block=block, log_index=log_index, account=account, amount=amount,
                                                    at=at).on_conflict_do_nothing())

    def jobs_opened(self, since: float) -> list[JobRow]:
        """All jobs that were opened from then on, in order of time."""
        with self._begin() as c:
            rows = c.execute(select(JOBS).where(JOBS.c.opened_at >= since).order_by(JOBS.c.opened_at, JOBS.c.job_id))
            return [job_row(r) for r in rows]

    def deposits(self, since: float) -> list[tuple[Address, SeenDeposit]]:
        """In chain order."""
        d = DEPOSITS.c
        with self._begin() as c:
            rows = c.execute(select(DEPOSITS).where(d["at"] >= since).order_by(d.block, d.log_index))
            return [(Address(r.account), SeenDeposit(float(r._mapping["at"]), r.amount)) for r in rows]

    def _change_canary(self, number: int, **values: Any) -> None:
        with self._begin() as c:
            c.execute(update(CANARIES).where(_C.number == number).values(**values))


def _order_json(order: CanaryOrder) -> dict[str, Any]:
    """Wei as text: JSON readers keep no integer of that size."""
    return {**vars(order), "sampler": vars(order.sampler), "deposit": str(order.deposit)}


def _row(r: Any) -> CanaryRow | None:
    if r is None:
        return None
    fields = dict(r._mapping["order"])
    order = CanaryOrder(**{**fields, "sampler": Sampler(**fields["sampler"]), "deposit": int(fields["deposit"])})
    job_id = None if r.job_id is None else Digest(bytes(r.job_id))
    return CanaryRow(r.number, order, CanaryState(r.state), job_id, r.verdict, r.reason, r.evidence, r.deposited,
                     r.prompt_digest is not None, r.attempts)
