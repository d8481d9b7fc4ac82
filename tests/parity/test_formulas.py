"""The Python twin of every formula agrees with the contracts' code to the wei: 128,000 random cases, drawn so that the
ends of each range come often. The Solidity side is the libraries that the contracts use, compiled and run on a node."""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from eth_abi import decode, encode

from protocol import economics, rewards, shares
from protocol.calls import claimed_head
from protocol.chain.rpc import Rpc
from protocol.encoding import keccak
from scripts.testnet.engines import anvil

ROOT = Path(__file__).resolve().parents[2]
CASES = 8_000
CALL = 500
CAP = 10**27
"""Wei that can exist."""

Case = tuple[int, ...]
Twin = Callable[..., int | tuple[int, ...]]


def spread(chance: random.Random, least: int, most: int) -> int:
    """A number in [least, most]: an end, or of any order of magnitude."""
    if chance.random() < 0.15:
        return chance.choice((least, most, min(least + 1, most), max(most - 1, least)))
    return min(most, max(least, chance.getrandbits(chance.randint(1, max(1, most.bit_length())))))


def wei(chance: random.Random) -> int:
    return spread(chance, 0, CAP)


def bps(chance: random.Random, least: int = 0, most: int = 10_000) -> int:
    return spread(chance, least, most)


def pool(chance: random.Random) -> tuple[int, int]:
    """Tokens and shares of a pool that is not worn out."""
    tokens = wei(chance)
    return tokens, spread(chance, 0, min(10**38, (tokens + 1) * 10**11 - 10**6))


def _price(c: random.Random) -> Case:
    return spread(c, 0, 2**32 - 1), spread(c, 0, 2**96 - 1), spread(c, 0, 2**32 - 1), spread(c, 0, 2**96 - 1)


def _enter(c: random.Random) -> Case:
    tokens, held = pool(c)
    return tokens, held, spread(c, 0, CAP - tokens)


def _leave(c: random.Random) -> Case:
    tokens, held = pool(c)
    return tokens, held, spread(c, 0, held)


def _reduce(c: random.Random) -> Case:
    tokens, held = pool(c)
    return tokens, held, spread(c, 0, tokens)


def _rescale(c: random.Random) -> Case:
    scale = spread(c, 0, 2**16 - 1)
    return spread(c, 0, 2**128 - 1), scale, scale - spread(c, 0, min(scale, 12))


def _reward(c: random.Random) -> Case:
    total = spread(c, 1, 2**96 - 1)
    return spread(c, 0, total), total, wei(c), bps(c, 0, 9_000)


def _links(c: random.Random) -> Case:
    return c.getrandbits(256), c.getrandbits(256), c.randint(1, 3), *(c.getrandbits(256) for _ in range(3))


def _claimed_head(head: int, in_flight: int, count: int, *links: int) -> int:
    words = [word.to_bytes(32, "big") for word in (head, in_flight, *links[:count])]
    return int.from_bytes(claimed_head(words[0], words[1], words[2:]), "big")


def _reduced(tokens: int, held: int, amount: int) -> tuple[int, ...]:
    left = shares.reduce_leaving(shares.Pool(tokens, held), amount)
    return left.tokens, left.shares, left.scale


FORMULAS: dict[str, tuple[int, Callable[[random.Random], Case], Twin]] = {
    "reserve": (4, _price, lambda i, ip, o, op: economics.reserve(i, o, ip, op)),
    "fee": (2, lambda c: (wei(c), bps(c)), economics.fee),
    "neededStake": (
        4,
        lambda c: (spread(c, 0, 2**96 - 1), bps(c, 100), bps(c, 0, 3_000), bps(c, 100, 9_999)),
        economics.needed_stake,
    ),
    "condemned": (2, lambda c: (wei(c), bps(c)), lambda stake, rate: economics.slashed([stake], rate)),
    "coverage": (
        3,
        lambda c: (2 * wei(c), bps(c, 0, 3_000), wei(c)),
        # The contract is given half of quorum times stake, in gwei; the twin takes both factors.
        lambda cover, rate, ceiling: economics.coverage(2, cover, rate, ceiling) // economics.GWEI,
    ),
    "slashPart": (2, lambda c: (wei(c), bps(c)), lambda part, rate: shares.slash(part, 0, 0, 0, rate).own),
    "sharesFor": (3, _enter, lambda t, s, a: shares.shares_for(shares.Pool(t, s), a)),
    "amountFor": (3, _leave, lambda t, s, a: shares.amount_for(shares.Pool(t, s), a)),
    "leastEntry": (2, pool, lambda t, s: -(-shares.LEAST_SHARES * (t + 1) // (s + shares.VIRTUAL_SHARES))),
    "reduced": (3, _reduce, _reduced),
    "rescaled": (3, _rescale, lambda held, scale, then: shares.rescaled(shares.Pool(0, 0, scale), held, then)),
    "scheduled": (3, lambda c: (wei(c), spread(c, 1, 2**32 - 1), spread(c, 0, 2**64 - 1)), rewards.scheduled),
    "promised": (3, lambda c: (wei(c), spread(c, 0, 2**96 - 1), bps(c, 0, 9_000)), rewards.promised),
    "reward": (4, _reward, rewards.reward),
    "claimedHead": (6, _links, _claimed_head),
    "delegatorsPart": (4, lambda c: (wei(c), bps(c, 0, 5_000), wei(c), wei(c)), rewards.delegators_part),
}


@pytest.fixture(scope="module")
def ask() -> Iterator[Callable[[str, int, list[Case]], list[int]]]:
    """Runs a formula of the contracts on many cases."""
    command = [str(ROOT / ".venv" / "bin" / "forge"), "build", "tests/parity/Formulas.sol"]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=300)
    artifact: dict[str, Any] = json.loads((ROOT / "out" / "Formulas.sol" / "Formulas.json").read_text())
    address = "0x" + "f0" * 20
    with anvil(block_time=None) as node:
        rpc = Rpc(node.url)
        rpc.request("anvil_setCode", [address, artifact["deployedBytecode"]["object"]])

        def call(name: str, words: int, cases: list[Case]) -> list[int]:
            kind = f"uint256[{words}][]"
            data = keccak(f"{name}({kind})".encode())[:4] + encode([kind], [cases])
            answer = rpc.request("eth_call", [{"to": address, "data": "0x" + data.hex()}, "latest"])
            return list(decode(["uint256[]"], bytes.fromhex(answer[2:]))[0])

        yield call


@pytest.mark.parametrize("name", FORMULAS)
def test_formula__over_random_cases__agrees_to_the_wei(
    name: str, ask: Callable[[str, int, list[Case]], list[int]]
) -> None:
    words, draw, twin = FORMULAS[name]
    chance = random.Random(name)
    for _ in range(CASES // CALL):
        cases = [draw(chance) for _ in range(CALL)]
        expected: list[int] = []
        for case in cases:
            result = twin(*case)
            expected += result if isinstance(result, tuple) else [result]
        given = ask(name, words, cases)
        width = len(expected) // CALL
        for place, case in enumerate(cases):
            mine, theirs = (row[place * width : (place + 1) * width] for row in (expected, given))
            assert mine == theirs, f"{name}{case}: {mine} here, {theirs} on the chain"


def test_cases__together__are_at_least_a_hundred_thousand() -> None:
    assert CASES * len(FORMULAS) >= 100_000
