"""`appeal`: the owner asks the whole committee to look again at a batch that is frozen for FRAUD."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from protocol.chain.events import BatchCommitted
from protocol.encoding import to_hex
from protocol.types import Ruling
from protocol.units import Wei
from provider.cli.options import (
    DEFAULT_HOME,
    DeploymentFile,
    DryRun,
    Home,
    Json,
    OwnerKeystore,
    PasswordFile,
    Place,
    Rpc,
    Yes,
)
from provider.cli.output import confirm, reporting, say
from provider.flow.appealing import AppealCase, AppealView, case_line, plan_appeal

BatchId = Annotated[int, typer.Argument(min=1, max=2**63 - 1, help="Of your frozen batch; `status` shows it.")]


def appeal(
    batch_id: BatchId, home: Home = DEFAULT_HOME, rpc_url: Rpc = "", deployment: DeploymentFile = None,
    password_file: PasswordFile = None, keystore: OwnerKeystore = None, json: Json = False, yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """Deposit the bond and let the committee rule again on a batch frozen for FRAUD. Called again it shows the case,
    and takes back the bond of one that nobody ruled in time."""
    from provider.cli.sending import open_chain, open_owner, owner_address

    with reporting(json):
        place = Place(home, rpc_url, deployment, password_file, keystore)
        chain = open_chain(place)
        view = view_appeal(chain, owner_address(place), batch_id)
        if view.case is not None:
            _show_case(chain, place, view, view.case, json, dry_run)
            return
        effects = plan_appeal(view)
        plan: dict[str, Any] = {
            "batch_id": batch_id, "bond_wei": str(view.bond), "until": view.until, "sent": False,
            "changes": [{"what": one.what, "before": one.before, "after": one.after} for one in effects]}
        if not json:
            typer.echo(f"Appeal against the freeze of batch {batch_id}.")
            for effect in effects:
                typer.echo(f"  {effect.what}: " + (f"{effect.before} → " if effect.before else "") + effect.after)
        if dry_run:
            say(json, plan, ["Nothing was sent."])
            return
        confirm(yes, json)
        tx = _send_appeal(chain, open_owner(place), view)
        found = view_appeal(chain, view.owner, batch_id).case
        say(json, plan | {"sent": True, "tx": tx, "case": _fields(found, view.now) if found else None},
            [case_line(found, view.now) if found else f"Sent: {tx}."])


def view_appeal(chain: Any, owner: Any, batch_id: int) -> AppealView:
    """The batch, its freeze, its case and the terms, at the head. Errors: ChainUnreachable."""
    placed, batch, terms = chain.commitment_of(batch_id), chain.batch(batch_id), chain.court_terms()
    entries = placed.event.entries if placed is not None else ()
    stake, case_id = chain.provider(owner), chain.appeal_of(batch_id)
    record = chain.court_case(case_id) if case_id else None
    slash = (stake.active + stake.unstaking) * chain.parameters().slash_bps // 10_000
    return AppealView(
        batch_id, owner, placed.event.provider if placed is not None else None, batch.state, batch.outcome,
        chain.freeze_of(batch_id).until, chain.head().timestamp, terms.appeal_bond, terms.ruling_window,
        chain.token_balance(owner), Wei(sum(entry.amount for entry in entries)), Wei(slash),
        AppealCase(case_id, record.ruling, record.deadline, record.bond) if record is not None else None)


def _send_appeal(chain: Any, owner: Any, view: AppealView) -> str:
    """Approve the bond if that was not done before, then appeal. Errors: ChainRefused, Unavailable."""
    from protocol.chain.sender import send_and_wait

    court = chain.deployment.court
    if chain.allowance(owner.address, court) < view.bond:
        send_and_wait(chain, owner, chain.approve(court, view.bond))
    placed = chain.commitment_of(view.batch_id)
    assert isinstance(placed.event, BatchCommitted)  # plan_appeal refuses a batch without one
    head = placed.event.head(placed.block, placed.timestamp)
    call = chain.appeal(view.batch_id, head, placed.event.entries)
    chain.simulate(call, owner.address)
    return to_hex(send_and_wait(chain, owner, call).tx_hash)


def _show_case(chain: Any, place: Place, view: AppealView, case: AppealCase, json: bool, dry_run: bool) -> None:
    """A case that is there; the bond of one that nobody ruled in time is taken back, which costs its owner gas only."""
    from protocol.chain.sender import send_and_wait
    from provider.cli.sending import open_owner

    if case.ruling is Ruling.NONE and view.now >= case.deadline and not dry_run:
        send_and_wait(chain, open_owner(place), chain.close_by_default(case.case_id))
        case = view_appeal(chain, view.owner, view.batch_id).case or case
    say(json, {"batch_id": view.batch_id, "sent": False, "case": _fields(case, view.now)}, [case_line(case, view.now)])


def _fields(case: AppealCase, now: int) -> dict[str, Any]:
    state = "OPEN" if case.ruling is Ruling.NONE else case.ruling.name
    return {"case_id": case.case_id, "state": state, "deadline": case.deadline, "bond_wei": str(case.bond),
            "text": case_line(case, now)}
