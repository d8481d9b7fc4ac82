"""`malla oracle`: the seat, its state, calibration, and the draw for anybody who wants to recompute it."""

from __future__ import annotations

import typer

from oracle.cli import canaries, cases, challenges, check, seat, show

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Verify work and settle it: the oracle's node.")
app.command("join")(seat.join)
app.command("resign")(seat.resign)
app.command("withdraw")(seat.withdraw)
app.command("status")(show.status)
app.command("draw")(show.draw)
app.command("bundle")(show.bundle)
app.command("cases")(cases.cases)
app.command("challenge")(challenges.challenge)
app.add_typer(canaries.app, name="canary")
app.command("doctor")(check.doctor)
app.command("calibrate")(check.calibrate)
