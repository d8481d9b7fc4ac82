"""`malla verify bundle.json`: the verdict of an audit recomputed from its evidence bundle, by anybody.

Exit status: 0 pass, 1 fraud, 2 unknown, 3 a bundle that proves nothing.
"""

from __future__ import annotations

import json as json_module
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from protocol.bundle import claim_from, numbers_of, statistics_of, statistics_to_json
from protocol.bundle_check import Checked, check_bundle, read_parts
from protocol.bundle_leaf import BundleInvalid
from protocol.encoding import digest_from, from_hex, parse_json
from protocol.errors import MallaError, file_error
from protocol.transcript import parse_prompt
from protocol.types import VerdictKind
from protocol.vector_bundle import check_vector, is_of_vector, read_vector_parts
from protocol.vector_verdict import compare_vectors, judge_vectors
from protocol.vectors import inputs_of_prompt
from protocol.verdict import judge

MOST_BYTES = 64 * 2**20
STATUS = {VerdictKind.PASS: 0, VerdictKind.FRAUD: 1, VerdictKind.UNKNOWN: 2, VerdictKind.MALFORMED: 2}
BAD = 3

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True)
class Again:
    """What the model says when it is asked again: the verdict of its own numbers, and how far they lie from the
    bundle's, by what is compared (margins and logprobs in nats, of a vector its relative distance)."""

    kind: VerdictKind
    largest: Mapping[str, float]


@app.command()
def verify(
    bundle: Annotated[Path, typer.Argument(help="The bundle: a file of `malla oracle bundle`.")],
    with_model: Annotated[bool, typer.Option("--replay", help="Ask the model again; needs token ids.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object instead of text.")] = False,
) -> None:
    """Recompute an audit's verdict and score from its evidence bundle alone.

    Exit status 0 pass, 1 fraud, 2 unknown, 3 a bundle that cannot be read or contradicts itself.
    """
    try:
        document = parse_json(bundle.read_bytes(), bundle.name, MOST_BYTES)
        checked = check_bundle(document)
        again = replay_bundle(document) if with_model else None
    except (MallaError, OSError) as caught:
        error = caught if isinstance(caught, MallaError) else file_error(caught)
        typer.echo(json_module.dumps(error.as_json()) if json else f"Error: {error.message}", err=not json)
        raise typer.Exit(BAD) from caught
    if again is not None and again.kind is not judged_kind(document):
        checked = replace(checked, verdict=replace(checked.verdict, kind=VerdictKind.UNKNOWN,
                                                   reason=f"The model's own numbers say {again.kind.name} here."))
    typer.echo(json_module.dumps(as_json(checked, again)) if json else "\n".join(as_lines(checked, again)))
    raise typer.Exit(STATUS[checked.verdict.kind])


def replay_bundle(document: Any) -> Again:
    """The numbers of the same claim by the model on this machine. Raises BundleInvalid without token ids, and what
    loading the model raises."""
    if document["ids"] is None or document["numbers"] is None:
        raise BundleInvalid("The bundle has no token ids: without its requester's consent only numbers are given away.")
    if is_of_vector(document["numbers"]):
        return _replay_vector(document)
    import os

    from protocol.engine.catalogue import find_model
    from protocol.engine.model import load_model, use_threads
    from protocol.engine.replay import replay
    from protocol.engine.weights import default_cache_folder

    numbers, profile, sampler = read_parts(document)
    asked, claim = claim_from(numbers, document["ids"])
    model = find_model(bytes(digest_from(document["records"][0]["evidence"]["model"], "evidence.model")))
    use_threads(1)
    found = replay(load_model(model, default_cache_folder(os.environ)), replace(asked, sampler=sampler), claim)
    own = numbers_of(claim, found, numbers.self_noise)
    kind = judge(profile, sampler, statistics_of(own), own.self_noise).verdict.kind
    return Again(kind, {"margin": _farthest(found.margins, numbers.replay.margins),
                        "logprob": _farthest(found.chosen_logprobs, numbers.replay.chosen_logprobs)})


def _replay_vector(document: Any) -> Again:
    from protocol.engine.model import use_threads
    from protocol.engine.vector_catalogue import find_vector_model
    from protocol.engine.vector_model import load_vector_model

    _, profile = read_vector_parts(document)
    ids, model_digest = document["ids"], document["records"][0]["evidence"]["model"]
    manifest = find_vector_model(bytes(digest_from(model_digest, "evidence.model")))
    use_threads(1)
    model = load_vector_model(manifest)
    inputs = inputs_of_prompt(parse_prompt(from_hex(ids["prompt"], None)), manifest)
    claim, theirs, own = from_hex(ids["vector"], None), from_hex(ids["replay"], None), model.run(inputs, batch=1).vector
    verdict = judge_vectors(profile, manifest, inputs.count, claim, own)
    if verdict.kind is VerdictKind.FRAUD:
        noise = model.perturb(inputs, int.from_bytes(digest_from(document["entry"]["leaf"], "entry.leaf")[:7], "big"))
        verdict = judge_vectors(profile, manifest, inputs.count, claim, own, noise)
    apart = compare_vectors(theirs, own, manifest.output_width).relative if len(theirs) == len(own) else math.inf
    return Again(verdict.kind, {"relative": apart})


def judged_kind(document: Any) -> VerdictKind:
    """What the bundle's own numbers say of the leaf by itself."""
    if is_of_vector(document["numbers"]):
        return check_vector(document).kind
    numbers, profile, sampler = read_parts(document)
    return judge(profile, sampler, statistics_of(numbers), numbers.self_noise).verdict.kind


def as_json(checked: Checked, again: Again | None) -> dict[str, Any]:
    verdict = checked.verdict
    return {
        "verdict": verdict.kind.name, "reason": verdict.reason, "named": list(verdict.checks),
        "p_value": checked.p_value, "log_e": checked.log_e, "score": checked.score, "payers": list(checked.payers),
        "statistics": None if verdict.statistics is None else statistics_to_json(verdict.statistics),
        "recomputed": checked.recomputed, "checked": list(checked.checks),
        "replay": None if again is None else {"verdict": again.kind.name} | {
            f"largest_{name}_difference": value for name, value in again.largest.items()},
    }


def as_lines(checked: Checked, again: Again | None) -> list[str]:
    verdict = checked.verdict
    lines = [f"{verdict.kind.name}: {verdict.reason}"]
    if checked.recomputed:
        lines.append(f"  p-value {checked.p_value:.6g}"
                     + (f", ln e {checked.log_e:.6g}" if checked.log_e is not None else "")
                     + (f", score {checked.score:.6g} nats" if checked.score is not None else ""))
    else:
        lines.append("  The finding rests on digests of the opening, which the bundle does not hold.")
    lines.append(f"  Checked: {', '.join(checked.checks)}.")
    if again is not None:
        apart = ", ".join(f"{name} {value:.3g}" for name, value in again.largest.items())
        lines.append(f"  Replayed here: {again.kind.name}; largest differences: {apart}.")
    return lines


def _farthest(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    return max(abs(a - b) for a, b in zip(one, other, strict=True))
