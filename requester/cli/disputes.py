"""`malla request job dispute` and `explain`: the oracles recompute an answer, against a bond."""

from __future__ import annotations

import dataclasses
import sys
from typing import Annotated, Any

import typer

from protocol.units import Wei, in_tokens
from requester.cli.options import AsJson, JobId
from requester.cli.terminal import plain_result, result_fields, speaking
from requester.ports.court import Dispute, DisputePlan

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before the bond is paid.")]
Again = Annotated[bool, typer.Option("--again", help="Dispute once more after nobody ruled.")]
MONEY = ("bond", "amount", "collected", "award")


def dispute(context: typer.Context, job_id: JobId, again: Again = False, yes: Yes = False,
            as_json: AsJson = False) -> None:
    """Deposit a bond and let every oracle recompute a job's answer; the oracles rule no vouchers of sessions. Called
    again it shows the case, and collects the bond, the compensation and the award that are due."""
    with speaking(as_json) as say:
        found = context.obj.connect().dispute(job_id, again=again, confirm=lambda plan: _confirm(plan, yes, as_json))
        say.out({"dispute": dispute_fields(found)}, "\n".join(dispute_lines(found)))


def explain(context: typer.Context, job_id: JobId, as_json: AsJson = False) -> None:
    """Why a job ended as it did: verdict, what was paid and came back, its dispute and how it was ruled."""
    with speaking(as_json) as say:
        client = context.obj.connect()
        found, case = client.result(job_id), client.case(job_id)
        text = plain_result(found) + "".join("\n" + line for line in (dispute_lines(case) if case else ()))
        say.out(result_fields(found) | {"dispute": dispute_fields(case) if case else None}, text)


def dispute_fields(found: Dispute) -> dict[str, Any]:
    """For JSON: wei as decimal strings."""
    return dataclasses.asdict(found) | {name: str(getattr(found, name)) for name in MONEY}


def dispute_lines(found: Dispute) -> list[str]:
    lines = [f"case {found.case_id}: {found.state}" + (" (opened now)" if found.is_new else "")
             + f", bond {_tokens(found.bond)}" + (", back in your wallet" if found.bond_back else "")]
    if found.state == "OPEN":
        lines.append(f"The oracles rule until second {found.deadline}.")
    if found.collected:
        lines.append(f"Collected {_tokens(found.collected)} into your wallet.")
    return [*lines, found.note]


def plan_lines(plan: DisputePlan) -> list[str]:
    """What a dispute costs and can bring, for people."""
    won = _tokens(plan.amount + plan.penalty)
    paid = won if plan.is_paid else f"{won} if the job is paid in the end"
    return [
        f"Dispute of job {plan.job_id}; it can be disputed until second {plan.until}.",
        f"  bond           {_tokens(plan.bond)} out of your wallet, now",
        f"  ruling         by a quorum of the oracles, until second {plan.rules_by}",
        f"  if you win     the bond returns, and {paid} out of the provider's stake",
        f"  if it is fraud besides that, up to {_tokens(plan.share)} of the provider's slash",
        "  if you lose    the whole bond: half goes to the provider, half is burned",
        "  if nobody rules the bond returns, and nothing else",
        "  Every oracle of the committee will see this job's prompt and answer.",
    ]


def _confirm(plan: DisputePlan, yes: bool, as_json: bool) -> None:
    """Raises typer.Exit: 1 when the answer is no, 2 when nobody can be asked."""
    if not as_json:
        typer.echo("\n".join(plan_lines(plan)))
    if yes:
        return
    if as_json or not sys.stdin.isatty():
        typer.echo("Nothing was sent, because nobody can be asked.\nAdd --yes.", err=True)
        raise typer.Exit(2)
    if not typer.confirm("Pay the bond?"):
        raise typer.Exit(1)


def _tokens(wei: int) -> str:
    return f"{in_tokens(Wei(wei))} MALLA"
