"""Every parameter that a deployment decides, as two profiles: `testnet` for a local network, `test` for contract tests.

Amounts are wei, times seconds, shares basis points (bps) unless the name says otherwise. Each dataclass has the fields
of a Solidity struct in its order, so that `dataclasses.astuple` is what a constructor takes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from protocol.units import TOKEN

ProfileName = Literal["testnet", "test"]


@dataclass(frozen=True)
class Terms:
    """`IEscrowTerms.Parameters`."""

    open_fee: int
    fee_bps: int
    slash_bps: int
    challenger_bps: int
    detection_bps: int
    audit_bps: int
    draw_delay: int
    """Blocks, not seconds."""
    start_window: int
    cancel_delay: int
    max_duration: int
    open_window: int
    last_chance: int
    maturity_window: int
    evidence_window: int
    appeal_window: int
    claim_delay: int
    max_session: int
    slash_epoch: int
    audit_fee: int
    submit_fee: int
    slash_ceiling: int

    @property
    def longest_way(self) -> int:
        """Seconds from the opening of a job to the last moment at which its provider can be slashed for it, without
        the court: openings posted on-chain begin the wait for a default anew, and a freeze over the ceiling waits for
        an epoch. `TermsBook.longestOf`."""
        undecided = self.maturity_window + self.evidence_window
        return self.max_duration + 2 * undecided + self.last_chance + self.appeal_window + self.slash_epoch


@dataclass(frozen=True)
class CourtTerms:
    """`IDisputeCourt.Terms`."""

    appeal_bond: int
    dispute_bond: int
    ruling_window: int
    dispute_window: int
    share_multiple: int


@dataclass(frozen=True)
class Schedule:
    """`Rewards.Schedule`: budgets of `first_budget`, halved every `halving_epochs` epochs of `epoch_length` seconds."""

    epoch_length: int
    first_budget: int
    halving_epochs: int
    hard_cap: int


@dataclass(frozen=True)
class GovernorSettings:
    """`MallaGovernor.Settings`."""

    voting_delay: int
    voting_period: int
    proposal_threshold: int
    quorum_percent: int
    vote_extension: int


@dataclass(frozen=True)
class Profile:
    """The parameters of one kind of network; seats and accounts are the plan's."""

    terms: Terms
    court: CourtTerms
    schedule: Schedule
    beta_bps: int
    delegation_multiple: int
    governor: GovernorSettings
    seat_stake: int
    epoch_blocks: int

    @property
    def delay(self) -> int:
        """Seconds of every unstaking and of the timelock: a minute more than the escrow and the court ask for, the
        least delay under which no stake leaves before its last job is over."""
        return self.terms.longest_way + self.court.ruling_window + 60


PROFILES: Mapping[ProfileName, Profile] = {
    # A new network audits everything. The deterrence bound still reckons with one conviction in twenty cheats, so a
    # provider stakes 43 times its dearest call. Windows are minutes: a demo waits for them. Four seats cover
    # 3 * 5,000 / 2 = 7,500 tokens of open work, less what a captured quorum would get of the slashes of an epoch: 500.
    # Two convictions of the demo's stakes of 5,000 fit into an epoch.
    "testnet": Profile(
        terms=Terms(
            open_fee=TOKEN // 1000,
            fee_bps=500,
            slash_bps=5_000,
            challenger_bps=1_000,
            detection_bps=500,
            audit_bps=10_000,
            draw_delay=2,
            start_window=30,
            cancel_delay=60,
            max_duration=900,
            open_window=180,
            last_chance=60,
            maturity_window=600,
            evidence_window=60,
            appeal_window=15,
            claim_delay=1_600,
            max_session=3_600,
            slash_epoch=300,
            audit_fee=TOKEN // 2000,
            submit_fee=TOKEN // 1000,
            slash_ceiling=5_000 * TOKEN,
        ),
        court=CourtTerms(
            appeal_bond=50 * TOKEN,
            dispute_bond=10 * TOKEN,
            ruling_window=300,
            dispute_window=600,
            share_multiple=10,
        ),
        schedule=Schedule(
            epoch_length=300,
            first_budget=1_000 * TOKEN,
            halving_epochs=105_120,
            hard_cap=200_000_000 * TOKEN,
        ),
        beta_bps=5_000,
        delegation_multiple=4,
        governor=GovernorSettings(
            voting_delay=15,
            voting_period=90,
            proposal_threshold=1_000 * TOKEN,
            quorum_percent=4,
            vote_extension=30,
        ),
        seat_stake=5_000 * TOKEN,
        epoch_blocks=8,
    ),
    # Every number differs from every other, so that a test sees when one is taken for another.
    "test": Profile(
        terms=Terms(
            open_fee=TOKEN // 100,
            fee_bps=300,
            slash_bps=4_000,
            challenger_bps=1_100,
            detection_bps=500,
            audit_bps=2_000,
            draw_delay=3,
            start_window=40,
            cancel_delay=70,
            max_duration=3_600,
            open_window=200,
            last_chance=310,
            maturity_window=1_800,
            evidence_window=500,
            appeal_window=900,
            claim_delay=5_950,
            max_session=7_200,
            slash_epoch=2_400,
            audit_fee=TOKEN // 500,
            submit_fee=TOKEN // 400,
            slash_ceiling=3_000 * TOKEN,
        ),
        court=CourtTerms(
            appeal_bond=60 * TOKEN,
            dispute_bond=25 * TOKEN,
            ruling_window=1_000,
            dispute_window=1_500,
            share_multiple=8,
        ),
        schedule=Schedule(
            epoch_length=1_300,
            first_budget=100 * TOKEN,
            halving_epochs=10,
            hard_cap=1_700 * TOKEN,
        ),
        beta_bps=8_000,
        delegation_multiple=6,
        governor=GovernorSettings(
            voting_delay=80,
            voting_period=1_100,
            proposal_threshold=2_000 * TOKEN,
            quorum_percent=5,
            vote_extension=240,
        ),
        seat_stake=5_000 * TOKEN,
        epoch_blocks=8,
    ),
}
TERMS: Mapping[ProfileName, Terms] = {name: profile.terms for name, profile in PROFILES.items()}
