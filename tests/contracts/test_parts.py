"""The escrow is three contracts at one address: one storage, every function once, and nothing in two of them."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from brownie import interface, web3

from protocol.types import Outcome
from protocol.units import TOKEN
from tests.contracts.expect import at, refused
from tests.contracts.market import Market

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("JobEscrow", "EscrowDesk", "EscrowEnds")
SHARED = {"governor"}
"""Answered by `JobEscrow`; the others have it too, because all three are `Governed`."""


@pytest.fixture(scope="module")
def layouts(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """The storage layouts as the compiler says them, without the numbers that differ from contract to contract."""
    out = tmp_path_factory.mktemp("layouts")
    sources = [f"contracts/{name}.sol" for name in NAMES]
    command = [str(ROOT / ".venv" / "bin" / "forge"), "build", *sources, "--extra-output", "storageLayout"]
    places = {"FOUNDRY_OUT": str(out / "out"), "FOUNDRY_CACHE_PATH": str(out / "cache")}
    built = subprocess.run(command, cwd=ROOT, env=os.environ | places, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    return [_layout(out / "out" / f"{name}.sol" / f"{name}.json", name) for name in NAMES]


def _layout(artifact: Path, name: str) -> Any:
    text = json.dumps(json.loads(artifact.read_text())["storageLayout"])
    text = re.sub(r"\)\d+(?=[_,)\"])", ")", text.replace(f"contracts/{name}.sol:{name}", "here"))
    return json.loads(re.sub(r'"astId": \d+', '"astId": 0', text))


def call(address: Any, data: str) -> tuple[bool, str]:
    """Success, and what is returned or why it reverts, in hexadecimal."""
    request = {"to": str(address), "data": data, "gas": hex(5_000_000)}
    answer = web3.provider.make_request("eth_call", [request, "latest"])
    if "error" in answer:
        return False, str(answer["error"].get("data") or "0x")
    return True, str(answer["result"])


def parts(market: Market) -> dict[str, Any]:
    return {name: getattr(market.contracts, name) for name in NAMES}


def test_storage__of_the_three_parts__is_one_layout(layouts: list[Any]) -> None:
    """All code of the escrow means the same slot by the same name, down to the bytes of packed fields."""
    escrow, desk, ends = layouts
    assert escrow == desk == ends
    assert [entry["label"] for entry in escrow["storage"]] == ["_nameFallback", "_versionFallback", "_state"]
    state = next(its for key, its in escrow["types"].items() if "EscrowState" in key)
    assert [member["slot"] for member in state["members"]][:3] == ["0", "1", "2"]


def test_functions__of_the_manual__are_each_answered_by_exactly_one_part(market: Market) -> None:
    manual = {its["name"] for its in interface.IJobEscrow.abi if its["type"] == "function"}
    owners: dict[str, list[str]] = {name: [] for name in manual}
    for part, contract in parts(market).items():
        for name in contract.signatures:
            if name in manual:
                owners[name].append(part)
    shared = {name: its for name, its in owners.items() if len(its) != 1}
    assert shared == {name: list(NAMES) for name in SHARED}
    mine = set(market.contracts.JobEscrow.signatures)
    others = set(market.contracts.EscrowDesk.signatures) | set(market.contracts.EscrowEnds.signatures)
    assert (mine | others) - manual == {"eip712Domain"}


def test_selectors__of_all_functions__differ(market: Market) -> None:
    selectors: dict[str, str] = {}
    for contract in parts(market).values():
        for selector, name in contract.selectors.items():
            assert selectors.setdefault(selector, name) == name


def test_functions__of_every_part__are_reached_through_the_escrows_address(market: Market) -> None:
    """With arguments of zeros each succeeds or says why not in its own words; what is not there says nothing."""
    zeros = "00" * 32 * 40
    for contract in parts(market).values():
        for name, selector in contract.signatures.items():
            done, answer = call(market.escrow.address, selector + zeros)
            assert done or len(answer) >= 10, name


@pytest.mark.parametrize("data", ["0x", "0x00", "0x000000", "0x00000000", "0xdeadbeef", "0xffffffff" + "00" * 64])
def test_call__of_an_unknown_function__is_refused(market: Market, data: str) -> None:
    assert call(market.escrow.address, data) == (False, "0x")


def test_call__with_coins__is_refused(market: Market) -> None:
    """No function takes the chain's own coin, also not the one that delegates."""
    for selector in ("0x", market.contracts.EscrowDesk.signatures["refreshCoverage"]):
        request = {"to": str(market.escrow.address), "data": selector, "value": "0x1"}
        request["from"] = market.stranger.address
        assert "error" in web3.provider.make_request("eth_call", [request, "latest"])


