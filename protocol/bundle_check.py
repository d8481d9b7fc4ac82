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
    MAX_TOKENS,
    Numbers,
    numbers_digest,
    numbers_from_json,
    read_float,
    statistics_of,
)
from protocol.calls import split_unit
from protocol.documents import DocumentInvalid, document_digest, document_from_json
from protocol.draw import draw, is_drawn
from protocol.encoding import (
    abi_encode,
    digest_from,
    from_hex,
    json_digest,
    keccak,
    pack_float32,
    pack_token_ids,
)
from protocol.errors import Malformed, MallaError
from protocol.messages import Domain, audit_record_digest
from protocol.profile import CalibrationProfile
from protocol.score import Leaf, is_suspended, score_of
from protocol.session_reports import SessionReport, reported_head, session_report_digest
from protocol.signing import recover
from protocol.thresholds import StatisticsUnusable
from protocol.types import AuditRecord, AuditStatistics, Sampler, Verdict, VerdictKind
from protocol.units import Address
from protocol.vector_bundle import check_vector, is_of_vector
from protocol.verdict import Judgement, is_beyond, judge
from protocol.wire import from_json

TOLERANCE = 1e-6
SESSION = "session"
FIELDS = ("format", "chain_id", "escrow", "entry", "records", "numbers", "profile", "draw", "score", "ids")


class BundleInvalid(Malformed):
    """The bundle contradicts itself or cannot be read: it proves nothing."""

    code = "bundle_invalid"


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
    evidence, record = _check_records(bundle)
    told.append(f"{len(bundle['records'])} signed records")
    if bundle["draw"] is not None:
        told.append(_check_draw(bundle))
    if (split_unit(bundle["entry"]["index"])[1] is None) == (SESSION in bundle):
        raise BundleInvalid("Of a call, and of nothing else, a bundle shows the session's report.")
    if SESSION in bundle:
        told.append(_check_session(bundle))
    if bundle["numbers"] is None:
        said = Verdict(record.verdict, str(evidence["reason"]), tuple(evidence["checks"]))
        return Checked(said, 1.0, None, None, (), False, (*told, "the finding rests on the opening alone"))
    if is_of_vector(bundle["numbers"]):
        verdict = check_vector(bundle, require)
        require(verdict.kind is record.verdict, f"The record says {record.verdict.name}, its numbers are "
                 f"{verdict.kind.name}.")
        shown = [] if bundle["ids"] is None else ["inputs and vectors of the committed leaf"]
        return Checked(verdict, 1.0, None, None, (), True, (*told, *shown, "distances and profile"))
    numbers, profile, sampler = read_parts(bundle)
    if bundle["ids"] is not None:
        _check_ids(bundle, numbers, sampler)
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


def _check_records(bundle: Any) -> tuple[dict[str, Any], AuditRecord]:
    """The signer's own evidence comes first; what other oracles found of the same leaf follows."""
    records, entry = bundle["records"], bundle["entry"]
    require(isinstance(records, list) and 1 <= len(records) <= 256, "A bundle has 1 to 256 records.")
    domain, signers, found = Domain(bundle["chain_id"], from_json(Address, bundle["escrow"])), [], []
    for row in records:
        record = from_json(AuditRecord, row["record"])
        signer = recover(audit_record_digest(domain, record), from_hex(row["signature"], 65))
        require(signer == row["oracle"] and signer not in signers, f"A record is not signed by {row['oracle']}.")
        require(json_digest(row["evidence"]) == record.evidence, "An evidence is not the one that was signed.")
        same = (record.batch_id, record.index, record.leaf) == (
            entry["batch_id"], entry["index"], digest_from(entry["leaf"], "entry.leaf"))
        require(same, "A record is of another leaf.")
        signers.append(signer)
        found.append(record)
    evidence = records[0]["evidence"]
    require(evidence["verdict"] == found[0].verdict.name and evidence["job_id"] == entry["job_id"],
             "The evidence and its record are of different findings.")
    return evidence, found[0]


def _check_draw(bundle: Any) -> str:
    facts, entry = bundle["draw"], bundle["entry"]
    place, batch = entry["index"], entry["batch_id"]
    block = None if facts["block_hash"] is None else digest_from(facts["block_hash"], "draw.block_hash")
    reveals = [None if one is None else digest_from(one, "draw.reveals") for one in facts["reveals"]]
    made = draw(batch, (), block, reveals, facts["audit_bps"])
    require(made.group_seed == digest_from(facts["group_seed"], "draw.group_seed"),
             "Block hash and reveals do not give the draw's seed.")
    require(made.seed is None or is_drawn(made.seed, place, facts["audit_bps"]), "The draw does not name this leaf.")
    return "the draw"


def _check_session(bundle: Any) -> str:
    """The report's calls lead from the head committed before to the committed one; the audited leaf is one of them."""
    shown, entry = bundle[SESSION], bundle["entry"]
    report, (index, call) = from_json(SessionReport, shown["report"]), split_unit(entry["index"])
    same = (report.batch_id, report.index, report.session_id) == (
        entry["batch_id"], index, digest_from(entry["job_id"], "entry.job_id"))
    require(same and call is not None and call < len(report.calls), "The session's report is of another voucher.")
    require(report.calls[call or 0].leaf == digest_from(entry["leaf"], "entry.leaf"),
             "The session's report has another leaf for this call.")
    head = reported_head(digest_from(shown["before"], "session.before"), report)
    require(head == digest_from(shown["head"], "session.head"), "The report's calls do not lead to the head.")
    if not shown["signature"]:
        return "the session's report, posted on-chain"
    domain = Domain(bundle["chain_id"], from_json(Address, bundle["escrow"]))
    signer = recover(session_report_digest(domain, report), from_hex(shown["signature"], 65))
    return f"the session's report, signed by {signer}"


def _check_ids(bundle: Any, numbers: Numbers, sampler: Sampler) -> None:
    """The ids, with the claimed logprobs, have to give the leaf that was committed."""
    ids, count = bundle["ids"], len(numbers.replay.margins)
    require(len(ids["output"]) == count <= MAX_TOKENS and len(ids["top"]) == len(numbers.claimed_top),
             "The token ids are not those of the numbers.")
    top = b"".join(token.to_bytes(4, "little") + pack_float32([value])
                   for row, values in zip(ids["top"], numbers.claimed_top, strict=True)
                   for token, value in zip(row, values, strict=True))
    logprobs = pack_float32(list(numbers.claimed_logprobs or ()))
    found = keccak(abi_encode(["bytes32"] * 3 + ["uint32"] * 2 + ["uint64"] + ["bytes32"] * 2, [
        from_hex(ids["salt"], 32), from_hex(ids["spec_digest"], 32), keccak(pack_token_ids(ids["output"])),
        len(ids["prompt"]), count, sampler.seed, keccak(logprobs + top), from_hex(ids["fingerprint_root"], 32),
    ]))
    require(found == digest_from(bundle["entry"]["leaf"], "entry.leaf"),
             "The token ids are not the ones that were committed.")


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


def require(holds: bool, message: str) -> None:
    """Raises BundleInvalid with the message unless it holds."""
    if not holds:
        raise BundleInvalid(message)

