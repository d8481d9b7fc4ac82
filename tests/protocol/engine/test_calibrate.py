from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from protocol.engine import calibration_worker
from protocol.engine.calibrate import (
    GENERATORS,
    REPLAYERS,
    CalibrationFailed,
    HonestRun,
    _Runner,
    calibrate,
    share_sequences,
    summarise,
)
from protocol.engine.corpus import load_corpus
from protocol.engine.model import ServedModel
from protocol.engine.weights import prepare_model
from protocol.errors import BadInput
from protocol.manifest import ModelManifest
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
    runner = _Runner(tiny_manifest, tmp_path, lambda _sentence, _part: None, 1)
    with pytest.raises(CalibrationFailed, match="ended with code 1"):
        list(runner.replay(REPLAYERS[0], [HonestRun([1], [5], [-1.0], "length", 1)]))
    assert "The model tiny is not known" in capfd.readouterr().err


def test_share_sequences__any_total__is_given_out_whole() -> None:
    for total in (200, 240, 251, 320):
        shares = share_sequences(GENERATORS, total)
        assert sum(variation.sequences for variation in shares) == total
        assert all(variation.sequences > 0 for variation in shares)


def test_summarise__values__rounds_the_maximum_up_and_keeps_a_floor() -> None:
    runs = [AuditStatistics(margin, 0.0, 1e-6 / 3, 5) for margin in (0.0, 1.23456789e-5, 2e-6, 0.0)]
    found = summarise(runs, 2e-4)
    assert found["max_margin"].maximum == "0.0000123457"
    assert Decimal(found["mean_logprob_distance"].maximum) >= Decimal(1e-6 / 3)
    assert found["end_margin"].maximum == "0" and found["end_margin"].numeric_floor == "0.000200001"
    assert found["max_margin"].quantiles["0.5"] == "0.000002"


def test_worker__generate_replay_reference__agree_within_rounding(tiny: ServedModel) -> None:
    model = replace(tiny, manifest=replace(tiny.manifest, stop_token_ids=(9,)))
    batches = [
        {"prompts": [[1, 50, 60], [1, 70]], "output_tokens": 6},
        {"prompts": [[1, 80]], "output_tokens": 4},
    ]
    lines = list(calibration_worker._generate_all(model, {"batches": batches}))
    runs = [HonestRun(**{**line, "tokens": list(line["tokens"])}) for line in lines]
    assert [(run.prompt, len(run.tokens), run.limit) for run in runs] == [
        ([1, 50, 60], 6, 6),
        ([1, 70], 6, 6),
        ([1, 80], 4, 4),
    ]
    request = {"sequences": [vars(run) for run in runs]}
    for run, line in zip(runs, calibration_worker._replay_all(model, request), strict=True):
        found = run.compare(line)
        assert found.max_margin < 1e-4 and found.mean_logprob_distance < 1e-4
    errors = [line["error"] for line in calibration_worker._measure_rounding(model, request)]
    assert len(errors) == 3 and all(0 < error < 1e-4 for error in errors)


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
