"""How a token follows from logits: the rule, in integers, for everybody who has to come to the same token.

Token-keyed Gumbel noise (Gumbel-max sampling; the noise of a token depends on seed, position and token id alone):
token = argmax over the candidates of logit + T · G(seed, position, token id), ties to the lower id. So a verifier needs
noise for its candidates only, and neither batch, device, vocabulary order nor a random generator's state matters.

G is a fixed-point number: Philox4x32-10 (Salmon et al., 2011) gives 52 bits, and both logarithms are a table of
2,048 steps with linear interpolation in 64-bit integers. Everything else is one correctly rounded IEEE 754 operation
each, so that two implementations agree on every bit. `protocol.engine.sampler` is the other one, in torch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from protocol.errors import Reason, Refused
from protocol.types import Sampler

GREEDY = "greedy"
GUMBEL = "gumbel"
PLAIN = Sampler(GREEDY, 0)
CANDIDATES = 64
"""The most tokens that a sampler considers, by logit; of equal logits the lower token id comes first."""

MAX_TEMPERATURE_MILLI = 2_000
MAX_MIN_TOKENS = 4_096
FRACTION_BITS = 40
TABLE_BITS = 11
LOG2_E = 1.4426950408889634
WORD = 2**32 - 1
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)
DOMAIN = 0x4D616C6C
"""Third word of the counter, "Mall": other uses of the seed get other noise."""


@dataclass(frozen=True)
class Drawing:
    """What a class of backends draws and its calibration profile judges: samplers, and the most `min_tokens`."""

    kinds: tuple[str, ...] = (GREEDY, GUMBEL)
    min_tokens: int = MAX_MIN_TOKENS

    def allows(self, sampler: Sampler) -> bool:
        return sampler.kind in self.kinds and sampler.min_tokens <= self.min_tokens


def describe_sampler(sampler: Sampler) -> str:
    """What was asked, for people."""
    least = f" with min_tokens {sampler.min_tokens}" if sampler.min_tokens else ""
    return f"temperature {sampler.temperature_milli / 1000:g}{least}"


def check_sampler(sampler: Sampler) -> None:
    """Refuse a sampler that has no meaning, or two texts for one. Errors: `Refused(UNKNOWN_SAMPLER)`."""
    if sampler.kind == GREEDY:
        meant = Sampler(GREEDY, sampler.seed, min_tokens=sampler.min_tokens)
        _require(sampler == meant, "A greedy sampler has temperature 0, top-p 10000 and top-k 64.")
    elif sampler.kind == GUMBEL:
        _require(1 <= sampler.temperature_milli <= MAX_TEMPERATURE_MILLI,
                 f"The temperature is {sampler.temperature_milli} thousandths, not 1 to {MAX_TEMPERATURE_MILLI}.")
        _require(1 <= sampler.top_p_bps <= 10_000, f"top-p is {sampler.top_p_bps} of 10000; at least 1 is needed.")
        _require(1 <= sampler.top_k <= CANDIDATES, f"top-k is {sampler.top_k}, allowed are 1 to {CANDIDATES}.")
    else:
        _require(False, f"The sampler '{sampler.kind[:40]}' is not served.")
    _require(sampler.min_tokens <= MAX_MIN_TOKENS, f"min_tokens is {sampler.min_tokens}, at most {MAX_MIN_TOKENS}.")


def choose(logits: Sequence[float], sampler: Sampler, position: int, banned: Sequence[int] = ()) -> int:
    """The token that follows, of float32 logits over the whole vocabulary; `position` counts output tokens from 0.

    `banned` are the model's stop tokens; they cannot be chosen before `sampler.min_tokens`.
    """
    hidden = set(banned) if position < sampler.min_tokens else set()
    ranked = sorted((i for i in range(len(logits)) if i not in hidden), key=lambda i: (-logits[i], i))
    if sampler.kind == GREEDY:
        return ranked[0]
    ranked = ranked[: sampler.top_k]
    kept = ranked[: nucleus([logits[i] for i in ranked], sampler)]
    return min(kept, key=lambda i: (-(logits[i] + noise(sampler, position, i)), i))


def noise(sampler: Sampler, position: int, token: int) -> float:
    """T · G of one token, in logit units."""
    return float(sampler.temperature_milli * gumbel(sampler.seed, position, token)) / float(1000 << FRACTION_BITS)


def gumbel(seed: int, position: int, token: int) -> int:
    """G = −ln(−ln u) in units of 2⁻⁴⁰, for u = (2 · 52 random bits + 1) / 2⁵³."""
    high, low = philox(seed, (token, position, DOMAIN, 0))[:2]
    odd = (((high << 20) | (low >> 12)) << 1) | 1
    exponential = (53 * _table_ln()[-1]) - ln(odd)
    return FRACTION_BITS * _table_ln()[-1] - ln(exponential)


def philox(seed: int, counter: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    """Philox4x32-10 under a key of 64 bits."""
    key, (a, b, c, d) = [seed & WORD, seed >> 32], counter
    for _ in range(10):
        first, second = MULTIPLIERS[0] * a, MULTIPLIERS[1] * c
        a, b, c, d = (second >> 32) ^ b ^ key[0], second & WORD, (first >> 32) ^ d ^ key[1], first & WORD
        key = [(key[0] + WEYL[0]) & WORD, (key[1] + WEYL[1]) & WORD]
    return a, b, c, d


def ln(value: int) -> int:
    """Natural logarithm of an integer from 1 to 2⁵³ − 1, in units of 2⁻⁴⁰, by table; off by less than 4e-8."""
    table = _table_ln()
    exponent = value.bit_length() - 1
    mantissa = value << (52 - exponent)
    index = (mantissa >> (52 - TABLE_BITS)) & (2**TABLE_BITS - 1)
    rest = (mantissa & (2 ** (52 - TABLE_BITS) - 1)) >> (52 - TABLE_BITS - 32)
    return table[index] + ((table[index + 1] - table[index]) * rest >> 32) + exponent * table[-1]


def nucleus(ranked: Sequence[float], sampler: Sampler) -> int:
    """How many of the ranked logits are kept: the fewest whose share of all candidates' weight reaches top-p."""
    if sampler.top_p_bps == 10_000:
        return len(ranked)
    weights = [weight(value - ranked[0], sampler.temperature_milli) for value in ranked]
    total, cumulated = sum(weights), 0
    for count, one in enumerate(weights, 1):
        cumulated += one
        if cumulated * 10_000 >= sampler.top_p_bps * total:
            return count
    return len(ranked)


