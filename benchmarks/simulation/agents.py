"""What a provider may do: each strategy is a few numbers, so that combinations are other numbers."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.simulation.market import INT4, Cheat


@dataclass(frozen=True)
class Strategy:
    """An identity lives for `lives_for` jobs: it works honestly for `clean_for`, then cheats at `rate`, then the agent
    leaves it and begins with a new one. Where nothing else is said the agent chooses what is best for a cheat: one job
    a batch, so that a conviction takes as little unmatured pay as possible.
    """

    name: str
    cheat: Cheat = INT4
    rate: float = 0.0
    clean_for: int = 0
    lives_for: int = 0
    """Jobs of one identity; 0: it is never given up by itself."""
    renews_when_convicted: bool = False
    """A new identity after a conviction, instead of the old one with a stake filled up again."""
    starts_new: bool = False
    """Its identities have no history. Otherwise each has so much that its audit rate is at the floor, for nothing: the
    best for a cheat."""
    ages_by: float = 0.0
    """Fees, in scales of the audit rate, that each new identity burns by hiring itself before it cheats."""
    batch: int = 1
    lag: int = 1
    """Batches that are committed before the first of them is audited: all that a conviction can still reach."""
    colluding: float = 0.0
    """Share of the auditors that pass whatever they are named for."""
    lazy: float = 0.0
    """Share of the auditors that pass without recomputing: for the provider the same, without its consent."""
    has_challenger: bool = False
    """A friend disputes in time and keeps the challenger's share of each slash."""
    surfs: float | None = None
    """Cheats only while one more finding leaves so many nats to a conviction: it sees what is drawn, so it knows its
    score. The reserve is for what an honest leaf may add by chance."""

    victims: int = 1_000
    """Requesters whose jobs it cheats on."""

    @property
    def blind(self) -> float:
        """Share of auditors that see nothing."""
        return 1.0 - (1.0 - self.colluding) * (1.0 - self.lazy)


HONEST = Strategy("honest")
