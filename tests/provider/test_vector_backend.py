"""A provider that serves a vector model: what it counts, what it answers, what it refuses. Rules: R120, R122."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from protocol.calls import cover
from protocol.documents import document_digest
from protocol.encoding import keccak, pack_float32, to_hex
from protocol.engine.vector_catalogue import find_vector_model, find_vector_profile
from protocol.envelope import CallRequest
from protocol.errors import BadInput, Malformed, ProviderFault, Reason, Refused
from protocol.sampling import PLAIN
from protocol.transcript import TEXT, prompt_bytes, spec_digest
from protocol.types import Prompt
from protocol.vector_verdict import judge_vectors
from protocol.vectors import VectorInputs, prompt_of_inputs
from provider.edges.models import served_model
from provider.edges.vector_backend import VectorBackend, load_vector_backend, load_vector_counter
from provider.flow.calling import call
from provider.records.work import Completion, Produced
from provider.shelf import CHAT, COMPLETION, EMBEDDING, PREDICTION
from requester.flow.endings import Received, check_end, vector_of
from tests.provider.test_calling import Desk

CHURN = find_vector_model("Churn-Telco")
ROW = tuple(float(place) for place in range(CHURN.input_width))
MESSAGES = prompt_of_inputs(VectorInputs(rows=(ROW, ROW[::-1])), bytes(32)).messages


def deliver(new: Produced) -> int:
    raise AssertionError("A vector model has no tokens to deliver.")


@pytest.fixture(scope="module")
def backend() -> VectorBackend:
    return load_vector_backend(CHURN)


def run(backend: VectorBackend, messages: Sequence[tuple[str, str]]) -> Completion:
    return backend.run(messages, 1, lambda count: None, lambda: False, PLAIN, bytes(32), deliver)


@pytest.mark.parametrize("messages", [
    (("assistant", to_hex(pack_float32(ROW))),), (("user", "0x00"),), (("user", "17"),), (),
])
def test_run__inputs_of_no_row__refused(backend: VectorBackend, messages: Sequence[tuple[str, str]]) -> None:
    with pytest.raises(BadInput):
        run(backend, messages)
    with pytest.raises(BadInput):
        load_vector_counter(CHURN).count(messages, 1)


def test_run__job__refused(backend: VectorBackend) -> None:
    """A job pays for tokens."""
    with pytest.raises(Refused, match="not jobs"):
        backend.run(MESSAGES, 1, lambda count: None, lambda: False)


def test_run__rows__a_vector_that_an_audit_passes(backend: VectorBackend) -> None:
    """R120: no tokens, and its input is what the counter says."""
    done = run(backend, MESSAGES)
    assert (done.output_token_ids, done.logprobs, done.finish) == ((), b"", "stop")
    assert done.input_tokens == 2 * CHURN.input_width == load_vector_counter(CHURN).count(MESSAGES, 1)
    singles = b"".join(run(backend, (one,)).vector for one in MESSAGES)
    assert judge_vectors(find_vector_profile(CHURN), CHURN, 2, done.vector, singles).kind.name == "PASS"


def test_call__of_a_session__one_part_whose_leaf_the_requester_finds(backend: VectorBackend) -> None:
    """R120: the vector is in the leaf, its part is the end of the reply, and no output token is owed."""
    desk = Desk(backend=backend)  # type: ignore[arg-type]
    prompt, count = prompt_bytes(Prompt(MESSAGES, bytes(32))), 2 * CHURN.input_width
    spec = desk.payer.spec(1, prompt_digest=keccak(prompt), input_tokens=count)
    voucher = desk.payer.sign(cover(count, 0, 1, desk.payer.offer), in_flight=(spec_digest(spec),))
    row = desk.sessions.admit(CallRequest(spec, prompt, voucher, bytes(32)), PREDICTION, count, desk.clock())
    assert call(desk.calling, row.call_id) is True
    (part,) = desk.parts(row)
    assert part["kind"] == "vector"
    ending = check_end(part, vector_of(part), spec, (), "")
    assert (ending.line.input_tokens, ending.line.output_tokens, ending.finish) == (count, 0, "stop")
    assert ending.answer.vector == run(backend, MESSAGES).vector
    with pytest.raises(ProviderFault, match="leaf"):
        check_end(part, Received(vector=ending.answer.vector[::-1]), spec, (), "")


def test_count__more_than_one_output_token__refused() -> None:
    with pytest.raises(BadInput):
        load_vector_counter(CHURN).count(MESSAGES, 2)


def test_count__texts__are_tokens_with_their_marks_and_never_cut() -> None:
    """R122: a text beyond the model's context is refused before anything is paid."""
    counter = load_vector_counter(find_vector_model("all-MiniLM-L6-v2"))
    assert counter.count(((TEXT, "a ship"),), 1) == counter.count((("user", "a ship"),), 1) == 4
    with pytest.raises(Refused) as refusal:
        counter.count((("user", "ship " * 300),), 1)
    assert refusal.value.reason is Reason.TOO_MANY_TOKENS
    with pytest.raises(Malformed):
        counter.count((("system", "a ship"),), 1)


def test_served_model__vector__names_its_manifest_and_profile() -> None:
    served = served_model("churn-telco")
    assert (served.model, served.profile) == (document_digest(CHURN), document_digest(find_vector_profile(CHURN)))
    assert served.kinds == (PREDICTION,) and served_model("all-MiniLM-L6-v2").kinds == (EMBEDDING,)
    assert served_model("SmolLM2-135M-Instruct").kinds == (CHAT, COMPLETION)
