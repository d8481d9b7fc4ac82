"""The forecaster and the scorer of this release: their numbers, their tolerance, and the cheats that it catches.
Rules: R121."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from benchmarks.vectors import CHEATS, cheat, judge_each
from protocol.documents import DocumentInvalid, document_from_json, document_to_json
from protocol.engine import forecaster, scorer
from protocol.engine.calibrate import honest_range
from protocol.engine.calibrate_vectors import calibrate_vectors
from protocol.engine.vector_catalogue import find_vector_model, find_vector_profile, list_vector_models
from protocol.engine.vector_model import VectorModel, load_vector_model, plan_of
from protocol.engine.vector_worker import run_calls
from protocol.errors import BadInput, Reason, Refused
from protocol.types import VerdictKind
from protocol.vector_manifest import VectorManifest
from protocol.vector_verdict import judge_vectors
from protocol.vectors import VectorInputs, calls_of, check_inputs, unpack_rows
from scripts.calibrate_vectors import honest_inputs

SMALL = ("Churn-Telco", "Demand-M3-Monthly")
SAMPLES = 100


@pytest.fixture(scope="module", params=SMALL)
def model(request: pytest.FixtureRequest) -> VectorModel:
    return load_vector_model(find_vector_model(request.param))


@pytest.fixture(scope="module")
def inputs(model: VectorModel) -> VectorInputs:
    return honest_inputs(model.manifest, SAMPLES, skip=400)


def test_find__unknown__refused_with_the_known_names() -> None:
    with pytest.raises(Refused) as refusal:
        find_vector_model("GPT-5")
    assert refusal.value.reason is Reason.UNKNOWN_MODEL and "Churn-Telco" in refusal.value.fix
    with pytest.raises(Refused):
        find_vector_profile(find_vector_model("Churn-Telco"), bytes(32))


def test_catalogue__every_model__has_a_profile_and_reads_back() -> None:
    manifests = list_vector_models()
    assert {manifest.architecture for manifest in manifests} == {"bert", "forecaster", "scorer"}
    for manifest in manifests:
        assert document_from_json(VectorManifest, document_to_json(manifest)) == manifest
        assert find_vector_profile(manifest).tensors_sha256 == manifest.tensors.sha256
        assert plan_of(manifest)


def test_plan_of__sizes_of_another_architecture__refused() -> None:
    manifest = find_vector_model("Churn-Telco")
    with pytest.raises(BadInput):
        plan_of(dataclasses.replace(manifest, shape={"layers": 3}))
    with pytest.raises(DocumentInvalid):
        dataclasses.replace(manifest, shape={"columns": 0})


def test_calibrate__few_inputs__refused() -> None:
    manifest = find_vector_model("Churn-Telco")
    with pytest.raises(BadInput):
        calibrate_vectors(manifest, honest_inputs(manifest, 199))


def test_honest_range__largest__is_never_rounded_down() -> None:
    found = honest_range([1.23456789e-6, 0.0, 5e-7], 1e-7)
    assert float(found.maximum) >= 1.23456789e-6 and found.quantiles["0.5"] == "0.0000005"


def test_calls_of__many_inputs__hold_all_of_them_in_order(model: VectorModel, inputs: VectorInputs) -> None:
    calls = calls_of(inputs, model.manifest)
    assert tuple(row for call in calls for row in call.rows) == inputs.rows
    for call in calls:
        check_inputs(call, model.manifest)


def test_run__batch_or_single__within_the_tolerance(model: VectorModel, inputs: VectorInputs) -> None:
    """R121: honest runs that differ by their batch pass, all of them."""
    kinds, _ = judge_each(model, find_vector_profile(model.manifest), run_calls(model, inputs, 16),
                          run_calls(model, inputs, 1))
    assert kinds == {VerdictKind.PASS: SAMPLES}


@pytest.mark.parametrize("kind", CHEATS)
def test_cheat__single_inputs__nearly_all_convict(model: VectorModel, inputs: VectorInputs, kind: str) -> None:
    """R121: other weights, cheaper weights, stale answers, constants and shortened inputs."""
    replay = run_calls(model, inputs, 1)
    kinds, _ = judge_each(model, find_vector_profile(model.manifest), cheat(kind, model, inputs, replay), replay)
    assert kinds[VerdictKind.FRAUD] >= 0.95 * SAMPLES and kinds[VerdictKind.PASS] <= 0.01 * SAMPLES


def test_forecast__unit_of_the_series__changes_the_unit_alone() -> None:
    model = load_vector_model(find_vector_model("Demand-M3-Monthly"))
    row = honest_inputs(model.manifest, 1).rows[0]
    rows = model.rows(VectorInputs(rows=(row, tuple(1000 * value for value in row))))
    assert float((rows[1] / 1000 - rows[0]).norm() / rows[0].norm()) < 1e-5


def test_forecast__zeros__are_finite() -> None:
    model = load_vector_model(find_vector_model("Demand-M3-Monthly"))
    assert not unpack_rows(model.run(VectorInputs(rows=((0.0,) * 36,))).vector, 18).max() > 1e-6


def test_seasonal_naive__repeats_the_last_season() -> None:
    rows = torch.arange(24.0)[None]
    assert forecaster.seasonal_naive(rows, 12, 18)[0].tolist() == [*range(12, 24), *range(12, 18)]


def test_score__longer_with_the_company__less_likely_to_leave() -> None:
    model = load_vector_model(find_vector_model("Churn-Telco"))
    place = model.manifest.columns.index("tenure")
    row = list(honest_inputs(model.manifest, 1).rows[0])
    risks = []
    for months in (1.0, 60.0):
        row[place] = months
        risks.append(float(scorer.score(model.tensors, torch.tensor([row]))[0, 0]))
    assert 1 > risks[0] > risks[1] > 0


def test_judge__rows_that_cancel_out__frame_no_honest_provider() -> None:
    """R121: two honest runs of one machine, of 16 rows at once and of one, lie apart by all that a probability can; on
    ordinary rows the same question still convicts another model."""
    churn = load_vector_model(find_vector_model("Churn-Telco"))
    profile, pull = find_vector_profile(churn.manifest), churn.tensors["direct.weight"][0] / churn.tensors["scale"]
    wild = (torch.rand(64, len(pull), generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 2 - 1) * 4e8
    level = (wild - (wild @ pull.double())[:, None] * pull.double() / (pull.double() @ pull.double())).float()
    for rows, kind in ((level, VerdictKind.UNKNOWN), (honest_inputs(churn.manifest, 64, skip=400), VerdictKind.FRAUD)):
        asked = rows if isinstance(rows, VectorInputs) else VectorInputs(rows=tuple(map(tuple, rows.tolist())))
        other = churn if kind is VerdictKind.UNKNOWN else churn.with_tensors(
            {name: tensor * 1.01 for name, tensor in churn.tensors.items()})
        claim, replay = other.run(asked).vector, churn.run(asked, batch=1).vector
        assert judge_vectors(profile, churn.manifest, asked.count, claim, replay).kind is VerdictKind.FRAUD
        noise = churn.perturb(asked, 7)
        assert judge_vectors(profile, churn.manifest, asked.count, claim, replay, noise).kind is kind
