"""From what an audit measured to a verdict, and from verdicts to what an oracle may sign. Pure and complete: whoever
has the same evidence comes to the same result.

Evidence is exact or it is statistical. Exact is what no rounding explains: a digest that does not match, a proof that
is missing, a token that the model would not have chosen by a margin beyond all noise; one such leaf convicts. A leaf
that merely leaves its profile is UNKNOWN with the check `beyond_profile`: it goes to all oracles, and only the score of
many such leaves convicts (`protocol.score`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from protocol.errors import ProviderFault
from protocol.profile import CalibrationProfile
from protocol.score import log_e_value
from protocol.suspicion import confirmed, p_value_of, suspects
from protocol.thresholds import alpha, beyond, exceeds, missing
from protocol.types import AuditStatistics, Outcome, Sampler, Verdict, VerdictKind

NOT_OPENED = "not_opened"
"""Name of the check that speaks against an opening that is missing, or cannot be read, after the last chance."""
BEYOND_PROFILE = "beyond_profile"
"""Check of a leaf that leaves its profile and is not exact: it escalates, and waits for the score."""
SELF_NOISE = "self_noise"
"""Check of a leaf on which the reference model itself leaves the profile: it counts for nothing."""
OUTSIDE_PROFILE = "outside_profile"
"""Check of a leaf that its profile was not calibrated for."""
EDITED_TOKEN = "edited_token"
MISSING_PROOF = "missing_proof"

SELF_NOISE_FACTOR = 8
"""By how much the margin of an edited token is larger than the reference model's own spread on the same tokens."""
VARIATIONS = 2
"""Benign ways in which a leaf is replayed again before anything in it counts."""


@dataclass(frozen=True)
class Judgement:
    """A verdict, and what the leaf adds to its provider's score: `log_e` is the natural logarithm of its e-value, None
    for a leaf that does not enter the score (exact or not judged at all). `p_value` is 1 where there is none."""

    verdict: Verdict
    p_value: float = 1.0
    log_e: float | None = None


def needs_self_noise(profile: CalibrationProfile, sampler: Sampler, statistics: AuditStatistics) -> bool:
    """Whether `judge` has to know how far the reference model's own numbers lie apart on this transcript."""
    return sampler.kind in profile.samplers and not missing(profile, statistics) and bool(suspects(profile, statistics))


def judge(profile: CalibrationProfile, sampler: Sampler, statistics: AuditStatistics,
          self_noise: Sequence[AuditStatistics] = ()) -> Judgement:
    """One audited leaf by itself. `self_noise` are the spreads under two benign variations, measured where
    `needs_self_noise` says so.

    Errors: `StatisticsUnusable` for numbers that are none; `ValueError` when self-noise is needed and not given.
    """
    gone = missing(profile, statistics)
    if gone:
        return _exact(f"The claim lacks {', '.join(gone)}, which its class always brings.", MISSING_PROOF, gone,
                      statistics)
    if sampler.kind not in profile.samplers:
        reason = f"The profile was calibrated for {' and '.join(profile.samplers)}, not for {sampler.kind}."
        return Judgement(Verdict(VerdictKind.UNKNOWN, reason, (OUTSIDE_PROFILE,), statistics))
    if suspects(profile, statistics) and len(self_noise) < VARIATIONS:
        raise ValueError(f"A suspicious leaf needs {VARIATIONS} self-noise replays, not {len(self_noise)}.")
    outside, names = beyond(profile, statistics), confirmed(profile, statistics, self_noise)
    margin, limit = largest_margin(statistics), edit_limit(profile, self_noise)
    if outside and Decimal(margin) > limit:
        return _exact(f"A token's margin is {margin:.6g} nats, above {float(limit):.6g}: the model did not choose it. "
                      + _sentence(profile, statistics), EDITED_TOKEN, outside, statistics)
    p = p_value_of(profile, statistics, self_noise)
    if not names and not outside:
        passed = Verdict(VerdictKind.PASS, "The tokens and logprobs are those of the model.", (), statistics)
        return Judgement(passed, p, log_e_value(p, False, alpha(profile)))
    noisy = [sentence for spread in self_noise for sentence in exceeds(profile, spread)]
    if noisy or not names:
        reason = ("On these tokens the reference model itself leaves the profile: " + "; ".join(noisy) if noisy
                  else "What leaves the profile is within twice the reference model's own noise on these tokens") + "."
        return Judgement(Verdict(VerdictKind.UNKNOWN, reason, (SELF_NOISE, *outside), statistics))
    waiting = Verdict(VerdictKind.UNKNOWN, _sentence(profile, statistics, names), (BEYOND_PROFILE, *names), statistics)
    return Judgement(waiting, p, log_e_value(p, True, alpha(profile)))


def largest_margin(statistics: AuditStatistics) -> float:
    """Of any token, the end token included, in nats."""
    return max(statistics.max_margin, statistics.end_margin)


