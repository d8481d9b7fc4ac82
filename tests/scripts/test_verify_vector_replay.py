"""`malla verify --replay` of a vector model's call: the model on this machine is asked again. Rule: R121."""

from __future__ import annotations

from typing import Any

import pytest

from protocol.bundle_leaf import BundleInvalid
from protocol.documents import document_digest, document_to_json
from protocol.encoding import json_digest, keccak, to_hex
from protocol.engine.model import use_threads
from protocol.engine.vector_catalogue import find_vector_model, find_vector_profile
from protocol.engine.vector_model import load_vector_model
from protocol.transcript import prompt_bytes
from protocol.types import VerdictKind
from protocol.vector_verdict import measure_vectors, vector_numbers_to_json
from protocol.vectors import VectorInputs, pack_rows, prompt_of_inputs, unpack_rows
from scripts.verify import replay_bundle

CHURN = find_vector_model("Churn-Telco")


def document_of(share: float, theirs: float = 1.0) -> dict[str, Any]:
    """What `replay_bundle` reads of a bundle whose vector is `share` of the model's own, audited by an oracle whose
    replay says `theirs` of it."""
    use_threads(1)
    inputs = VectorInputs(rows=((0.5,) * CHURN.input_width, (1.0,) * CHURN.input_width))
    honest = load_vector_model(CHURN).run(inputs, batch=1).vector
    vector, replay = (pack_rows(unpack_rows(honest, CHURN.output_width) * part) for part in (share, theirs))
    numbers = vector_numbers_to_json(measure_vectors(CHURN, inputs.count, vector, replay))
    profile = find_vector_profile(CHURN)
    evidence = {"numbers": to_hex(json_digest(numbers)), "profile": to_hex(document_digest(profile)),
                "model": to_hex(document_digest(CHURN))}
    return {"records": [{"evidence": evidence}], "numbers": numbers, "profile": document_to_json(profile),
            "entry": {"leaf": to_hex(keccak(b"leaf"))},
            "ids": {"prompt": to_hex(prompt_bytes(prompt_of_inputs(inputs, keccak(b"salt")))),
                    "vector": to_hex(vector), "replay": to_hex(replay)}}


@pytest.mark.parametrize("field", ["ids", "numbers"])
def test_replay__of_a_bundle_without_its_vectors__is_refused(field: str) -> None:
    with pytest.raises(BundleInvalid, match="consent"):
        replay_bundle(document_of(1.0) | {field: None})


@pytest.mark.parametrize(("share", "theirs", "kind"), [
    (1.0, 1.0, VerdictKind.PASS), (0.9, 1.0, VerdictKind.FRAUD), (0.9, 0.9, VerdictKind.FRAUD),
])
def test_replay__of_a_vector__asks_the_model_and_not_the_oracle(share: float, theirs: float, kind: VerdictKind) -> None:
    """An oracle that agrees with a wrong vector is found out by whoever has the model."""
    again = replay_bundle(document_of(share, theirs))
    assert again.kind is kind
    assert (again.largest["relative"] < 1e-5) == (theirs == 1.0)
