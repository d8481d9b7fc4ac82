"""`python tests/verify_bundle.py bundle.json`: the verdict of an evidence bundle by a second hand, written from the
rules R76 to R82 without Malla's code. Exit status 0 pass, 1 fraud, 2 unknown, 3 a bundle that proves nothing."""

import json
import math
import struct
import sys
from decimal import Decimal as D
from functools import reduce
from pathlib import Path

from eth_hash.auto import keccak

NAMES = ("max_margin", "end_margin", "mean_margin",
         "mean_logprob_distance", "mean_top_logprob_distance", "fingerprint_distance")
BOUND, CAP, BETS = math.log(0.99e9), math.log(1000), (1, 0.3, 0.1, 0.03, 0.01)
KINDS = {"PASS": 1, "FRAUD": 2, "UNKNOWN": 3, "MALFORMED": 4}
P = 2**256 - 2**32 - 977
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
G = (0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
     0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8)

def need(holds, what):
    if not holds:
        raise AssertionError(what)

def raw(text):
    return bytes.fromhex(text.removeprefix("0x"))

def word(value):
    return value.to_bytes(32, "big") if isinstance(value, int) else value.rjust(32, b"\0")

def digest(value):
    return keccak(json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode())

def add(one, two):
    if one is None or two is None:
        return one or two
    slope = 3 * one[0] ** 2 * pow(2 * one[1], -1, P) if one == two else (two[1] - one[1]) * pow(two[0] - one[0], -1, P)
    return (x := (slope * slope - one[0] - two[0]) % P), (slope * (one[0] - x) - one[1]) % P

def times(point, count):
    return add(times(add(point, point), count >> 1) if count > 1 else None, point if count & 1 else None)

