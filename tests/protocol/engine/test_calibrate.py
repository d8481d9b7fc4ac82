from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from protocol.engine import calibration_worker
from protocol.engine.benign import DTYPES, generators, replayers
from protocol.engine.calibrate import calibrate, edit_margin, share_sequences, summarise
from protocol.engine.corpus import load_corpus
from protocol.engine.honest_runs import CalibrationFailed, HonestRun, HonestRunner
from protocol.engine.model import ServedModel
from protocol.engine.weights import prepare_model
from protocol.errors import BadInput
from protocol.manifest import ModelManifest
from protocol.profile import STATISTICS
from protocol.types import AuditStatistics


def test_calibrate__too_few_sequences__is_refused() -> None:
    with pytest.raises(BadInput, match="199 honest sequences"):
        calibrate("SmolLM2-135M-Instruct", None, 199)


def test_corpus__more_prompts_than_there_are__is_refused() -> None:
    corpus = load_corpus()
    with pytest.raises(BadInput, match="321"):
        corpus.take(321)
    assert corpus.take(320) == corpus.prompts


@pytest.mark.slow
def test_runner__worker_fails__is_an_error_with_its_code(
    tiny_manifest: ModelManifest, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    # The worker looks the name up in the catalogue, where the tiny model is not.
    runner = HonestRunner(tiny_manifest, tmp_path, lambda _sentence, _part: None, 1)
    with pytest.raises(CalibrationFailed, match="ended with code 1"):
        run = HonestRun([1], [5], [-1.0], "length", 1, "", "", "", {"kind": "greedy", "seed": 0})
        list(runner.replay(replayers("f32")[0], [run]))
    assert "The model tiny is not known" in capfd.readouterr().err


def test_share_sequences__any_total__is_given_out_whole() -> None:
    for dtype in DTYPES:
        for total in (200, 240, 251, 320):
            shares = share_sequences(generators(dtype), total)
            assert sum(variation.sequences for variation in shares) == total
            assert all(variation.sequences > 0 for variation in shares)


@pytest.mark.parametrize("dtype", DTYPES)
def test_benign_ways__of_a_class__vary_all_that_may_vary(dtype: str) -> None:
    """R76: threads, batches, kernels, prefix reuse, chunked prefill, another backend, greedy and sampled."""
    ways = generators(dtype)
    assert {way.dtype for way in ways} == {dtype} and {way.dtype for way in replayers(dtype)} == {"f32"}
    assert {way.passes for way in ways} == {"whole", "chunked", "prefix"}
    assert {way.sampler for way in ways} == {"greedy", "gumbel"} and len({way.batch for way in ways}) > 1
    assert len({way.threads for way in ways}) > 1 and {"native", "avx2", "transformers"} <= {way.name for way in ways}
    assert sum(way.sequences for way in ways) == 16


def test_benign_ways__of_an_unknown_dtype__are_refused() -> None:
    with pytest.raises(BadInput, match="'f16'"):
        generators("f16")


def test_edit_margin__of_a_quiet_and_a_loud_class__is_above_all_honest_margins() -> None:
    quiet = [AuditStatistics(1e-5, 2e-5, None, 3)]
    assert edit_margin(quiet, 1e-4) == "0.3"
    assert edit_margin([*quiet, AuditStatistics(0.1, 0.2, None, 3)], 1e-4) == "0.5"


def test_summarise__values__rounds_the_maximum_up_and_keeps_a_floor() -> None:
    runs = [AuditStatistics(margin, 0.0, 1e-6 / 3, 5) for margin in (0.0, 1.23456789e-5, 2e-6, 0.0)]
    found = summarise(runs, 2e-4)
    assert found["max_margin"].maximum == "0.0000123457"
    assert Decimal(found["mean_logprob_distance"].maximum) >= Decimal(1e-6 / 3)
    assert found["end_margin"].maximum == "0" and found["end_margin"].numeric_floor == "0.000200001"
    assert found["max_margin"].quantiles["0.5"] == "0.000002"


def test_worker__every_way_of_generating__agrees_with_a_replay_within_rounding(tiny: ServedModel) -> None:
    model = replace(tiny, manifest=replace(tiny.manifest, stop_token_ids=(9,)))
    batches = [
        {"prompts": [[1, 50, 60], [1, 70]], "output_tokens": 6, "first_seed": 0, "hot": True},
        {"prompts": [[1, 80]], "output_tokens": 4, "first_seed": 2, "hot": False},
    ]
    for network, passes, sampler in (("native", "whole", "greedy"), ("native", "whole", "gumbel"),
                                     ("native", "chunked", "gumbel"), ("native", "prefix", "greedy"),
                                     ("transformers", "whole", "greedy")):
        request = {"dtype": "f32", "passes": passes, "sampler": sampler, "network": network, "batches": batches}
        lines = list(calibration_worker._generate_all(model, request))
        assert [(line["prompt"], len(line["tokens"]), line["limit"]) for line in lines] == [
            ([1, 50, 60], 6, 6), ([1, 70], 6, 6), ([1, 80], 4, 4)]
        for again in ("whole", "chunked"):
            replays = list(calibration_worker._replay_all(model, {"sequences": lines, "passes": again}))
            assert len(replays) == 3
            for found in replays:
                assert max(found[name] for name in STATISTICS) < 1e-3, (network, passes, sampler, found)
    errors = [line["error"] for line in calibration_worker._measure_rounding(model, {"sequences": lines})]
    assert len(errors) == 3 and all(0 < error < 1e-4 for error in errors)


def test_worker__in_bfloat16__is_honest_and_farther_away(tiny: ServedModel) -> None:
    batches = [{"prompts": [[1, 50, 60]], "output_tokens": 6, "first_seed": 0, "hot": True}]
    request = {"dtype": "bf16", "passes": "prefix", "sampler": "greedy", "network": "native", "batches": batches}
    lines = list(calibration_worker._generate_all(tiny, request))
    (found,) = calibration_worker._replay_all(tiny, {"sequences": lines, "passes": "whole"})
    assert 1e-4 < found["fingerprint_distance"] < 0.1 and found["mean_logprob_distance"] > 1e-4


def test_prepare__two_at_once__derive_once(
    tiny_manifest: ModelManifest, tiny_file: Path, tmp_path: Path
) -> None:
    told: list[str] = []
    with ThreadPoolExecutor(2) as pool:
        jobs = [
            pool.submit(
                prepare_model, tiny_manifest, tmp_path, tiny_file, lambda step, _part: told.append(step)
            )
            for _ in range(2)
        ]
        folders = {job.result() for job in jobs}
    assert len(folders) == 1
    assert told.count("The model is prepared") == 1
