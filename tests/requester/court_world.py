"""A court in memory beside the market: bonds, rulings, compensations and awards as the contract has them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from protocol.errors import ChainRefused
from protocol.types import BatchState, Outcome, Ruling
from protocol.units import TOKEN, Address, Wei
from requester.ports.court import CaseView, DisputeTerms, LineView
from requester.records.jobs import JobFile
from tests.requester.world import World

BOND = Wei(10 * TOKEN)
WINDOW = 300
LIFE = 600
"""Seconds after the commitment in which a job can be disputed."""


class FakeCourt:
    """Implements `requester.ports.court.Court`. Attach it to a world: its calls are then carried out."""

    def __init__(self, world: World) -> None:
        self.world, self.chain = world, world.chain
        self.cases: list[CaseView] = []
        self.entry = LineView(BatchState.MATURED, Outcome.PASS, True, False)
        self.award = self.allowed = 0
        self.refuses: set[str] = set()
        self.sent: list[str] = []
        self.disputed: JobFile | None = None
        before = self.chain.carry_out

        def carry_out(call: Any) -> None:
            if call[0].startswith("court "):
                self._carry_out(call[0].removeprefix("court "), call[1])
            else:
                before(call)

        self.chain.carry_out = carry_out  # type: ignore[method-assign]
        world.market = replace(world.market, court=self)

    def terms(self) -> DisputeTerms:
        return DisputeTerms(BOND, WINDOW, LIFE, 10)  # type: ignore[arg-type]

    def now(self) -> int:
        return self.chain.time

    def case_of(self, batch_id: int, index: int) -> CaseView | None:
        return self.cases[-1] if self.cases else None

    def line(self, batch_id: int, index: int, provider: Address) -> LineView:
        return self.entry

    def award_of(self, account: Address) -> Wei:
        return Wei(self.award)

    def allowance(self, account: Address) -> Wei:
        return Wei(self.allowed)

    def approve_call(self, amount: Wei) -> Any:
        return ("court approve", amount)

    def dispute_call(self, file: JobFile) -> Any:
        return ("court dispute", file)

    def close_call(self, case_id: int) -> Any:
        return ("court close", case_id)

    def compensate_call(self, case_id: int) -> Any:
        return ("court compensate", case_id)

    def claim_call(self) -> Any:
        return ("court claim", 0)

    def rule(self, ruling: Ruling) -> None:
        """What a quorum submits: a bond of a dispute that is won returns at once."""
        self.cases[-1] = replace(self.cases[-1], ruling=ruling)
        if ruling is not Ruling.REJECTED:
            self.chain.tokens += BOND

    def _carry_out(self, kind: str, value: Any) -> None:
        if kind in self.refuses:
            raise ChainRefused("Refused", {}, "The court says no.")
        self.sent.append(kind)
        if kind == "approve":
            self.allowed = value
        elif kind == "dispute":
            assert self.allowed >= BOND
            self.allowed, self.chain.tokens, self.disputed = self.allowed - BOND, self.chain.tokens - BOND, value
            amount = value.entries[value.index].amount
            self.cases.append(CaseView(len(self.cases) + 1, Ruling.NONE, self.chain.time + WINDOW, BOND, amount, False))
        elif kind == "close":
            self.rule(Ruling.DEFAULT)
        elif kind == "compensate":
            amount = self.cases[-1].amount
            self.award += amount + min(BOND, amount) // 2
            self.cases[-1] = replace(self.cases[-1], is_compensated=True)
        elif kind == "claim":
            self.chain.tokens, self.award = self.chain.tokens + self.award, 0
