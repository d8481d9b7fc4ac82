"""Whether a replay agrees with a claimed vector: first numbers, which give nothing of the inputs away, then a verdict.

There is no sampling and no choice: two honest runs differ by rounding alone. The numbers are what a third party gets
without the requester's consent, because a vector can be turned back into its text; from them it comes to the same
verdict as the oracle.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any

import numpy

from protocol.bundle import read_float
from protocol.errors import Malformed, ProviderFault
from protocol.types import Verdict, VerdictKind
from protocol.vector_manifest import VectorManifest
from protocol.vector_profile import FRAUD_FACTOR, VectorProfile, tolerance
from protocol.vectors import find_vector_fault, unpack_rows

VECTOR_NUMBERS = "malla-vector-numbers/1"
BEYOND_TOLERANCE = "beyond_tolerance"
"""Check of a vector that leaves its profile by less than what convicts."""
WRONG_VECTOR = "wrong_vector"
"""Check of a vector that no honest run of the model gives."""
REPLAY_FAILED = "replay_failed"
"""Check of an audit whose own numbers are unusable: it speaks against nobody."""
MAX_SPREADS = 8
_TINY = 1e-30


@dataclass(frozen=True)
class VectorDistances:
    """A claim beside its replay: the largest relative, absolute and cosine distance of any row."""

    relative: float
    absolute: float
    cosine: float


@dataclass(frozen=True)
class VectorNumbers:
    """What an audit of `width` numbers a row came to: the rule of form that the replay itself or the claim breaks, else
    the distances of the two. `spreads` are the distances of replays with the rounding errors of other machines, asked
    for before a distance convicts."""

    width: int
    replay_fault: ProviderFault | None
    fault: ProviderFault | None
    distances: VectorDistances | None
    spreads: tuple[VectorDistances, ...] = ()


def compare_vectors(claim: bytes, replay: bytes, width: int) -> VectorDistances:
    """Distances of two vectors of the same size, row by row, in float64."""
    ours, theirs = unpack_rows(replay, width), unpack_rows(claim, width)
    lengths = numpy.linalg.norm(ours, axis=1)
    apart = numpy.linalg.norm(theirs - ours, axis=1) / numpy.maximum(lengths, _TINY)
    product = numpy.maximum(lengths * numpy.linalg.norm(theirs, axis=1), _TINY)
    cosine = 1 - (theirs * ours).sum(axis=1) / product
    return VectorDistances(float(apart.max()), float(abs(theirs - ours).max()), float(cosine.max()))


def measure_vectors(manifest: VectorManifest, inputs: int, claim: bytes, replay: bytes,
                    noise: Sequence[bytes] = ()) -> VectorNumbers:
    """The numbers of a claim for so many inputs. `noise` are replays with rounding errors of another machine
    (`VectorModel.perturb`). Never raises on a bad claim."""
    own, fault = find_vector_fault(replay, inputs, manifest), find_vector_fault(claim, inputs, manifest)
    if own is not None or fault is not None:
        return VectorNumbers(manifest.output_width, own, fault, None)
    width = manifest.output_width
    return VectorNumbers(width, None, None, compare_vectors(claim, replay, width),
                         tuple(compare_vectors(one, replay, width) for one in noise))


def judge_vector_numbers(profile: VectorProfile, numbers: VectorNumbers) -> Verdict:
    """PASS within the profile's tolerance, FRAUD beyond eight times of it or by a rule of form, UNKNOWN in between.

    A distance convicts only beyond eight times of the replay's own spread, too: inputs on which the model's own numbers
    cancel out frame nobody. A replay that is itself unusable is UNKNOWN, whatever was claimed.
    """
    if numbers.replay_fault is not None:
        said = f"The replay itself is unusable: {numbers.replay_fault.message}"
        return Verdict(VerdictKind.UNKNOWN, said, (REPLAY_FAILED,))
    if numbers.fault is not None or numbers.distances is None:
        fault = numbers.fault or ProviderFault("vector", "There is no distance to the replay.")
        return Verdict(VerdictKind.FRAUD, fault.message, (fault.check,))
    outside, convicts = [], False
    for name in profile.statistics:
        value, limit = Decimal(getattr(numbers.distances, name)), tolerance(profile, name)
        if value > limit:
            outside.append(f"{name} distance {float(value):.3g}, tolerated {float(limit):.3g}")
            own_spread = max((_spread(getattr(one, name)) for one in numbers.spreads), default=Decimal(0))
            convicts = convicts or value > FRAUD_FACTOR * max(limit, own_spread)
    if not outside:
        return Verdict(VerdictKind.PASS, "The vector is the model's.")
    kind, check = (VerdictKind.FRAUD, WRONG_VECTOR) if convicts else (VerdictKind.UNKNOWN, BEYOND_TOLERANCE)
    return Verdict(kind, f"The vector is not the model's: {'; '.join(outside)}.", (check,))


def judge_vectors(profile: VectorProfile, manifest: VectorManifest, inputs: int, claim: bytes,
                  replay: bytes, noise: Sequence[bytes] = ()) -> Verdict:
    """`judge_vector_numbers` of `measure_vectors`."""
    return judge_vector_numbers(profile, measure_vectors(manifest, inputs, claim, replay, noise))


def vector_numbers_to_json(numbers: VectorNumbers) -> dict[str, Any]:
    """Real numbers as decimal strings, so that the document has one digest."""
    return {
        "format": VECTOR_NUMBERS,
        "width": numbers.width,
        "replay_fault": _fault_to_json(numbers.replay_fault),
        "fault": _fault_to_json(numbers.fault),
        "distances": None if numbers.distances is None else _distances_to_json(numbers.distances),
        "spreads": [_distances_to_json(one) for one in numbers.spreads],
    }


def vector_numbers_from_json(value: Any) -> VectorNumbers:
    """Errors: `Malformed` naming the field that does not fit."""
    names = ("format", "width", "replay_fault", "fault", "distances", "spreads")
    if not isinstance(value, dict) or set(value) != set(names) or value["format"] != VECTOR_NUMBERS:
        raise Malformed(f"The numbers of a vector have the format {VECTOR_NUMBERS} and the fields {', '.join(names)}.")
    width, spreads = value["width"], value["spreads"]
    if type(width) is not int or width < 1 or not isinstance(spreads, list) or len(spreads) > MAX_SPREADS:
        raise Malformed(f"The numbers of a vector have a width of at least 1 and at most {MAX_SPREADS} spreads.")
    own, fault = _fault_from_json(value["replay_fault"]), _fault_from_json(value["fault"])
    if (value["distances"] is None) != (own is not None or fault is not None):
        raise Malformed("The numbers of a vector have distances, or the rule of form that was broken.")
    distances = None if value["distances"] is None else _distances_from_json(value["distances"])
    return VectorNumbers(width, own, fault, distances, tuple(_distances_from_json(one) for one in spreads))


def _spread(distance: float) -> Decimal:
    """A run that gives no number lies beyond every distance."""
    return Decimal(distance) if math.isfinite(distance) else Decimal("Infinity")


def _distances_to_json(found: VectorDistances) -> dict[str, str | None]:
    """What is no number, as of a replay that overflowed, is null."""
    values = {field.name: float(getattr(found, field.name)) for field in fields(found)}
    return {name: repr(value) if math.isfinite(value) else None for name, value in values.items()}


def _distances_from_json(value: Any) -> VectorDistances:
    names = [field.name for field in fields(VectorDistances)]
    if not isinstance(value, dict) or set(value) != set(names):
        raise Malformed(f"The distances of a vector are {', '.join(names)}.")
    return VectorDistances(*(math.inf if value[name] is None else read_float(value[name], f"distances.{name}")
                             for name in names))


def _fault_to_json(fault: ProviderFault | None) -> dict[str, str] | None:
    return None if fault is None else {"check": fault.check, "message": fault.message}


def _fault_from_json(value: Any) -> ProviderFault | None:
    if value is None:
        return None
    if not isinstance(value, dict) or set(value) != {"check", "message"} \
            or not all(isinstance(text, str) for text in value.values()):
        raise Malformed("A fault of a vector has a check and a message.")
    return ProviderFault(value["check"], value["message"])
