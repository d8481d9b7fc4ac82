"""A verdict recomputed from an evidence bundle: no chain, no model, no oracle is asked.

What a bundle shows: the oracle's signed finding, the numbers behind it, the profile, the draw's public facts, the other
leaves of the score, and with the requester's consent the token ids of the committed leaf. What it cannot show: that the
reference model gives these numbers (`malla verify --replay` asks it), that the block hash is the chain's, and that the
other leaves of the score have the evidence that they are said to have (each has a bundle of its own).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from protocol.bundle import (
    BUNDLE,
    TOLERANCE,
    Numbers,
    numbers_digest,
    numbers_from_json,
    read_float,
    statistics_of,
)
from protocol.bundle_leaf import (
    SESSION,
    BundleInvalid,
    check_draw,
    check_ids,
    check_records,
    check_session,
    require,
)
from protocol.calls import split_unit
from protocol.documents import DocumentInvalid, document_digest, document_from_json
from protocol.encoding import digest_from
from protocol.errors import MallaError
from protocol.profile import CalibrationProfile
from protocol.score import Leaf, is_suspended, score_of
from protocol.thresholds import StatisticsUnusable
from protocol.types import AuditStatistics, Sampler, Verdict, VerdictKind
from protocol.vector_bundle import check_vector, is_of_vector
from protocol.verdict import Judgement, is_beyond, judge
from protocol.wire import from_json

FIELDS = ("format", "chain_id", "escrow", "entry", "records", "numbers", "profile", "draw", "score", "ids")


@dataclass(frozen=True)
class Checked:
    """What a bundle comes to. `recomputed` is False where the finding rests on digests of an opening that the bundle
    does not hold; `checks` says in order what was looked at."""

    verdict: Verdict
    p_value: float
    log_e: float | None
    score: float | None
    payers: tuple[str, ...]
    recomputed: bool
    checks: tuple[str, ...]


def check_bundle(bundle: Any) -> Checked:
    """Everything that the files alone decide. Errors: `BundleInvalid` naming the first contradiction."""
    try:
        return _check(bundle)
    except BundleInvalid:
        raise
    except (MallaError, DocumentInvalid, StatisticsUnusable) as error:
        raise BundleInvalid(str(error)) from error
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise BundleInvalid(f"A field of the bundle is missing or of a wrong kind: {error}.") from error


def _check(bundle: Any) -> Checked:
    require(isinstance(bundle, dict) and set(bundle) - {SESSION} == set(FIELDS),
            f"A bundle has the fields {', '.join(FIELDS)}; one of a call has {SESSION} as well.")
    require(bundle["format"] == BUNDLE, f"The format is {bundle['format']!r}; this version reads {BUNDLE!r}.")
    told = ["format"]
    evidence, record = check_records(bundle)
    told.append(f"{len(bundle['records'])} signed records")
    if bundle["draw"] is not None:
        told.append(check_draw(bundle))
    if (split_unit(bundle["entry"]["index"])[1] is None) == (SESSION in bundle):
        raise BundleInvalid("Of a call, and of nothing else, a bundle shows the session's report.")
    if SESSION in bundle:
        told.append(check_session(bundle))
    if bundle["numbers"] is None:
        said = Verdict(record.verdict, str(evidence["reason"]), tuple(evidence["checks"]))
        return Checked(said, 1.0, None, None, (), False, (*told, "the finding rests on the opening alone"))
    if is_of_vector(bundle["numbers"]):
        verdict = check_vector(bundle)
        require(verdict.kind is record.verdict,
                f"The record says {record.verdict.name}, its numbers are {verdict.kind.name}.")
        shown = [] if bundle["ids"] is None else ["inputs and vectors of the committed leaf"]
        return Checked(verdict, 1.0, None, None, (), True, (*told, *shown, "distances and profile"))
    numbers, profile, sampler = read_parts(bundle)
    if bundle["ids"] is not None:
        check_ids(bundle, numbers, sampler)
        told.append("token ids of the committed leaf")
    statistics = statistics_of(numbers)
    _same(statistics, evidence["statistics"])
    judgement = judge(profile, sampler, statistics, numbers.self_noise)
    require(judgement.verdict.kind is record.verdict,
            f"The record says {record.verdict.name}, its numbers are {judgement.verdict.kind.name}.")
    told.append("numbers, profile and self-noise")
    return _with_score(bundle, judgement, told)


def read_parts(bundle: Any) -> tuple[Numbers, CalibrationProfile, Sampler]:
    """Numbers, profile and sampler, each the one that the signed evidence names. Errors: as `check_bundle`."""
    evidence = bundle["records"][0]["evidence"]
    require(numbers_digest(bundle["numbers"]) == digest_from(evidence["numbers"], "evidence.numbers"),
            "The numbers are not the ones whose digest was signed.")
    profile = document_from_json(CalibrationProfile, bundle["profile"])
    require(document_digest(profile) == digest_from(evidence["profile"], "evidence.profile"),
            "The profile is not the one that the evidence names.")
    return numbers_from_json(bundle["numbers"]), profile, from_json(Sampler, evidence["sampler"])


def _same(found: AuditStatistics, said: Any) -> None:
    for name, value in vars(found).items():
        other = said[name] if name == "tokens" or said[name] is None else read_float(said[name], f"statistics.{name}")
        near = other == value or (None not in (other, value) and abs(other - value) <= TOLERANCE)
        require(near, f"The numbers have a {name} of {value}, the evidence says {other}.")


def _with_score(bundle: Any, judgement: Judgement, told: Sequence[str]) -> Checked:
    verdict, p, log_e = judgement.verdict, judgement.p_value, judgement.log_e
    window, entry = bundle["score"], bundle["entry"]
    if window is None:
        require(log_e is None, "A leaf that enters a score has no window.")
        return Checked(verdict, p, log_e, None, (), True, tuple(told))
    rows = [(row["batch_id"], row["index"], Leaf(row["payer"], read_float(row["log_e"], "score.log_e")))
            for row in window["leaves"]]
    places = [(batch, index) for batch, index, _ in rows]
    require(places == sorted(set(places)), "The leaves of the score are not in chain order, or one counts twice.")
    own = [leaf for batch, index, leaf in rows if (batch, index) == (entry["batch_id"], entry["index"])]
    if log_e is not None:
        held = len(own) == 1 and own[0].payer == entry["requester"] and abs(own[0].log_e - log_e) <= TOLERANCE
        require(held, "The score does not hold this leaf as its numbers are.")
    score = score_of([leaf for _, _, leaf in rows], [*window["related"], entry["provider"]])
    others = [read_float(value, "score.others") for value in window["others"]]
    if is_beyond(verdict.kind, verdict.checks) and score.convicts and not is_suspended([score.value, *others]):
        reason = f"{verdict.reason} The score is {score.value:.6g} nats of {len(score.payers)} payers: it convicts."
        verdict = Verdict(VerdictKind.FRAUD, reason, verdict.checks, verdict.statistics)
    return Checked(verdict, p, log_e, score.value, tuple(sorted(score.payers)), True, (*told, "the score"))
