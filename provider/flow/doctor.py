"""What stands between a machine and its first paid job: facts in, findings with severity and fix out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from protocol.units import in_tokens

GIB = 2**30
LEAST_MEMORY, LEAST_DISK = 2 * GIB, 2 * GIB
MOST_SKEW = 30
"""Seconds that our clock may be away from the chain's."""
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
class ChainFacts:
    """Read from the chain at one time; amounts are wei, `block_age` seconds between our clock and the head's."""
    chain_id: int
    block_age: int
    owner_gas: int
    node_gas: int
    token_balance: int
    active_stake: int
    registered_key: str | None
    frozen_batch: int
    oracles: dict[str, str]  # URL of each oracle → "" if it answers as ready, else why not


@dataclass(frozen=True)
class Facts:
    """Everything that was found out. A string that ends in `_error` is empty when all is well there."""
    owner: str | None
    node_key: str | None
    keystore_error: str
    gpu: dict[str, object]
    memory_free: int
    disk_free: int
    models: dict[str, tuple[str, str]]  # name of each → what is wrong with its file, and with its profile
    models_error: str
    chain: ChainFacts | None
    chain_error: str
    broker_error: str
    database_error: str
    port: int
    port_error: str
    is_running: bool  # it is this provider's own node that listens there
    offers: int


def diagnose(facts: Facts) -> list[Finding]:
    """Every check in a fixed order; also what is well, so that nobody has to guess."""
    return [*_machine(facts), *_services(facts), *_market(facts)]


def worst(findings: list[Finding]) -> Severity:
    return max((finding.severity for finding in findings), key=list(Severity).index, default=Severity.OK)


def _machine(facts: Facts) -> Iterator[Finding]:
    if facts.gpu.get("gpu") is None:
        yield Finding("GPU_NONE", Severity.WARNING, str(facts.gpu.get("note")) or "no NVIDIA GPU",
                      "Nothing is needed to serve small models on the CPU; for more, install the NVIDIA driver.")
    else:
        yield Finding("GPU", Severity.OK, "NVML answers.")
    yield _at_least("MEMORY", facts.memory_free, LEAST_MEMORY, "of memory are free", "Close other programs.")
    yield _at_least("DISK", facts.disk_free, LEAST_DISK, "of disk are free for the model", "Free some disk space.")
    yield _well("MODELS", facts.models_error, f"Served here: {', '.join(facts.models)}.", "Set MALLA_MODEL (--model).")
    for name, (file, profile) in facts.models.items():
        yield _well("MODEL", file, f"{name} is here and has its digest.", "Run: make setup")
        yield _well("PROFILE", profile, f"A calibration profile covers {name}.", "Serve a model that has one.")


def _services(facts: Facts) -> Iterator[Finding]:
    yield _well("DATABASE", facts.database_error, "PostgreSQL answers.", "Check MALLA_DATABASE_URL and that it runs.")
    yield _well("BROKER", facts.broker_error, "The broker answers.", "Check MALLA_BROKER_URL and that it runs.")
    port = f"Your node listens on the port {facts.port}." if facts.is_running else f"The port {facts.port} is free."
    yield _well("PORT", facts.port_error, port if facts.port else "A free port is chosen.", "Choose one: --http-port")
    yield _well("KEYSTORES", facts.keystore_error, f"Owner {facts.owner}, node key {facts.node_key}.",
                "Run: malla provider init")


def _market(facts: Facts) -> Iterator[Finding]:
    chain = facts.chain
    if chain is None:
        yield Finding("CHAIN", Severity.ERROR, facts.chain_error, "Check MALLA_RPC_URL and MALLA_DEPLOYMENT.")
        return
    yield Finding("CHAIN", Severity.OK, f"Chain {chain.chain_id} has the deployment's contracts.")
    yield _when("CLOCK", abs(chain.block_age) <= MOST_SKEW, Severity.WARNING,
                f"Our clock is {chain.block_age} s away from the newest block's.",
                "Set the clock (NTP), or wait for the chain's node to catch up.")
    for code, who, wei in (("GAS_OWNER", "The owner", chain.owner_gas), ("GAS_NODE", "The node key", chain.node_gas)):
        yield _when(code, wei >= LEAST_GAS, Severity.ERROR, f"{who} has {in_tokens(wei)} of the chain's coin.",
                    "Send it some: it cannot pay for transactions.")
    yield from _standing(facts, chain)


def _standing(facts: Facts, chain: ChainFacts) -> Iterator[Finding]:
    if chain.registered_key is None:
        yield Finding("REGISTERED", Severity.ERROR, "The owner is not registered.", "Run: malla provider register")
    elif facts.node_key is not None and chain.registered_key.lower() != facts.node_key.lower():
        other = f"On-chain the node key is {chain.registered_key}, here {facts.node_key}."
        yield Finding("NODE_KEY", Severity.ERROR, other, "Use the keystore of the registered key.")
    else:
        yield Finding("REGISTERED", Severity.OK, f"Registered with the node key {chain.registered_key}.")
    if chain.active_stake == 0:
        yield Finding("STAKE", Severity.ERROR,
                      f"Nothing is staked; the owner has {in_tokens(chain.token_balance)} tokens.",
                      "Run: malla provider stake AMOUNT")
    else:
        yield Finding("STAKE", Severity.OK, f"{in_tokens(chain.active_stake)} tokens are staked.")
    if chain.frozen_batch:
        yield Finding("FROZEN", Severity.ERROR, f"Batch {chain.frozen_batch} is frozen: oracles signed FRAUD.",
                      "Nothing opens or matures until the appeal window is over.")
    offers = f"Offers of yours that stand: {facts.offers}."
    yield _when("OFFERS", facts.offers > 0, Severity.WARNING, offers, "Run: malla provider offer set")
    missing = [f"{url} ({error})" for url, error in chain.oracles.items() if error]
    ready = len(chain.oracles) - len(missing)
    yield _when("ORACLES", ready > 0 and not missing, Severity.WARNING if ready else Severity.ERROR,
                f"{ready} of {len(chain.oracles)} oracles answer." + (f" Not: {', '.join(missing)}" if missing else ""),
                "Check that this machine may reach them.")


def _well(code: str, error: str, message: str, fix: str) -> Finding:
    return _when(code, not error, Severity.ERROR, error or message, fix)


def _at_least(code: str, found: int, least: int, what: str, fix: str) -> Finding:
    return _when(code, found >= least, Severity.WARNING, f"{found / GIB:.1f} GiB {what}.", fix)


def _when(code: str, holds: bool, otherwise: Severity, message: str, fix: str) -> Finding:
    return Finding(code, Severity.OK, message) if holds else Finding(code, otherwise, message, fix)
