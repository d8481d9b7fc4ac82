"""`python tests/verify_vector_bundle.py bundle.json`: as `verify_bundle.py`, of a vector model's call (R120, R121)."""

import json
import struct
import sys
from decimal import Decimal as D
from pathlib import Path

from eth_hash.auto import keccak

sys.path.insert(0, str(Path(__file__).parent))
from verify_bundle import check_draw, check_records, check_session, digest, need, raw, word


def rows(data, width):
    numbers = struct.unpack(f"<{len(data) // 4}f", data)
    return [numbers[at : at + width] for at in range(0, len(numbers), width)]

def length(row):
    return sum(x * x for x in row) ** 0.5

def check_ids(b):
    """Spec, prompt, vector and salt give the committed leaf; both vectors give the distances."""
    ids = b["ids"]
    spec, vector = ids["spec"], raw(ids["vector"])
    need(keccak(raw(ids["prompt"])) == raw(spec["prompt_digest"]), "prompt")
    leaf = keccak(raw(ids["salt"]) + digest(spec) + keccak(b"") + word(ids["input_tokens"]) + word(0)
                  + word(int(spec["sampler"]["seed"])) + keccak(vector) + bytes(32))
    need(leaf == raw(b["entry"]["leaf"]), "leaf")
    if b["numbers"]["distances"] is not None:
        pairs = list(zip(*(rows(data, b["numbers"]["width"]) for data in (vector, raw(ids["replay"]))), strict=True))
        apart = [[x - y for x, y in zip(theirs, ours, strict=True)] for theirs, ours in pairs]
        shares = [length(a) / max(length(ours), 1e-30) for a, (_, ours) in zip(apart, pairs, strict=True)]
        found = {"relative": max(shares), "absolute": max(abs(x) for a in apart for x in a)}
        for name, value in found.items():
            need(abs(value - float(b["numbers"]["distances"][name])) <= 1e-6 * max(1.0, value), name)

def judge(profile, numbers):
    if numbers["replay_fault"] is not None:
        return "UNKNOWN", ["replay_failed"]
    if numbers["fault"] is not None:
        return "FRAUD", [numbers["fault"]["check"]]
    outside = sure = False
    for name, honest in profile["statistics"].items():
        limit = D(profile["safety_factor"]) * max(D(honest["maximum"]), D(honest["numeric_floor"]))
        spread = max((D(one[name] or "Infinity") for one in numbers["spreads"]), default=D(0))
        value = D(float(numbers["distances"][name]))
        outside |= value > limit
        sure |= value > limit and value > 8 * max(limit, spread)
    if not outside:
        return "PASS", []
    return ("FRAUD", ["wrong_vector"]) if sure else ("UNKNOWN", ["beyond_tolerance"])

def verify(b):
    need(b["format"] == "malla-bundle/1" and b["numbers"]["format"] == "malla-vector-numbers/1", "format")
    check_records(b)
    check_draw(b) if b["draw"] is not None else None
    check_session(b)
    evidence, said = b["records"][0]["evidence"], b["records"][0]["record"]["verdict"]
    need(digest(b["numbers"]) == raw(evidence["numbers"]), "numbers")
    need(digest(b["profile"]) == raw(evidence["profile"]), "profile")
    check_ids(b) if b["ids"] is not None else None
    need(b["numbers"]["distances"] == evidence["distances"], "distances")
    need(judge(b["profile"], b["numbers"]) == (said, evidence["checks"]), "verdict")
    return {"verdict": said, "recomputed": True}

if __name__ == "__main__":
    try:
        result = verify(json.loads(Path(sys.argv[1]).read_text("utf-8")))
    except (AssertionError, OSError, KeyError, TypeError, ValueError, ArithmeticError) as error:
        print(json.dumps({"error": f"{type(error).__name__}: {error}"}))
        sys.exit(3)
    print(json.dumps(result))
    sys.exit({"PASS": 0, "FRAUD": 1}.get(result["verdict"], 2))
