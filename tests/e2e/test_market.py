"""The demo's path, smaller: honest work is paid to the wei, a cheat is convicted, slashed, and its jobs refunded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from protocol.chain.events import BatchMatured, BatchSkipped, JobSettled, ProviderConvicted
from protocol.chain.records import Call
from protocol.chain.sender import send_and_wait
from protocol.economics import fee, slashed
from protocol.errors import Refused
from requester.records.jobs import JobResult
from scripts.demo import Seen, list_parties, summarise
from scripts.showcase.jobs import Followed, Order
from scripts.showcase.summary import read_balances
from scripts.testnet.parties import DEPOSIT, open_signer
from tests.e2e.market import CHEAT, Market
from tests.e2e.schema import find_breaches

SCHEMA = Path(__file__).resolve().parents[2] / "docs" / "demo-summary.schema.json"


@pytest.fixture(scope="module")
def honest(market: Market) -> list[JobResult]:
    """Three jobs of three requesters over both honest providers, ended."""
    asked = [
        market.ask("What is the capital of France?", "provider-1", "requester-1"),
        market.ask("Name two animals of the desert.", "provider-2", "requester-2"),
        market.ask("Why does ice float on water?", "provider-1", "requester-3"),
    ]
    return [one.result() for one in asked]


def test_ask__unknown_provider__is_refused_and_costs_nothing(market: Market) -> None:
    client = market.clients["requester-1"]
    before = client.balances()
    with pytest.raises(Refused, match="providers not wanted"):
        client.submit("Hello?", provider="0x" + "11" * 20, max_tokens=8)
    assert client.balances().escrow == before.escrow


def test_ask__price_over_the_cap__is_refused_and_costs_nothing(market: Market) -> None:
    client = market.clients["requester-1"]
    before = client.balances()
    with pytest.raises(Refused, match="cost more than the cap"):
        client.submit("Hello?", max_price=1, max_tokens=8)
    assert client.balances().escrow == before.escrow


def test_honest_jobs__settled_by_quorum__are_paid_to_the_wei(market: Market, honest: list[JobResult]) -> None:
    for result in honest:
        market.require_paid_once(result)
        assert result.text and result.output_tokens > 0
    market.require_exact_ledgers()


def test_provider__after_honest_jobs__has_its_payments_less_the_fee_of_each_batch(
    market: Market, honest: list[JobResult]
) -> None:
    events = [item.event for item in market.chain.events(0, market.chain.head().number)]
    for provider in {result.provider for result in honest}:
        matured = [event for event in events if isinstance(event, BatchMatured) and event.provider == provider]
        for batch in matured:
            settled = [event for event in events if isinstance(event, JobSettled) and event.batch_id == batch.batch_id]
            paid = sum(event.paid for event in settled)
            assert batch.fee == fee(paid, market.chain.parameters().fee_bps)
            assert batch.payout == paid - batch.fee
        assert market.chain.free_balance(provider) == sum(batch.payout for batch in matured) > 0


def test_honest_job__receipt__is_written_and_names_the_answer(honest: list[JobResult]) -> None:
    for result in honest:
        document = json.loads(Path(result.receipt_path).read_text())
        assert document["receipt"]["answer"]["text"] == result.text


def test_settlement__sent_a_second_time_by_somebody_else__pays_once(market: Market, honest: list[JobResult]) -> None:
    first = honest[0]
    sent = market.chain.rpc.request("eth_getTransactionByHash", [first.settlement_tx])
    stranger, _ = open_signer(market.what.requesters[0].keystore, market.what.requesters[0].password_file)
    before = [market.chain.free_balance(account) for account in (first.provider, first.requester)]

    again = Call(market.chain.deployment.escrow, bytes.fromhex(sent["input"][2:]), "The same settlement again.")
    receipt = send_and_wait(market.chain, stranger, again)
    assert any(isinstance(item.event, BatchSkipped) for item in receipt.events)
    assert [market.chain.free_balance(account) for account in (first.provider, first.requester)] == before
    assert len(market.ends_of(first.job_id)) == 1
    market.require_exact_ledgers()


@pytest.fixture(scope="module")
def stake_before(market: Market) -> int:
    return market.chain.provider(market.owner(CHEAT)).active


@pytest.fixture(scope="module")
def cheated(market: Market, stake_before: int) -> list[JobResult]:
    """Two jobs that the third provider computed with 4-bit weights, ended."""
    questions = ("Write two sentences about autumn leaves.", "Explain what a lighthouse is for.")
    asked = [market.ask(words, CHEAT, f"requester-{i + 1}", 48) for i, words in enumerate(questions)]
    return [one.result() for one in asked]


def test_cheat__int4_behind_the_full_claim__is_convicted_slashed_and_refunded(
    market: Market, stake_before: int, cheated: list[JobResult]
) -> None:
    owner = market.owner(CHEAT)
    for result in cheated:
        market.require_refunded_once(result, "FRAUD", "CONVICTED")
    assert "FRAUD" in {result.reason for result in cheated}
    convictions = [item.event for item in market.chain.events(0, market.chain.head().number)
                   if isinstance(item.event, ProviderConvicted)]  # fmt: skip
    expected = slashed([stake_before], market.chain.parameters().slash_bps)
    assert [event.provider for event in convictions] == [owner]
    assert convictions[0].slashed == expected == stake_before - market.chain.provider(owner).active
    assert market.chain.free_balance(owner) == 0
    market.require_exact_ledgers()


def test_summary__of_these_jobs__has_the_documented_form_and_finds_no_fault(
    market: Market, honest: list[JobResult], cheated: list[JobResult]
) -> None:
    names = {market.owner(node.name): node.name for node in market.what.providers}
    followed = [
        Followed(Order(i + 1, "requester-1", result.provider, names[result.provider], "?"), result=result)
        for i, result in enumerate([*honest, *cheated])
    ]
    block = market.chain.head().number
    balances = read_balances(market.chain, list_parties(market.what), block)
    summary = summarise(market.network, Seen(followed, 0, block, balances, *market.network.processes.measure(), {}))
    assert find_breaches(json.loads(SCHEMA.read_text()), summary) == []
    assert summary["faults"] == []
    rows = {row["id"]: row for row in summary["jobs"]}
    for result in [*honest, *cheated]:
        row = rows[result.job_id]
        assert (int(row["paid_wei"]), int(row["refunded_wei"])) == (result.paid, result.refunded)
        assert (row["settlement_tx"], row["state"]) == (result.settlement_tx, result.state)
    assert sum(int(row["slashed_wei"]) for row in summary["jobs"]) == int(summary["providers"][2]["slashed_wei"])


def test_requesters__after_all_jobs__hold_what_they_did_not_pay(market: Market) -> None:
    """Deposit − payments − open fees, exactly, for every requester, from its own list of jobs."""
    for client in market.clients.values():
        jobs = [job for job in client.list_jobs() if job.state in ("SETTLED", "REFUNDED")]
        spent = sum(job.paid + job.open_fee for job in jobs)
        assert client.balances().escrow == DEPOSIT - spent