def weight(distance: float, temperature_milli: int) -> int:
    """exp(distance / T) for a distance of at most 0, in units of 2⁻⁴⁰, rounded down."""
    power = distance * 1000.0 / float(temperature_milli) * LOG2_E
    whole = math.floor(power)
    if whole < -FRACTION_BITS:
        return 0
    # Of a tiny negative power the fraction rounds to one.
    table, fraction = _table_exp2(), min(int((power - whole) * 2**32), WORD)
    index, rest = fraction >> (32 - TABLE_BITS), fraction & (2 ** (32 - TABLE_BITS) - 1)
    value = table[index] + ((table[index + 1] - table[index]) * rest >> (32 - TABLE_BITS))
    return value >> -whole


def tables() -> tuple[tuple[int, ...], tuple[int, ...]]:
    """ln(1 + i/2048) and 2^(i/2048) for i from 0 to 2048, in units of 2⁻⁴⁰, rounded to nearest."""
    return _table_ln(), _table_exp2()


@lru_cache(maxsize=1)
def _table_ln() -> tuple[int, ...]:
    # ln((1 + x)/(1 − x)) = 2 artanh x in 100-bit integers: no library's logarithm decides a token.
    one, size = 1 << 100, 2**TABLE_BITS
    table = []
    for i in range(size + 1):
        x = one * i // (2 * size + i)
        term, total, k = x, 0, 1
        while term:
            total += term // k
            term, k = term * x // one * x // one, k + 2
        table.append((2 * total + (1 << (99 - FRACTION_BITS))) >> (100 - FRACTION_BITS))
    return tuple(table)


@lru_cache(maxsize=1)
def _table_exp2() -> tuple[int, ...]:
    # 2^(1/2048) by eleven integer square roots of two, then powers in 200-bit integers.
    bits, size = 200, 2**TABLE_BITS
    root = 2 << bits
    for _ in range(TABLE_BITS):
        root = math.isqrt(root << bits)
    table, value = [], 1 << bits
    for _ in range(size):
        table.append((value + (1 << (bits - FRACTION_BITS - 1))) >> (bits - FRACTION_BITS))
        value = value * root >> bits
    return (*table, 2 << FRACTION_BITS)


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise Refused(Reason.UNKNOWN_SAMPLER, message, "Use 'greedy', or 'gumbel' with temperature, top-p and top-k.")
