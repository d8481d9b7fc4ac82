"""`doctor`, `status`, `jobs`, `sessions`, `earnings`: nothing here sends or asks for a password."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from protocol.errors import ConfigInvalid
from protocol.units import in_tokens
from provider.cli.options import DEFAULT_HOME, Database, DeploymentFile, Home, Json, OwnerKeystore, Place, Rpc
from provider.cli.output import OK, REFUSED, reporting, say, table
from provider.cli.run import Broker, Port
from provider.config import DEFAULT_MODEL

Model = Annotated[str, typer.Option("--model", envvar="MALLA_MODEL", help="Served models, between commas.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=1000, help="Most rows.")]
StageName = Annotated[str | None, typer.Option("--stage", help="Only jobs in this stage, such as COMMITTED.")]
WhyNot = Annotated[bool, typer.Option(
    "--why-not", help="Instead: jobs and sessions that others got for the models you have offers for, and why. "
    "Asks oracles and the chain (--rpc-url), no database; --home and --keystore say who you are.")]
AlsoModel = Annotated[str, typer.Option("--model", envvar="MALLA_MODEL", show_default=False,
                                        help="With --why-not: models that you serve, offer or not, between commas.")]


def doctor(
    home: Home = DEFAULT_HOME, rpc_url: Rpc = "", deployment: DeploymentFile = None, keystore: OwnerKeystore = None,
    database_url: Database = "", broker_url: Broker = "", http_port: Port = 0, model: Model = DEFAULT_MODEL,
    json: Json = False,
) -> None:
    """Check everything between this machine and its first paid job. Exit status 1 if something is wrong."""
    from provider.flow.doctor import Severity, diagnose, worst
    from provider.wiring.console import gather_facts

    with reporting(json):
        place = Place(home, rpc_url, deployment, None, keystore)
        facts = gather_facts(place.owner_keystore, place.node_keystore, home, model, database_url, broker_url,
                             http_port, lambda: _chain(place))
        findings = diagnose(facts)
        severity = worst(findings)
    marks = {Severity.OK: "ok  ", Severity.WARNING: "warn", Severity.ERROR: "FAIL"}
    lines = []
    for finding in findings:
        lines.append(f"{marks[finding.severity]}  {finding.code:<10}  {finding.message}")
        if finding.fix:
            lines.append(f"                  fix: {finding.fix}")
    say(json, {"severity": severity, "findings": [asdict(finding) for finding in findings]}, lines)
    raise typer.Exit(REFUSED if severity is Severity.ERROR else OK)


def status(
    home: Home = DEFAULT_HOME, rpc_url: Rpc = "", deployment: DeploymentFile = None, keystore: OwnerKeystore = None,
    database_url: Database = "", json: Json = False,
) -> None:
    """Stake and reserve on-chain, whether oracles show your offers, and what the node is doing."""
    from provider.cli.sending import open_chain, owner_address, view_stake
    from provider.wiring.console import read_node_status, read_visibility

    with reporting(json):
        place = Place(home, rpc_url, deployment, None, keystore)
        chain, owner = open_chain(place), owner_address(place)
        view, record = view_stake(chain, owner), chain.provider_record(owner)
        seen = read_visibility(chain, owner)
        node = read_node_status(database_url) if database_url else None
        value: dict[str, Any] = {
            "owner": owner, "node_key": view.node_key, "active_stake_wei": str(view.active),
            "unstaking_wei": str(view.unstaking), "reserved_wei": str(record.reserved),
            "frozen_batch": record.frozen_batch, "convicted": record.convicted_at > 0,
            "earnings_wei": str(view.earnings), "oracles": seen, "node": node,
        }
        visible = sum(count for count in seen.values() if isinstance(count, int) and count > 0)
        lines = [
            f"owner        {owner}", f"node key     {view.node_key or 'not registered'}",
            f"stake        {in_tokens(view.active)} active, {in_tokens(view.unstaking)} unstaking",
            f"reserved     {in_tokens(record.reserved)} in open jobs",
            f"free balance {in_tokens(view.earnings)} in the escrow",
            f"visible      {'yes' if visible else 'no'}: " + ", ".join(f"{url} {count}" for url, count in seen.items()),
        ]
        if record.frozen_batch:
            lines.append(f"FROZEN       batch {record.frozen_batch}: oracles signed against it; if wrongly for FRAUD: "
                         f"malla provider appeal {record.frozen_batch}")
        if node is not None:
            waiting = ", ".join(node["waiting_for"])
            lines.append("node         " + ("ready" if node["ready"] else f"waiting for {waiting}"))
            lines.append("jobs         " + (", ".join(f"{k} {v}" for k, v in node["jobs"].items()) or "none yet"))
        say(json, value, lines)


def jobs(
    database_url: Database = "", limit: Limit = 20, stage: StageName = None, why_not: WhyNot = False,
    model: AlsoModel = "", home: Home = DEFAULT_HOME, rpc_url: Rpc = "", deployment: DeploymentFile = None,
    keystore: OwnerKeystore = None, json: Json = False,
) -> None:
    """The node's jobs, newest first, each with its stage and its reason; or, with --why-not, those of others."""
    from provider.cli.why_not import tell_lost
    from provider.wiring.console import read_jobs

    with reporting(json):
        if why_not:
            tell_lost(Place(home, rpc_url, deployment, None, keystore), model, limit, json)
            return
        rows = read_jobs(_require(database_url), limit, stage.upper() if stage else None)
        cells = [(str(row["id"])[:18], str(row["stage"]), f"{row['input_tokens']}+{row['output_tokens'] or 0}",
                  in_tokens(int(str(row["price_wei"]))), in_tokens(int(str(row["paid_wei"] or 0))),
                  str(row["batch_id"] or ""), str(row["reason"])[:60]) for row in rows]
        heads = ("job", "stage", "tokens", "reserved", "paid", "batch", "reason")
        say(json, {"jobs": rows}, table(cells, heads) if rows else ["There are no jobs yet."])


