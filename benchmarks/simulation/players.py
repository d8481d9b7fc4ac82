"""Who plays on the chain: agents with identities, and what became of each."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from benchmarks.simulation.agents import HONEST, Strategy
from benchmarks.simulation.market import COST_BPS, INT4, INT8, NO_WORK
from benchmarks.simulation.net import Provider
from protocol.signing import Signer
from protocol.units import BPS_ONE, TOKEN

PRICE = TOKEN

CHEATS = (
    HONEST,
    Strategy("cheats 25 %", INT8, 0.25),
    Strategy("cheats 100 %", NO_WORK, 1.0, batch=2),
    Strategy("burst of 10 after 20", INT4, 1.0, clean_for=20, lives_for=30),
    Strategy("new identity when convicted", INT4, 0.1, starts_new=True, renews_when_convicted=True),
    Strategy("30 % collude, cheats 25 %", INT8, 0.25, colluding=0.3),
)


@dataclass
class Player:
    """An agent with its present identity; `spent` is the cost of its work, wei."""

    agent: Strategy
    identity: Provider
    requester: Signer
    batch: int = 10
    owners: list[str] = field(default_factory=list)
    age: int = 0
    jobs: int = 0
    cheated: int = 0
    audited: int = 0
    convictions: int = 0
    spent: int = 0

    def work(self, drawn: tuple[int, ...], chance: random.Random) -> bool:
        """Whether the batch convicts; counts what the work cost."""
        agent, is_guilty = self.agent, False
        for index in range(self.batch):
            cheats = self.age >= agent.clean_for and chance.random() < agent.rate
            saved = agent.cheat.saved_bps if cheats else 0
            self.spent += PRICE * (COST_BPS - saved) // BPS_ONE
            self.age, self.jobs, self.cheated = self.age + 1, self.jobs + 1, self.cheated + cheats
            if index in drawn:
                self.audited += 1
                sees = chance.random() >= agent.blind
                is_guilty |= cheats and sees and chance.random() < agent.cheat.power
        return is_guilty


@dataclass(frozen=True)
class Played:
    """One agent at the end; profits are parts of a job's price, a job."""

    name: str
    jobs: int
    cheated: int
    audited: int
    convictions: int
    identities: int
    profit: float
