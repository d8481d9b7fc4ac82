"""Which tensors a Llama of given sizes has, and how large they are: known before any of them is read."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from protocol.engine.data_file import BundleRefused
from protocol.manifest import LlamaShape


def plan_tensors(shape: LlamaShape) -> dict[str, tuple[int, ...]]:
    """Every tensor's name (Hugging Face's spelling) and shape, rows first."""
    keys = shape.hidden // shape.heads * shape.kv_heads
    layer = {
        "input_layernorm": (shape.hidden,),
        "self_attn.q_proj": (shape.hidden, shape.hidden),
        "self_attn.k_proj": (keys, shape.hidden),
        "self_attn.v_proj": (keys, shape.hidden),
        "self_attn.o_proj": (shape.hidden, shape.hidden),
        "post_attention_layernorm": (shape.hidden,),
        "mlp.gate_proj": (shape.intermediate, shape.hidden),
        "mlp.up_proj": (shape.intermediate, shape.hidden),
        "mlp.down_proj": (shape.hidden, shape.intermediate),
    }
    plan: dict[str, tuple[int, ...]] = {
        f"model.layers.{place}.{name}.weight": size
        for place in range(shape.layers)
        for name, size in layer.items()
    }
    plan["model.embed_tokens.weight"] = (shape.vocabulary, shape.hidden)
    plan["model.norm.weight"] = (shape.hidden,)
    if not shape.tied_embeddings:
        plan["lm_head.weight"] = (shape.vocabulary, shape.hidden)
    return plan


def count_numbers(plan: Mapping[str, tuple[int, ...]]) -> int:
    """How many numbers the tensors have together; four bytes each as float32."""
    return sum(prod(size) for size in plan.values())


def check_against_plan(
    found: Mapping[str, tuple[int, ...]], plan: Mapping[str, tuple[int, ...]], what: str
) -> None:
    """Refuse tensors that are missing, too many or of another shape. Errors: `BundleRefused`."""
    missing, foreign = sorted(plan.keys() - found.keys()), sorted(found.keys() - plan.keys())
    if missing or foreign:
        raise BundleRefused(
            f"{what} lacks {len(missing)} tensors of its architecture {_some(missing)} and has {len(foreign)} "
            f"that do not belong to it {_some(foreign)}."
        )
    for name, size in plan.items():
        if found[name] != size:
            raise BundleRefused(
                f"{what}: the tensor {name} has the shape {list(found[name])}, its architecture says {list(size)}."
            )


def _some(names: list[str]) -> str:
    return "(" + ", ".join(name[:80] for name in names[:3]) + (", …)" if len(names) > 3 else ")")
