"""`malla provider`: keys, stake, offers, and the node's processes."""

from __future__ import annotations

import typer

from provider.cli import appeal, offers, run, setup, show, stake

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Serve models: keys, stake, offers, the node.")
app.command("init")(setup.init)
app.command("doctor")(show.doctor)
app.command("register")(setup.register)
app.command("stake")(stake.stake)
app.command("unstake")(stake.unstake)
app.command("withdraw")(stake.withdraw)
app.command("appeal")(appeal.appeal)
app.add_typer(offers.app, name="offer")
app.command("start")(run.start)
app.command("status")(show.status)
app.command("jobs")(show.jobs)
app.command("sessions")(show.sessions)
app.command("earnings")(show.earnings)
