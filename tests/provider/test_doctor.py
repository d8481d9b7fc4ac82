"""Each thing that is wrong becomes one finding with its code, severity and fix."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from provider.flow.doctor import GIB, ChainFacts, Facts, Severity, diagnose, worst

CHAIN = ChainFacts(31337, 2, 10**18, 10**18, 10**20, 10**21, "0xNode", 0, {"http://a": "", "http://b": ""})
WELL = Facts("0xOwner", "0xNode", "", {"gpu": {"devices": []}, "note": ""}, 8 * GIB, 50 * GIB, {"Test-1": ("", "")},
             "", CHAIN, "", "", "", 8000, "", False, 1)


def test_diagnose__all_is_well__every_finding_is_ok_and_has_no_fix() -> None:
    findings = diagnose(WELL)
    assert worst(findings) is Severity.OK
    assert {finding.fix for finding in findings} == {""}
    assert len({finding.code for finding in findings}) == len(findings) == 18


def test_diagnose__own_node_listens__the_port_is_well() -> None:
    """Who looks while the node runs is not told to choose another port."""
    (found,) = [one for one in diagnose(replace(WELL, is_running=True)) if one.code == "PORT"]
    assert (found.severity, found.message) == (Severity.OK, "Your node listens on the port 8000.")


@pytest.mark.parametrize(
    ("changes", "code", "severity"),
    [
        ({"gpu": {"gpu": None, "note": "no NVIDIA GPU: none"}}, "GPU_NONE", Severity.WARNING),
        ({"memory_free": GIB}, "MEMORY", Severity.WARNING),
        ({"disk_free": GIB}, "DISK", Severity.WARNING),
        ({"models_error": "a mix"}, "MODELS", Severity.ERROR),
        ({"models": {"A": ("another digest", ""), "B": ("", "")}}, "MODEL", Severity.ERROR),
        ({"models": {"A": ("", ""), "B": ("", "no profile")}}, "PROFILE", Severity.ERROR),
        ({"database_error": "away"}, "DATABASE", Severity.ERROR),
        ({"broker_error": "away"}, "BROKER", Severity.ERROR),
        ({"port_error": "in use"}, "PORT", Severity.ERROR),
        ({"keystore_error": "missing"}, "KEYSTORES", Severity.ERROR),
        ({"chain": None, "chain_error": "away"}, "CHAIN", Severity.ERROR),
        ({"offers": 0}, "OFFERS", Severity.WARNING),
    ],
)
def test_diagnose__fact_of_the_machine__its_finding(changes: dict[str, Any], code: str, severity: Severity) -> None:
    findings = diagnose(replace(WELL, **changes))
    found = [finding for finding in findings if finding.severity is not Severity.OK]
    assert [(f.code, f.severity) for f in found] == [(code, severity)]
    assert found[0].fix and worst(findings) is severity


@pytest.mark.parametrize(
    ("changes", "code", "severity"),
    [
        ({"block_age": 31}, "CLOCK", Severity.WARNING),
        ({"block_age": -31}, "CLOCK", Severity.WARNING),
        ({"owner_gas": 0}, "GAS_OWNER", Severity.ERROR),
        ({"node_gas": 10**16 - 1}, "GAS_NODE", Severity.ERROR),
        ({"active_stake": 0}, "STAKE", Severity.ERROR),
        ({"registered_key": None}, "REGISTERED", Severity.ERROR),
        ({"registered_key": "0xOther"}, "NODE_KEY", Severity.ERROR),
        ({"frozen_batch": 7}, "FROZEN", Severity.ERROR),
        ({"oracles": {"http://a": "", "http://b": "status 503"}}, "ORACLES", Severity.WARNING),
        ({"oracles": {"http://a": "ConnectError"}}, "ORACLES", Severity.ERROR),
        ({"oracles": {}}, "ORACLES", Severity.ERROR),
    ],
)
def test_diagnose__fact_of_the_chain__its_finding(changes: dict[str, Any], code: str, severity: Severity) -> None:
    found = [f for f in diagnose(replace(WELL, chain=replace(CHAIN, **changes))) if f.severity is not Severity.OK]
    assert [(f.code, f.severity) for f in found] == [(code, severity)]
    assert found[0].fix
