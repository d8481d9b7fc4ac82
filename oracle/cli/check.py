"""`doctor` and `calibrate`."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from oracle.cli.options import DeploymentFile, Json, Keystore, PasswordFile, Place, Rpc
from oracle.cli.output import REFUSED, reporting, say
from protocol.errors import MallaError

Model = Annotated[str, typer.Argument(help="Name of the model, such as SmolLM2-135M-Instruct.")]
Output = Annotated[Path | None, typer.Option("--output", help="File to write the profile to.")]
Dtype = Annotated[str, typer.Option("--dtype", help="What the providers of the class compute in: f32 or bf16.")]
Sequences = Annotated[int, typer.Option("--sequences", help="Honest runs, at least 200; about 2 s each.")]


def doctor(
    rpc_url: Rpc = "", deployment: DeploymentFile = None, keystore: Keystore = None,
    password_file: PasswordFile = None, json: Json = False,
) -> None:
    """Look at everything that the oracle needs. Exit status 1 when something keeps it from working."""
    from oracle.flow.doctor import Severity, diagnose, worst

    findings = diagnose(_gather(Place(rpc_url, deployment, keystore, password_file)))
    marks = {Severity.OK: "ok  ", Severity.WARNING: "warn", Severity.ERROR: "FAIL"}
    lines = []
    for finding in findings:
        lines.append(f"{marks[finding.severity]} {finding.code}: {finding.message}")
        if finding.fix:
            lines.append(f"     {finding.fix}")
    say(json, {"worst": worst(findings), "findings": [asdict(finding) for finding in findings]}, lines)
    if worst(findings) is Severity.ERROR:
        raise typer.Exit(REFUSED)


def calibrate(
    model: Model, output: Output = None, sequences: Sequences = 240, dtype: Dtype = "f32", json: Json = False,
) -> None:
    """Measure a calibration profile from honest runs on this machine. Takes about eight minutes on two cores."""
    from oracle.wiring.console import run_calibration

    def show(sentence: str, part: float) -> None:
        if not json:
            typer.echo(f"\r{part:4.0%} {sentence:<60.60}", nl=not sys.stderr.isatty(), err=True)

    with reporting(json):
        if output is not None:
            output.open("ab").close()  # eight minutes of work must not end at a path that cannot be written
        digest, profile = run_calibration(model, output, sequences, dtype, show)
        statistics = {name: asdict(found) for name, found in profile.statistics.items()}
        value = {"model": profile.model, "digest": "0x" + digest.hex(), "sequences": profile.sequences,
                 "comparisons": profile.comparisons, "statistics": statistics}
        say(json, value, [
            f"Profile 0x{digest.hex()} of {profile.model}: {profile.sequences} sequences, "
            f"{profile.comparisons} comparisons",
            *(f"  {name}: honest maximum {found['maximum']}" for name, found in statistics.items()),
        ])


def _gather(place: Place) -> Any:
    from oracle.config import Settings
    from oracle.flow.doctor import Facts
    from oracle.wiring.console import probe_model, probe_services

    settings_error = keystore_error = ""
    services: dict[str, str | None] = {"database": None, "broker": None}
    public_url, key = "", None
    try:
        settings = Settings.from_env(os.environ)
        services, public_url = dict(probe_services(settings)), settings.public_url
    except MallaError as error:
        settings_error = f"{error.message} {error.fix}"
    try:
        key = place.key()
    except MallaError as error:
        keystore_error = error.message
    seat, chain_error = None, ""
    try:
        chain = place.chain()
        seat = _look_at_seat(chain, key) if key is not None else None
    except MallaError as error:
        chain_error = error.message
    return Facts(settings_error, keystore_error, chain_error, services["database"], services["broker"],
                 probe_model(), public_url, seat)


def _look_at_seat(chain: Any, key: bytes) -> Any:
    from oracle.flow.doctor import SeatFacts
    from oracle.wiring.console import ask_health, derive_seat
    from protocol.signing import Signer

    address, set_version, head = Signer(key).address, chain.set_version(), chain.head()
    seat = chain.oracle(address)
    is_member = bool(set_version) and address in chain.members(set_version)
    return SeatFacts(
        address, chain.deployment.chain_id, int(time.time()) - head.timestamp, chain.has_seat(address), is_member,
        chain.seat_stake(), chain.token_balance(address), chain.gas_balance(address), seat.url,
        derive_seat(key)[1] == seat.anchor, ask_health(seat.url) if is_member else "",
    )
