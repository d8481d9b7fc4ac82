"""The benign ways of running a model that a calibration compares: what an honest provider, or an oracle, may do."""

from __future__ import annotations

from protocol.errors import BadInput
from protocol.profile import Variation

F32, BF16 = "f32", "bf16"
DTYPES = (F32, BF16)
WHOLE, CHUNKED, PREFIX = "whole", "chunked", "prefix"
GREEDY, GUMBEL = "greedy", "gumbel"
TRANSFORMERS = "transformers"
"""Name of the variation that another implementation of the network runs, where that library is installed."""

NATIVE: dict[str, str] = {}
AVX2 = {"ATEN_CPU_CAPABILITY": "avx2", "MKL_ENABLE_INSTRUCTIONS": "AVX2", "ONEDNN_MAX_CPU_ISA": "AVX2"}
SSE = {"ATEN_CPU_CAPABILITY": "default", "MKL_ENABLE_INSTRUCTIONS": "SSE4_2", "ONEDNN_MAX_CPU_ISA": "SSE41"}
PORTABLE = {"ATEN_CPU_CAPABILITY": "default", "MKL_CBWR": "COMPATIBLE", "ONEDNN_MAX_CPU_ISA": "SSE41"}

# `sequences` here are shares of the whole in sixteenths.
_GENERATORS = {
    F32: (
        Variation("native", "generate", 1, 1, NATIVE, 1, F32, WHOLE, GREEDY),
        Variation("native", "generate", 8, 1, NATIVE, 3, F32, WHOLE, GUMBEL),
        Variation("native", "generate", 8, 2, NATIVE, 2, F32, WHOLE, GREEDY),
        Variation("native", "generate", 1, 1, NATIVE, 1, F32, PREFIX, GREEDY),
        Variation("native", "generate", 1, 1, NATIVE, 1, F32, CHUNKED, GUMBEL),
        Variation(TRANSFORMERS, "generate", 1, 1, NATIVE, 1, F32, WHOLE, GREEDY),
        Variation("avx2", "generate", 8, 1, AVX2, 3, F32, WHOLE, GUMBEL),
        Variation("sse4", "generate", 8, 1, SSE, 2, F32, WHOLE, GREEDY),
        Variation("portable", "generate", 8, 1, PORTABLE, 2, F32, WHOLE, GUMBEL),
    ),
    BF16: (
        Variation("native", "generate", 1, 1, NATIVE, 1, BF16, WHOLE, GREEDY),
        Variation("native", "generate", 8, 1, NATIVE, 5, BF16, WHOLE, GUMBEL),
        Variation("native", "generate", 8, 2, NATIVE, 4, BF16, WHOLE, GREEDY),
        Variation("native", "generate", 1, 1, NATIVE, 1, BF16, PREFIX, GREEDY),
        Variation("native", "generate", 1, 1, NATIVE, 1, BF16, CHUNKED, GUMBEL),
        Variation(TRANSFORMERS, "generate", 1, 1, NATIVE, 1, BF16, WHOLE, GREEDY),
        Variation("avx2", "generate", 8, 1, AVX2, 3, BF16, WHOLE, GUMBEL),
    ),
}
# An oracle replays in float32 whatever the class: it is the nearest to the exact numbers.
_REPLAYERS = {
    F32: (
        Variation("native", "replay", 1, 1, NATIVE, 16, F32, WHOLE, ""),
        Variation("avx2", "replay", 1, 2, AVX2, 16, F32, CHUNKED, ""),
        Variation("portable", "replay", 1, 1, PORTABLE, 16, F32, WHOLE, ""),
    ),
    BF16: (
        Variation("native", "replay", 1, 1, NATIVE, 16, F32, WHOLE, ""),
        Variation("avx2", "replay", 1, 2, AVX2, 16, F32, CHUNKED, ""),
    ),
}


def generators(dtype: str) -> tuple[Variation, ...]:
    """How honest providers of a class run it. Errors: `BadInput` for an unknown dtype."""
    return _of(_GENERATORS, dtype)


def replayers(dtype: str) -> tuple[Variation, ...]:
    """How oracles replay a class. Errors: `BadInput` for an unknown dtype."""
    return _of(_REPLAYERS, dtype)


def _of(table: dict[str, tuple[Variation, ...]], dtype: str) -> tuple[Variation, ...]:
    if dtype not in table:
        raise BadInput(f"There is no class of dtype {dtype!r}.", f"Use one of: {', '.join(DTYPES)}.")
    return table[dtype]