def test_domain__of_signatures__is_the_escrows_in_every_part(market: Market) -> None:
    """Vouchers are checked by one part, settlements by another, offers by a third: in one domain."""
    domain = market.contracts.JobEscrow.eip712Domain()
    assert (domain[1], domain[2], domain[4]) == ("Malla", "1", market.escrow.address)
    opened = market.open_session()
    batch = market.commit([market.open()], vouchers=[market.voucher(opened, TOKEN)])
    market.settle(batch)


def test_parts__called_directly__move_nothing(market: Market) -> None:
    """Whoever calls a part at its own address, even as governance or as the court, works on its own empty storage."""
    desk = interface.IJobEscrow(market.contracts.EscrowDesk.address)
    ends = interface.IJobEscrow(market.contracts.EscrowEnds.address)
    job, opened, batch = market.open(duration=3_600), market.open_session(), market.committed()
    frozen = market.committed(provider=1)
    market.settle(frozen, outcome=Outcome.FRAUD)
    before, terms = market.snapshot(), market.escrow.parameters()
    requester, anyone = {"from": market.requesters[0].account}, {"from": market.stranger.account}
    court, governor = {"from": market.as_court}, {"from": market.as_governor}
    attempts: list[Any] = [
        lambda: desk.openSession(*market.session_arguments(market.offer()), requester),
        lambda: desk.topUpSession(opened.tuple, 5, requester),
        lambda: desk.closeSession(opened.tuple, requester),
        lambda: desk.finishSession(opened.tuple, anyone),
        lambda: ends.settle(*market.settlement([batch.decision()], [batch]), anyone),
        lambda: ends.matureByDefault(*batch.arguments, anyone),
        lambda: ends.forfeit(*frozen.arguments, anyone),
        lambda: ends.postOpenings(frozen.id, frozen.head_tuple, [b"x"], anyone),
        lambda: ends.recordStored(*batch.arguments, [0], [market.receipts(batch.entries[0].answer_digest)], anyone),
        lambda: ends.holdFreeze(frozen.id, 0, court),
        lambda: ends.releaseFreeze(*frozen.arguments, court),
        lambda: ends.convict(batch.id, batch.head_tuple, market.stranger.address, 1, court),
    ]
    at(market.default_from(batch))
    for attempt in attempts:
        with pytest.raises(Exception, match="revert"):
            attempt()
    desk.setTerms(list(dataclasses.astuple(dataclasses.replace(market.terms, fee_bps=0))), governor)
    desk.authoriseKey(market.stranger.address, 1, 2**39, [], requester)
    desk.pause(1, governor)
    desk.refreshCoverage(anyone)
    assert market.changes(before) == {}
    assert market.escrow.parameters() == terms and market.escrow.termsVersion() == 1
    assert market.escrow.pausedUntil() == 0
    assert market.escrow.keyRecord(market.requesters[0].address, market.stranger.address)[2] == 0
    for name in ("EscrowDesk", "EscrowEnds"):
        assert market.token.balanceOf(parts(market)[name].address) == 0
    market.commit([job], vouchers=[market.voucher(opened, 1)])


def test_court_hooks__of_a_part__are_refused_to_strangers(market: Market) -> None:
    ends = interface.IJobEscrow(market.contracts.EscrowEnds.address)
    with refused("OnlyCourt", market.stranger.address):
        ends.holdFreeze(1, 0, {"from": market.stranger.account})