def sessions(database_url: Database = "", limit: Limit = 20, json: Json = False) -> None:
    """Sessions that requesters opened with you, newest first: what is owed, signed, committed and paid."""
    from provider.wiring.console import read_sessions

    with reporting(json):
        rows = read_sessions(_require(database_url), limit)
        amounts = ("cap_wei", "owed_wei", "signed_wei", "committed_wei", "earned_wei")
        cells = [(str(row["id"])[:18], str(row["state"]), str(row["calls"]), str(row["running"]), str(row["tokens"]),
                  *(in_tokens(int(str(row[name]))) for name in amounts)) for row in rows]
        heads = ("session", "state", "calls", "running", "tokens", "cap", "owed", "signed", "committed", "paid")
        say(json, {"sessions": rows}, table(cells, heads) if rows else ["There are no sessions yet."])


def earnings(database_url: Database = "", json: Json = False) -> None:
    """What the node's work batches have brought, what is still pending, what was slashed."""
    from provider.wiring.console import read_earnings

    with reporting(json):
        found = read_earnings(_require(database_url))
        say(json, found.as_json(), [
            f"paid out   {in_tokens(found.payout)} for {found.jobs_paid} jobs and {found.vouchers_paid} vouchers "
            f"(after {in_tokens(found.fee)} of fees)",
            f"pending    {in_tokens(found.pending)} in batches that are not matured yet",
            f"signed     {in_tokens(found.unclaimed)} in vouchers that are not committed yet",
            f"slashed    {in_tokens(found.slashed)}", "Take it out with: malla provider withdraw --earnings",
        ])


def _chain(place: Place) -> Any:
    from provider.cli.sending import open_chain

    return open_chain(place)


def _require(database_url: str) -> str:
    if not database_url:
        raise ConfigInvalid("No database is named.", "Give --database-url URL, or set MALLA_DATABASE_URL.")
    return database_url
