"""What stands between a machine and a working oracle: facts in, findings with severity and fix out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from protocol.units import in_tokens

MOST_SKEW = 30
LEAST_GAS = 10**16
"""Wei of the chain's coin below which a key is soon unable to send: 0.01."""


class Severity(StrEnum):
    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Finding:
    code: str
    severity: Severity
    message: str
    fix: str = ""


@dataclass(frozen=True)
class SeatFacts:
    """Read from the chain at one time. Amounts in wei; `clock_skew` is our clock minus the head's, seconds."""

    address: str
    chain_id: int
    clock_skew: int
    has_seat: bool
    is_member: bool
    stake_needed: int
    token_balance: int
    gas_balance: int
    url: str
    is_own_anchor: bool
    health: str


@dataclass(frozen=True)
class Facts:
    """A string that ends in `_error` is empty when all is well there, and None when it could not be looked at; `seat`
    is None when the chain told nothing."""

    settings_error: str
    keystore_error: str
    chain_error: str
    database_error: str | None
    broker_error: str | None
    model_error: str
    public_url: str
    seat: SeatFacts | None


def diagnose(facts: Facts) -> list[Finding]:
    """Every check in a fixed order; also what is well, so that nobody has to guess what was looked at."""
    return [*_services(facts), *(_seat(facts, facts.seat) if facts.seat else ())]


def worst(findings: list[Finding]) -> Severity:
    order = (Severity.ERROR, Severity.WARNING)
    return next((severity for severity in order if any(f.severity is severity for f in findings)), Severity.OK)


def _services(facts: Facts) -> Iterator[Finding]:
    for code, error in (
        ("settings", facts.settings_error), ("keystore", facts.keystore_error), ("chain", facts.chain_error),
        ("database", facts.database_error), ("broker", facts.broker_error), ("model", facts.model_error),
    ):  # fmt: skip
        if error is None:
            yield Finding(code, Severity.WARNING, f"The {code} was not looked at.", "Fix the settings first.")
        elif error:
            yield Finding(code, Severity.ERROR, error, "Fix what the message names, then run doctor again.")
        else:
            yield Finding(code, Severity.OK, f"The {code} can be used.")


def _seat(facts: Facts, seat: SeatFacts) -> Iterator[Finding]:
    if abs(seat.clock_skew) > MOST_SKEW:
        yield Finding("clock", Severity.WARNING, f"Our clock is {seat.clock_skew} s away from the newest block's.",
                      "Set the clock by NTP; on a quiet local chain, mine a block.")
    else:
        yield Finding("clock", Severity.OK, f"Our clock is {seat.clock_skew} s away from the newest block's.")
    if seat.gas_balance < LEAST_GAS:
        yield Finding("gas", Severity.ERROR, f"{seat.address} has {in_tokens(seat.gas_balance)} of the chain's coin.",
                      "Send it coin: settlements are transactions.")
    else:
        yield Finding("gas", Severity.OK, f"{in_tokens(seat.gas_balance)} of the chain's coin for gas.")
    if not seat.has_seat:
        yield Finding("seat", Severity.ERROR, f"{seat.address} has no seat on chain {seat.chain_id}.",
                      "Use the keystore of a seat of this deployment.")
    elif not seat.is_member:
        yield from _not_joined(seat)
    else:
        yield from _member(facts, seat)


def _not_joined(seat: SeatFacts) -> Iterator[Finding]:
    yield Finding("seat", Severity.WARNING, "The seat is not taken.", "Run: malla oracle join --url …")
    if seat.token_balance < seat.stake_needed:
        yield Finding("stake", Severity.ERROR,
                      f"{in_tokens(seat.token_balance)} MALLA, the seat locks {in_tokens(seat.stake_needed)}.",
                      f"Send {seat.address} the difference.")


def _member(facts: Facts, seat: SeatFacts) -> Iterator[Finding]:
    yield Finding("seat", Severity.OK, f"{seat.address} is a member of the committee.")
    if not seat.is_own_anchor:
        yield Finding("anchor", Severity.ERROR, "The seat's reveal anchor is not of this key: everything is drawn.",
                      "Resign, withdraw and join again with this keystore.")
    if facts.public_url and facts.public_url != seat.url:
        yield Finding("url", Severity.ERROR, f"The seat says {seat.url}, MALLA_PUBLIC_URL {facts.public_url}.",
                      f"Run: malla oracle join --url {facts.public_url}")
    if seat.health != "ready":
        yield Finding("api", Severity.WARNING, f"{seat.url} is not ready: {seat.health}.",
                      "Start api, worker and watch, and look at their logs.")
    else:
        yield Finding("api", Severity.OK, f"{seat.url} answers as ready.")