def signer(message, signature):
    r, s, v = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big"), signature[64] - 27
    y = pow(r**3 + 7, (P + 1) // 4, P)
    point, back = (r, y if y % 2 == v else P - y), pow(r, -1, N)
    key = add(times(point, s * back % N), times(G, -int.from_bytes(message, "big") * back % N))
    return keccak(word(key[0]) + word(key[1]))[12:]

def check_records(b):
    domain = keccak(keccak(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
                    + keccak(b"Malla") + keccak(b"1") + word(b["chain_id"]) + word(raw(b["escrow"])))
    kind = keccak(b"AuditRecord(uint64 batchId,uint32 index,bytes32 leaf,uint8 verdict,bytes32 evidence)")
    for row in b["records"]:
        r = row["record"]
        body = keccak(kind + word(r["batch_id"]) + word(r["index"]) + raw(r["leaf"]) + word(KINDS[r["verdict"]])
                      + raw(r["evidence"]))
        need(signer(keccak(b"\x19\x01" + domain + body), raw(row["signature"])) == raw(row["oracle"]), "signature")
        need(digest(row["evidence"]) == raw(r["evidence"]), "evidence")
        need(all(r[name] == b["entry"][name] for name in ("batch_id", "index", "leaf")), "other leaf")

def check_draw(b):
    facts, batch, unit = b["draw"], b["entry"]["batch_id"].to_bytes(8, "big"), b["entry"]["index"]
    block = raw(facts["block_hash"] or "")
    if not block or None in facts["reveals"] or not facts["reveals"]:
        return need(keccak(b"malla/undrawn" + batch + block) == raw(facts["group_seed"]), "seed")
    seed = keccak(block + batch + b"".join(map(raw, facts["reveals"])))
    drawn = int.from_bytes(keccak(seed + unit.to_bytes(2 if unit < 65536 else 4, "big")), "big")
    need(seed == raw(facts["group_seed"]) and drawn * 10_000 < facts["audit_bps"] * 2**256, "not drawn")

def check_session(b):
    its, entry, report, call = b["session"], b["entry"], b["session"]["report"], b["entry"]["index"] // 128 - 1
    calls, named, specs = report["calls"], report["in_flight"], report["specs"]
    need(call >= 0 and report["index"] == entry["index"] % 128 and report["session_id"] == entry["job_id"], "session")
    need(named == sorted({*named}) and len({*specs} & {*named}) == len(specs) and bool(specs) == bool(named), "specs")
    lines = [keccak(raw(c["leaf"]) + struct.pack(">II", c["input_tokens"], c["output_tokens"])) for c in calls]
    need(raw(calls[call]["leaf"]) == raw(entry["leaf"]), "other call")
    links = [keccak(raw(spec) + line) for spec, line in zip(specs, lines[len(lines) - len(specs):], strict=True)]
    ones = lines[: len(lines) - len(specs)] + [keccak(b"".join(map(raw, named)))] * bool(specs) + links
    need(reduce(lambda head, one: keccak(head + one), ones, raw(its["before"])) == raw(its["head"]), "head")

def floats(values):
    return list(map(float, values))

def check_ids(b, claimed, sampler):
    ids = b["ids"]
    top = b"".join(struct.pack("<If", token, float(value)) for row in zip(ids["top"], claimed["top"], strict=True)
                   for token, value in zip(*row, strict=True))
    logprobs = struct.pack(f"<{len(claimed['logprobs'] or [])}f", *floats(claimed["logprobs"] or []))
    output = keccak(struct.pack(f"<{len(ids['output'])}I", *ids["output"]))
    leaf = keccak(raw(ids["salt"]) + raw(ids["spec_digest"]) + output + word(len(ids["prompt"]))
                  + word(len(ids["output"])) + word(sampler["seed"]) + keccak(logprobs + top)
                  + raw(ids["fingerprint_root"]))
    need(leaf == raw(b["entry"]["leaf"]), "ids")

def statistics(numbers):
    claimed, own, stopped = numbers["claimed"], numbers["own"], numbers["finish"] == "stop"
    margins = floats(own["margins"])
    found = dict.fromkeys(NAMES) | {
        "max_margin": max(margins[: len(margins) - stopped], default=0.0), "end_margin": margins[-1] * stopped,
        "mean_margin": math.fsum(min(m, 1.0) for m in margins) / len(margins)}
    if claimed["logprobs"] is not None:
        pairs = zip(floats(claimed["logprobs"]), floats(own["logprobs"]), strict=True)
        found["mean_logprob_distance"] = math.fsum(abs(a - c) for a, c in pairs) / len(margins)
    if claimed["top"]:
        far = [max(abs(float(v) - float(s)), abs(float(v) - float(k)))
               for rows in zip(claimed["top"], own["claimed_top"], own["top"], strict=True)
               for v, s, k in zip(*rows, strict=True)]
        found["mean_top_logprob_distance"] = math.fsum(far) / len(far)
    if claimed["rows"] is not None:
        apart = [math.sqrt(math.fsum(((round(float(o) / (u := float(unit[0]))) - round(float(m) / u) + 8) % 16 - 8) ** 2
                                     * u * u for o, m in zip(row, mine, strict=True)) / len(row))
                 for row, unit, mine in zip(claimed["rows"], claimed["units"], own["rows"], strict=True)]
        nearest = sorted(apart)[: math.ceil(0.75 * len(apart))]
        found["fingerprint_distance"] = math.fsum(nearest) / len(nearest)
    return found

def beyond(profile, found):
    factor, honest = D(profile["safety_factor"]), profile["statistics"]
    return [name for name in NAMES if found[name] is not None and name in honest and D(float(found[name]))
            > factor * max(D(honest[name]["maximum"]), D(honest[name]["numeric_floor"]))]

def p_value(profile, name, value, alpha):
    honest, value = profile["statistics"][name], D(value)
    passed = [float(1 - D(q)) for q, top in honest["quantiles"].items() if value > D(top)]
    if value <= D(honest["numeric_floor"]):
        return 1.0
    return alpha if value > D(honest["maximum"]) else max(alpha, min(passed, default=1.0))

def judge(profile, sampler, found, noise):
    alpha, factor = 1 - 0.05 ** (1 / profile["sequences"]), D(profile["safety_factor"])
    if (gone := any(found[name] is None for name in profile["required"])) or sampler["kind"] not in profile["samplers"]:
        return "FRAUD" if gone else "UNKNOWN", 1.0, None
    outside, sure, each, seen = beyond(profile, found), [], [], False
    judged = [name for name in NAMES if found[name] is not None and name in profile["statistics"]]
    for name in judged:
        value, honest = D(float(found[name])), profile["statistics"][name]
        own, p = max((D(float(one[name] or 0)) for one in noise), default=D(0)), p_value(profile, name, value, alpha)
        screened = honest["screen"] is not None and value > D(honest["screen"])
        seen |= (suspect := screened or name in outside or p <= 0.01)
        by_ratio = None not in (honest["ratio"], honest["screen"]) and name not in NAMES[:3]
        past, most = (screened, factor * D(honest["ratio"])) if by_ratio else (name in outside, 2)
        if past and value > most * max(own, D("0.0001")):
            sure.append(name)
        elif not (suspect and value <= 2 * own):
            each.append(p)
    need(len(noise) >= 2 or not seen, "no self-noise")
    edit = max([D(profile["edit_margin"]), *(8 * D(float(one[name])) for one in noise for name in NAMES[:2])])
    if outside and D(max(found["max_margin"], found["end_margin"])) > edit:
        return "FRAUD", 1.0, None
    p = min(1.0, len(judged) * min(each + [alpha] * bool(sure), default=1.0))
    if not sure and not outside:
        return "PASS", p, math.log(0.25 / math.sqrt(p))
    if not sure or any(beyond(profile, one) for one in noise):
        return "UNKNOWN", 1.0, None
    return "BEYOND", p, math.log(0.25 / math.sqrt(p) + 0.5 / alpha)

def score(window, provider):
    values = []
    for share in BETS:
        sums, best = {}, (0.0, 0)
        for leaf in reversed(window["leaves"]):
            if (payer := leaf["payer"]) not in (*window["related"], provider):
                sums[payer] = sums.get(payer, 0.0) + math.log(1 - share + share * math.exp(float(leaf["log_e"])))
                best = max(best, (sum(min(CAP, s) for s in sums.values()), sum(s > 0 for s in sums.values())))
        values.append(best)
    top = max(values)
    return math.log(sum(math.exp(value - top[0]) for value, _ in values) / len(values)) + top[0], top[1]

def verify(b):
    need(b["format"] == "malla-bundle/1", "format")
    check_records(b)
    check_draw(b) if b["draw"] is not None else None
    check_session(b) if "session" in b else None
    evidence, said, value, convicts = b["records"][0]["evidence"], b["records"][0]["record"]["verdict"], None, False
    if b["numbers"] is None:
        return {"verdict": said, "p_value": 1.0, "log_e": None, "score": None, "recomputed": False}
    need(digest(b["numbers"]) == raw(evidence["numbers"]), "numbers")
    need(digest(b["profile"]) == raw(evidence["profile"]), "profile")
    check_ids(b, b["numbers"]["claimed"], evidence["sampler"]) if b["ids"] is not None else None
    kind, p, log_e = judge(b["profile"], evidence["sampler"], statistics(b["numbers"]), b["numbers"]["self_noise"])
    if b["score"] is not None:
        own = [x for x in b["score"]["leaves"] if all(x[k] == b["entry"][k] for k in ("batch_id", "index"))]
        need(log_e is None or [abs(float(x["log_e"]) - log_e) < 1e-6 for x in own] == [True], "score")
        value, payers = score(b["score"], b["entry"]["provider"])
        risen = sum(one > BOUND / 2 for one in (value, *floats(b["score"]["others"])))
        convicts = kind == "BEYOND" and value > BOUND and payers >= 3 and risen < 3
    need((kind := kind.replace("BEYOND", "UNKNOWN")) == said, "record")
    return {"verdict": "FRAUD" if convicts else kind, "p_value": p, "log_e": log_e, "score": value, "recomputed": True}

if __name__ == "__main__":
    try:
        result = verify(json.loads(Path(sys.argv[1]).read_text("utf-8")))
    except (AssertionError, OSError, LookupError, TypeError, ValueError, ArithmeticError, struct.error) as error:
        print(json.dumps({"error": f"{type(error).__name__}: {error}"}))
        sys.exit(3)
    print(json.dumps(result))
    sys.exit({"PASS": 0, "FRAUD": 1}.get(result["verdict"], 2))
