"""The market as numbers: many independent providers at once, one batch of each a step.

Each provider is a row of arrays, so a million jobs are a few hundred steps. The order of a step is that of the
contracts: what was committed `lag` batches ago is decided by its audits, then a new batch is committed and drawn with
the audit rate of that moment. Money is counted as the contracts count it (`protocol.economics`), in whole gwei.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.simulation.agents import HONEST, Strategy
from benchmarks.simulation.market import COST_BPS, GWEI, PRICE, SEATS, Market, audit_rates
from benchmarks.simulation.scoring import Score
from protocol.score import PAYERS
from protocol.units import BPS_ONE, bps_up

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Outcome:
    """One element a provider. Profits are gwei, over all of its identities and `jobs` jobs."""

    jobs: int
    profit: Ints
    cheated: Ints
    convictions: Ints
    identities: Ints


@dataclass
class _Pending:
    """A committed batch that is not decided yet."""

    pay: Ints
    auditors: Ints
    guilty: Bools
    live: Bools


@dataclass(frozen=True)
class Rules:
    """How a cheat is found: `score` None convicts by `Cheat.power` alone. `finding_costs` is what an entry beyond the
    thresholds costs its provider, in parts of the price: 0 (it is paid by default), 1 (refunded), 2 (a dispute is
    upheld: the amount, and a penalty as large)."""

    score: Score | None = None
    finding_costs: float = 0.0


def play(market: Market, agent: Strategy, jobs: int, providers: int, seed: int, rules: Rules | None = None) -> Outcome:
    """Let `providers` copies of the agent serve `jobs` jobs each. Raises ValueError unless batches fit into `jobs`."""
    if jobs % agent.batch or jobs < agent.batch * agent.lag:
        raise ValueError(f"{jobs} jobs are not whole batches of {agent.batch} for a lag of {agent.lag}: choose more.")
    world = _World(market, agent, providers, seed, rules or Rules())
    for _ in range(jobs // agent.batch):
        world.step()
    world.drain(np.ones(providers, bool))
    return Outcome(jobs, world.profit, world.cheated, world.convictions, world.identities)


def gain(market: Market, agent: Strategy, jobs: int, providers: int, seed: int, rules: Rules | None = None
         ) -> tuple[Outcome, NDArray[np.float64]]:
    """The agent's outcome, and how much more than the same providers' honest work it earned per job: one figure a
    provider, in parts of the price. Honest work meets the same draws, and has the age that is best for it."""
    played = play(market, agent, jobs, providers, seed, rules)
    base = replace(HONEST, batch=agent.batch, lag=agent.lag)
    honest = play(market, base, jobs, providers, seed, rules)
    return played, (played.profit - honest.profit) / (jobs * PRICE)


def split_fees(kept: Ints, auditors: Ints, audit_fee: int, submit_fee: int) -> Ints:
    """What of each batch's fee is burned: `protocol.economics.split_fee` for arrays, with a submitter whose turn it
    is."""
    paid = np.minimum(auditors, kept // audit_fee) * audit_fee if audit_fee else np.zeros_like(kept)
    left = kept - paid
    return np.asarray(np.where(left >= submit_fee, left - submit_fee, left))


class _World:
    def __init__(self, market: Market, agent: Strategy, providers: int, seed: int, rules: Rules) -> None:
        self._market, self._agent, self._rules = market, agent, rules
        self._random = np.random.default_rng(seed)
        self._audit_fee, self._submit_fee = market.terms.audit_fee // GWEI, market.terms.submit_fee // GWEI
        self._shape = (providers, agent.batch)
        self.profit, self.cheated, self.convictions = (np.zeros(providers, np.int64) for _ in range(3))
        self.identities = np.ones(providers, np.int64)
        self._age, self._findings = np.zeros(providers, np.int64), np.zeros(providers, np.int64)
        self._burned = np.full(providers, 0 if agent.starts_new else 50 * market.scale, np.int64)
        bets = len(rules.score.bets) if rules.score else 1
        self._score = np.zeros((bets, providers))
        self._pending: list[_Pending] = []

    def step(self) -> None:
        if len(self._pending) == self._agent.lag:
            self._decide(self._pending.pop(0), np.ones(self._shape[0], bool))
        cheats = self._choose()
        guilty, auditors = self._audit(cheats)
        agent = self._agent
        work = COST_BPS * PRICE // BPS_ONE
        saved = agent.cheat.saved_bps * PRICE // BPS_ONE
        count = cheats.sum(axis=1)
        self.profit -= agent.batch * work - saved * count
        self.cheated += count
        pay = np.full(self._shape[0], agent.batch * PRICE, np.int64)
        self._pending.append(_Pending(pay, auditors, guilty, np.ones(self._shape[0], bool)))
        self._age += agent.batch
        if agent.lives_for:
            over = self._age >= agent.lives_for
            if over.any():
                self.drain(over)
                self._begin(over)

    def drain(self, who: Bools) -> None:
        """Decide everything that these providers have pending."""
        for batch in self._pending:
            self._decide(batch, who)

    def _choose(self) -> Bools:
        agent = self._agent
        cheats = self._random.random(self._shape) < agent.rate
        if agent.clean_for:
            cheats &= (self._age[:, None] + np.arange(agent.batch)) >= agent.clean_for
        if agent.surfs is not None and self._rules.score:
            cheats &= self._rules.score.is_safe(self._score, agent.surfs)[:, None]
        return np.asarray(cheats)

    def _audit(self, cheats: Bools) -> tuple[Bools, Ints]:
        """Which batches convict, and how many seats the draw named for each."""
        market, agent, random = self._market, self._agent, self._random
        rate = audit_rates(self._burned, market.floor_bps, market.scale)
        drawn = random.random(self._shape) < rate[:, None]
        seats = random.integers(0, SEATS, self._shape)
        named = np.bitwise_or.reduce(np.where(drawn, 1 << seats, 0), axis=1)
        auditors = np.asarray(np.bitwise_count(named), np.int64)
        seen = drawn & (random.random(self._shape) >= agent.blind**market.auditors)
        if self._rules.score is None:
            return np.asarray((seen & cheats & (random.random(self._shape) < agent.cheat.power)).any(axis=1)), auditors
        return self._add_evidence(self._rules.score, seen, cheats), auditors

    def _add_evidence(self, score: Score, seen: Bools, cheats: Bools) -> Bools:
        guilty = np.zeros(self._shape[0], bool)
        for leaf in range(self._agent.batch):
            chance = self._random.random(self._shape[0])
            beyond = np.where(cheats[:, leaf], chance < self._agent.cheat.beyond, chance < score.alpha)
            added = np.where(seen[:, leaf], score.added(beyond, self._random), 0.0)
            self._score = np.maximum(self._score + added, 0.0)
            if self._rules.finding_costs:
                self._findings += seen[:, leaf] & beyond
            guilty |= score.convicts(self._score)
        if self._agent.victims < PAYERS:
            return np.zeros_like(guilty)  # too few payers have evidence
        self._score[:, guilty] = 0.0
        return guilty

    def _decide(self, batch: _Pending, who: Bools) -> None:
        """Mature or convict. A conviction reaches whatever is pending then, and slashes once."""
        market, agent, terms = self._market, self._agent, self._market.terms
        convicted = batch.live & batch.guilty & who
        matured = batch.live & ~batch.guilty & who
        batch.live &= ~who
        if convicted.any():
            slashed = bps_up(market.stake, terms.slash_bps)
            award = slashed * terms.challenger_bps // BPS_ONE if agent.has_challenger else 0
            self.profit[convicted] -= slashed - award
            self.convictions += convicted
            for other in self._pending:  # one conviction is about everything that was committed until then
                if market.forfeits_all:
                    other.live &= ~convicted
                other.guilty &= ~convicted
            if agent.renews_when_convicted:
                self._begin(convicted)
        kept = np.where(matured, batch.pay * terms.fee_bps // BPS_ONE, 0)
        burned = split_fees(kept, batch.auditors, self._audit_fee, self._submit_fee)
        self._burned += burned
        self.profit += np.where(matured, batch.pay - kept, 0) + burned * market.beta_bps // BPS_ONE
        if self._rules.finding_costs:
            self._findings[convicted] = 0  # what is forfeited is not disputed as well
            self.profit -= (self._findings * PRICE * self._rules.finding_costs).astype(np.int64)
            self._findings[:] = 0

    def _begin(self, who: Bools) -> None:
        """The next identity. Without history everything is audited, unless it hired itself first."""
        market = self._market
        self._age[who], self._score[:, who] = 0, 0.0
        self.identities += who
        if not self._agent.starts_new:
            return
        burned = int(self._agent.ages_by * market.scale)
        self._burned[who] = burned
        self.profit[who] -= burned - burned * market.beta_bps // BPS_ONE
