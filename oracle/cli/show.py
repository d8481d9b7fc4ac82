"""`status` and `draw`: what the chain says of this oracle, and a batch's draw recomputed from public data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from oracle.cli.options import DeploymentFile, Json, Keystore, Place, Rpc
from oracle.cli.output import reporting, say
from protocol.units import in_tokens

BatchId = Annotated[int, typer.Argument(min=1, max=2**64 - 1, help="Id of the work batch.")]


def status(rpc_url: Rpc = "", deployment: DeploymentFile = None, keystore: Keystore = None, json: Json = False) -> None:
    """The seat, its stake and URL, the coin for gas, whether the api answers as ready, and what it counted against
    other auditors."""
    from oracle.wiring.console import ask_auditors, ask_health

    with reporting(json):
        place = Place(rpc_url, deployment, keystore)
        chain, address = place.chain(), place.address()
        seat, set_version = chain.oracle(address), chain.set_version()
        is_member = bool(set_version) and address in chain.members(set_version)
        health = ask_health(seat.url) if is_member else "not asked: no member"
        auditors = ask_auditors(seat.url) if is_member else []
        value = {
            "address": address, "has_seat": chain.has_seat(address), "is_member": is_member,
            "set_version": set_version, "stake": str(seat.stake), "release_at": seat.release_at, "url": seat.url,
            "gas_balance": str(chain.gas_balance(address)), "token_balance": str(chain.token_balance(address)),
            "health": health, "auditors": auditors,
        }
        say(json, value, [
            f"Oracle {address}",
            f"  member of set version {set_version}: {'yes' if is_member else 'no'}",
            f"  stake {in_tokens(seat.stake)} MALLA" + (f", released at {seat.release_at}" if seat.release_at else ""),
            f"  url {seat.url or 'none'}: {health}",
            f"  coin for gas {in_tokens(chain.gas_balance(address))}",
            *(f"  epoch {row.get('epoch')}: {row.get('oracle')} missed {row.get('missed')}, numbers off "
              f"{row.get('off_spread')}, copied {row.get('copied')}" for row in auditors[:12]),
        ])


def draw(batch_id: BatchId, rpc_url: Rpc = "", deployment: DeploymentFile = None, json: Json = False) -> None:
    """Recompute which entries of a batch are audited, and by whom, from public data alone. Needs no key.

    How many tokens an answer has, and its class of audit, stand in public reports and specs, and how many calls a
    voucher added in what oracles show of its session; where none shows them, group, class and calls are left out.
    """
    from oracle.flow.recompute import name_drawn_calls, name_groups, recompute_draw
    from oracle.wiring.console import fetch_added_calls, fetch_jobs, fetch_reveals
    from protocol.encoding import to_hex

    with reporting(json):
        chain = Place(rpc_url, deployment).chain()
        made, facts = recompute_draw(chain, batch_id, fetch_reveals)
        auditors = {i: facts["members"][made.auditors[i]] for i in made.drawn}
        jobs = fetch_jobs(chain, [facts["jobs"][i] for i in made.drawn])
        tokens = {i: jobs.get(facts["jobs"][i], {}).get("output_tokens") for i in made.drawn}
        classes = {i: jobs.get(facts["jobs"][i], {}).get("audit") for i in made.drawn}
        groups = name_groups(made, tokens)
        added = fetch_added_calls(chain, batch_id, facts["vouchers"])
        calls = name_drawn_calls(made, added, facts["audit_bps"], len(facts["members"]))
        missing = [member for member, reveal in facts["reveals"].items() if reveal is None]
        value = {
            "batch_id": batch_id, "epoch": facts["epoch"], "block": facts["block"],
            "block_hash": to_hex(facts["block_hash"]) if facts["block_hash"] else None,
            "reveals": {m: to_hex(r) if r else None for m, r in facts["reveals"].items()},
            "seed": to_hex(made.seed) if made.seed else None, "audit_bps": facts["audit_bps"],
            "floor_bps": facts["floor_bps"], "burned": str(facts["burned"]), "provider": facts["provider"],
            "group_seed": to_hex(made.group_seed), "groups": {str(i): group for i, group in groups.items()},
            "classes": {str(i): name for i, name in classes.items()},
            "entries": facts["entries"], "drawn": list(made.drawn),
            "auditors": {str(i): a for i, a in auditors.items()},
            "vouchers": {str(i): to_hex(facts["vouchers"][i]) for i in facts["vouchers"]},
            "calls": [{"unit": row["unit"], "entry": row["index"], "number": row["number"],
                       "auditor": facts["members"][row["seat"]]} for row in calls],
        }
        say(json, value, [
            f"Batch {batch_id}: {len(made.drawn)} of {facts['entries']} entries drawn at {facts['audit_bps']} bps",
            f"  rate from {in_tokens(facts['burned'])} MALLA burned by {facts['provider']}, at least "
            f"{facts['floor_bps']} bps",
            f"  seed {value['seed'] or 'none, so everything is drawn'}",
            *(f"  no valid reveal of epoch {facts['epoch']} from {member}" for member in missing),
            *(f"  entry {i}: {auditor}" + (f", class {classes[i]}" if classes[i] else "")
              + (f", fingerprint group {groups[i]}" if i in groups else "") for i, auditor in auditors.items()),
            *(f"  entry {i}: a voucher of session {to_hex(own)}" + ("" if i in added else ", its calls are not shown")
              for i, own in facts["vouchers"].items()),
            *(f"  call {row['number']} of entry {row['index']} (unit {row['unit']}): {facts['members'][row['seat']]}"
              for row in calls),
        ])


def bundle(
    batch_id: BatchId,
    index: Annotated[int, typer.Argument(min=0, max=2**20 - 1, help="Entry of the batch, or a call's unit.")],
    output: Annotated[Path, typer.Option("--output", help="File to write the bundle to.")],
    consent: Annotated[str, typer.Option("--consent", help="The requester's signature, for the token ids.")] = "",
    rpc_url: Rpc = "", deployment: DeploymentFile = None, keystore: Keystore = None, json: Json = False,
) -> None:
    """Fetch the evidence bundle of an audit from this oracle's api, for `malla verify`."""
    from oracle.wiring.console import fetch_bundle

    with reporting(json):
        found = fetch_bundle(Place(rpc_url, deployment, keystore).own_api(), batch_id, index, consent)
        output.write_bytes(found)
        say(json, {"output": str(output), "bytes": len(found)}, [
            f"{output}: {len(found)} bytes; read it with: malla verify {output}",
        ])
