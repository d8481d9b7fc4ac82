"""`malla request …` and `malla receipt …`. Amounts are MALLA on the command line and wei, as strings, in JSON."""

from __future__ import annotations

import typer

from requester.cli import batch, disputes, gateway, jobs, money, receipts, sessions
from requester.cli.options import Deployment, Home, KeepAnswers, Keystore, PasswordFile, RpcUrl
from requester.cli.terminal import Session

app = typer.Typer(no_args_is_help=True, add_completion=False)
request_app = typer.Typer(no_args_is_help=True, help="Ask for work: deposit, open jobs, read answers.")
job_app = typer.Typer(no_args_is_help=True, help="One job: submit, watch, result, cancel, dispute, explain, list.")
app.add_typer(request_app, name="request")
app.add_typer(receipts.app, name="receipt")

request_app.add_typer(job_app, name="job")
job_app.command("submit")(jobs.submit)
job_app.command("watch")(jobs.watch)
job_app.command("transcript")(jobs.transcript)
job_app.command("result")(jobs.result)
job_app.command("cancel")(jobs.cancel)
job_app.command("dispute")(disputes.dispute)
job_app.command("explain")(disputes.explain)
job_app.command("list")(jobs.list_jobs)
request_app.command("serve")(gateway.serve)
request_app.add_typer(gateway.app, name="keys")
request_app.add_typer(batch.app, name="batch")
request_app.command("sessions")(sessions.sessions)
request_app.command("quote")(sessions.quote)
request_app.command("offers")(sessions.offers)
request_app.command("close")(sessions.close)
request_app.command("balance")(money.balance)
request_app.command("deposit")(money.deposit)
request_app.command("withdraw")(money.withdraw)


@request_app.callback()
def connection(context: typer.Context, rpc_url: RpcUrl = None, deployment: Deployment = None,
               keystore: Keystore = None, password_file: PasswordFile = None, home: Home = None,
               keep_answers: KeepAnswers = None) -> None:
    """Ask for work: deposit, open jobs, read answers."""
    context.obj = Session(rpc_url, deployment, keystore, password_file, home, keep_answers)