def edit_limit(profile: CalibrationProfile, self_noise: Sequence[AuditStatistics]) -> Decimal:
    """The margin from where on a token is no rounding: the profile's, or eight times what the reference model's own
    margins were found to differ by on this very transcript. A transcript that makes the model noisy frames nobody by
    it, and shields nobody either."""
    return max(Decimal(profile.edit_margin),
               SELF_NOISE_FACTOR * max((Decimal(largest_margin(one)) for one in self_noise), default=Decimal(0)))


def judge_fault(fault: ProviderFault) -> Verdict:
    """A transcript that contradicts what was committed is exact evidence."""
    return Verdict(VerdictKind.FRAUD, fault.message, (fault.check,))


def is_beyond(verdict: VerdictKind, checks: Sequence[object]) -> bool:
    """Whether a finding is one that every oracle has to recompute although nobody is convicted by it alone."""
    return verdict is VerdictKind.UNKNOWN and BEYOND_PROFILE in checks


def escalates(verdict: VerdictKind, checks: Sequence[object]) -> bool:
    """Whether a finding speaks against the provider, so that it goes to every oracle."""
    return verdict in (VerdictKind.FRAUD, VerdictKind.MALFORMED) or is_beyond(verdict, checks)


def _exact(reason: str, check: str, names: Sequence[str], statistics: AuditStatistics) -> Judgement:
    return Judgement(Verdict(VerdictKind.FRAUD, reason, (check, *names), statistics))


def _sentence(profile: CalibrationProfile, statistics: AuditStatistics, names: Sequence[str] = ()) -> str:
    said = list(exceeds(profile, statistics))
    told = {sentence.split()[0] for sentence in said}
    said += [f"{name} is {getattr(statistics, name):.6g}, too far above the model's own noise" for name in names
             if name not in told]
    return "; ".join(said) + "."


@dataclass(frozen=True)
class EntryEvidence:
    """What one oracle knows of one entry.

    `records` are the findings of oracles whose turn it was (itself included); `own` its own finding; `opened` whether
    it holds an opening: of any auditor whose turn it was, or, once escalated, a readable one sealed to itself.
    `open_deadline` is the second from which a missing opening counts (R22). An `escalated` entry passes by an own PASS
    alone; `convicted` says that its own finding is beyond the profile and that its provider's score convicts. `name` is
    what people call it, where it is no entry by itself.
    """

    report_valid: bool
    drawn: bool
    records: Mapping[str, VerdictKind] = field(default_factory=dict)
    own: VerdictKind | None = None
    opened: bool = False
    open_deadline: int = 0
    escalated: bool = False
    convicted: bool = False
    name: str = ""


def is_escalated(records: Mapping[str, VerdictKind]) -> bool:
    """One finding against the provider sends the leaf to every oracle."""
    return any(kind in (VerdictKind.FRAUD, VerdictKind.MALFORMED) for kind in records.values())


def decide(entries: Sequence[EntryEvidence], now: int, opened_on_chain: bool = False) -> tuple[Outcome | None, str]:
    """What this oracle may sign about a pending batch, and why; None when nothing yet.

    FRAUD only by its own recomputation: by exact evidence, or by a leaf beyond its profile of a provider whose score
    convicts. PASS when every report is valid and every drawn entry has the finding of an auditor whose turn it was,
    with nothing known against it, or its own. NOT_OPENED when an opening is overdue; once openings were posted
    on-chain, which is a provider's last chance, an overdue opening is FRAUD (check `not_opened`).
    """
    if any(entry.own is VerdictKind.FRAUD for entry in entries):
        return Outcome.FRAUD, "An audit of our own found fraud."
    if any(entry.convicted for entry in entries):
        return Outcome.FRAUD, "An audit of our own left the profile, and the score of its provider convicts."
    overdue = [_name(entry, i) for i, entry in enumerate(entries)
               if entry.drawn and not entry.opened and now >= entry.open_deadline]
    if overdue:
        if opened_on_chain:
            return Outcome.FRAUD, f"{_begin(overdue[0])} is still not opened after openings were posted ({NOT_OPENED})."
        return Outcome.NOT_OPENED, f"The opening of {overdue[0]} is overdue."
    for i, entry in enumerate(entries):
        if not entry.report_valid:
            return None, f"{_begin(_name(entry, i))} lacks a valid report or its answer."
        if entry.drawn and not _passes(entry):
            return None, f"{_begin(_name(entry, i))} is drawn and not passed yet."
    return Outcome.PASS, "Every report is valid and every drawn entry passed."


def _name(entry: EntryEvidence, index: int) -> str:
    return entry.name or f"entry {index}"


def _begin(name: str) -> str:
    return name[:1].upper() + name[1:]


def _passes(entry: EntryEvidence) -> bool:
    if entry.own is VerdictKind.PASS:
        return True
    if entry.escalated:
        return False
    return not is_escalated(entry.records) and VerdictKind.PASS in entry.records.values()
