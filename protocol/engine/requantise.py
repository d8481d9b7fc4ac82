"""The cheaper computation: symmetric integers in groups, as a dishonest provider would serve them.

Only the demo's cheat and the tests use this. It keeps float32 storage, because what matters to a
verifier is what the numbers are, not how they are kept.
"""

from __future__ import annotations

from torch import Tensor

from protocol.engine.model import ServedModel, build_model

LINEAR_LAYERS = ("_proj.weight",)


def requantise(model: ServedModel, bits: int = 4, group: int = 64) -> ServedModel:
    """The model with its layers rounded to `bits` bits; a group's scale is max|w| / (2^(bits-1) - 1).

    Groups are `group` neighbouring inputs of one output. The copy claims the same manifest: that is the
    lie. Errors: `ValueError` when the groups do not divide a matrix.
    """
    if bits < 2:
        raise ValueError(f"{bits} bits have no symmetric levels; use at least 2.")
    tensors = {
        name: _round(name, tensor, 2 ** (bits - 1) - 1, group) if name.endswith(LINEAR_LAYERS) else tensor
        for name, tensor in model.tensors.items()
    }
    return build_model(model.manifest, tensors)


def share_of_changed_weights(model: ServedModel, other: ServedModel) -> float:
    """The share, 0 to 1, of numbers in the layers' matrices that differ: a cheat has to be one."""
    changed = total = 0
    for name, tensor in model.tensors.items():
        if name.endswith(LINEAR_LAYERS):
            changed += int((tensor != other.tensors[name]).sum())
            total += tensor.numel()
    return changed / total


def _round(name: str, tensor: Tensor, levels: int, group: int) -> Tensor:
    if tensor.shape[1] % group:
        raise ValueError(f"{name} has {tensor.shape[1]} inputs, which groups of {group} do not divide.")
    groups = tensor.reshape(tensor.shape[0], -1, group)
    scale = (groups.abs().amax(dim=-1, keepdim=True) / levels).clamp(min=1e-12)
    return (groups / scale).round().clamp(-levels, levels).mul(scale).reshape(tensor.shape)
