"""The contracts' books in Python, to the wei: what the run on a real chain is compared with.

Only what the simulation does is here: deposits, stakes, jobs opened, refunded, paid, forfeited, rewards claimed. Each
sum comes from `protocol.economics` and `protocol.rewards`, whose functions the model of a million jobs uses as well.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from protocol import economics, rewards
from protocol.economics import slashed
from scripts.plan import Plan


@dataclass(frozen=True)
class Line:
    """One committed job; amounts are wei."""

    requester: str
    price: int
    amount: int


@dataclass
class Epoch:
    """`budget` and `beta_bps` are fixed by the epoch's first burn."""

    budget: int
    beta_bps: int
    burned: Counter[str] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        return self.burned.total()


class Ledger:
    """Wallets, free balances, stakes and what is on its way to be burned, by account, wei."""

    def __init__(self, plan: Plan, deployed_at: int) -> None:
        self._plan, self._terms, self._deployed_at = plan, plan.terms, deployed_at
        self.wallets: Counter[str] = Counter()
        self.free: Counter[str] = Counter()
        self.stakes: Counter[str] = Counter()
        self.matured_burn: Counter[str] = Counter()
        """Fees that each provider's matured work burned: what its audit rate follows from."""
        self.fees = self.exposure = self.condemned = 0
        self._epochs: dict[int, Epoch] = {}
        self._claimed: defaultdict[str, set[int]] = defaultdict(set)

    def deposit(self, account: str, amount: int) -> None:
        self.wallets[account] -= amount
        self.free[account] += amount

    def stake(self, provider: str, amount: int) -> None:
        self.wallets[provider] -= amount
        self.stakes[provider] += amount

    def open(self, requester: str, price: int) -> None:
        self.free[requester] -= price + self._terms.open_fee
        self.fees += self._terms.open_fee
        self.exposure += price

    def refund(self, requester: str, price: int) -> None:
        self.exposure -= price
        self.free[requester] += price

    def mature(self, provider: str, lines: Sequence[Line], auditors: Sequence[str], submitter: str | None, now: int
               ) -> None:
        """`auditors` in the order of their seats; `submitter` None when it was nobody's turn; `now` in unix seconds."""
        paid = sum(line.amount for line in lines)
        kept = economics.fee(paid, self._terms.fee_bps)
        submit_fee = self._terms.submit_fee if submitter else 0
        split = economics.split_fee(kept, self._terms.audit_fee, len(auditors), submit_fee)
        for line in lines:
            self.refund(line.requester, line.price)
            self.free[line.requester] -= line.amount
        self._pay_auditors(auditors, split.audits)
        if submitter and split.submission:
            self.free[submitter] += split.submission
        self.free[provider] += paid - kept
        self.fees += split.burned
        self.matured_burn[provider] += split.burned
        if split.burned:
            self._epoch(now).burned[provider] += split.burned

    def forfeit(self, provider: str, lines: Sequence[Line], auditors: Sequence[str], convicts: bool) -> None:
        """The entries return; whoever audited is paid out of the fees at hand; a conviction slashes once."""
        for line in lines:
            self.refund(line.requester, line.price)
        paid = economics.split_fee(self.fees, self._terms.audit_fee, len(auditors), 0).audits
        self._pay_auditors(auditors, paid)
        self.fees -= paid
        if convicts:
            lost = slashed([self.stakes[provider]], self._terms.slash_bps)
            self.stakes[provider] -= lost
            self.condemned += lost

    def claim(self, provider: str, now: int) -> int:
        """Pay out the provider's rewards of all epochs that are over; returns them."""
        current = self._number(now)
        due = [number for number in self._epochs if number < current and number not in self._claimed[provider]]
        self._claimed[provider].update(due)
        earned = sum(
            rewards.reward(epoch.burned[provider], epoch.total, epoch.budget, epoch.beta_bps)
            for epoch in (self._epochs[number] for number in due)
            if epoch.total
        )
        self.wallets[provider] += earned
        return earned

    def wealth(self, account: str) -> int:
        return self.wallets[account] + self.free[account] + self.stakes[account]

    def _pay_auditors(self, auditors: Sequence[str], amount: int) -> None:
        for auditor in auditors:
            part = min(amount, self._terms.audit_fee)
            self.free[auditor] += part
            amount -= part

    def _number(self, now: int) -> int:
        return (now - self._deployed_at) // self._plan.schedule.epoch_length

    def _epoch(self, now: int) -> Epoch:
        number = self._number(now)
        if number not in self._epochs:
            schedule = self._plan.schedule
            set_aside = sum(rewards.promised(e.budget, e.total, e.beta_bps) for e in self._epochs.values())
            scheduled = rewards.scheduled(schedule.first_budget, schedule.halving_epochs, number)
            budget = rewards.budget(scheduled, schedule.hard_cap, set_aside)
            self._epochs[number] = Epoch(budget, self._plan.beta_bps)
        return self._epochs[number]
