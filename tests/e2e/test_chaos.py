"""Kills, restarts, lost messages, a re-org: every job still ends once, with its money in the right place."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
import redis

from provider.edges.broker import QUEUE
from scripts.testnet.processes import ProcessFailed
from scripts.testnet.supervisor import Reviver
from tests.e2e.market import CHEAT, Asked, Market

LONG = 160
"""Output tokens of a job that has to be running for some seconds."""


@pytest.fixture(autouse=True)
def exact_ledgers(market: Market) -> Iterator[None]:
    yield
    market.require_exact_ledgers()


@pytest.fixture(scope="module")
def abandoned(market: Market) -> Iterator[Asked]:
    """A job of a provider that goes away for good right after it was opened; its deadline passes during this module."""
    market.crash(CHEAT, "node", "worker")
    asked = market.ask("Will anybody answer?", CHEAT, "requester-3", duration=60)
    asked.reach("OPEN")
    yield asked
    market.restart(CHEAT, "worker", "node")
    market.wait_ready(CHEAT)


@pytest.fixture(scope="module")
def untold(market: Market, abandoned: Asked) -> Asked:
    """A job whose worker is told of it again after a minute of this module: both brokers lose everything, the
    provider's while its worker is away, so the message is surely lost."""
    market.crash("provider-2", "worker")
    asked = market.ask("What is a lighthouse?", "provider-2", "requester-2")
    asked.reach("OPEN")
    market.wait_until(lambda: market.is_enqueued("provider-2", asked.job_id), "the worker is told of the job")
    for name in ("provider-2", "oracle-1"):
        node = market.node(name)
        url = f"redis://:{market.what.secrets[name]}@127.0.0.1:{node.broker_port}/0"
        with redis.Redis.from_url(url) as broker:
            assert name == "oracle-1" or broker.llen(QUEUE) == 1
            broker.flushall()
        market.network.processes.kill(f"{name}-valkey")
        market.network.restart_valkey(node)
        with redis.Redis.from_url(url) as broker:
            assert broker.llen(QUEUE) == 0
    market.restart("provider-2", "worker")
    return asked


def test_worker__killed_in_the_middle_of_a_job__does_it_again_and_is_paid_once(
    market: Market, abandoned: Asked
) -> None:
    asked = market.ask("Describe a rainy day in a harbour town.", "provider-1", max_tokens=LONG)
    market.wait_for_stage("provider-1", asked.reach("OPEN"), "RUNNING")
    market.crash("provider-1", "worker")
    assert market.stage("provider-1", asked.job_id) == "RUNNING"
    market.restart("provider-1", "worker")
    market.require_paid_once(asked.result())


def test_supervisor__process_that_was_killed__is_started_again_and_works(market: Market, abandoned: Asked) -> None:
    reviver = Reviver(market.network)
    assert reviver.revive() is None
    killed = market.network.processes.running["oracle-3-watch"].pid
    os.kill(killed, signal.SIGKILL)
    market.wait_until(lambda: reviver.revive() == "oracle-3-watch", "the supervisor sees the death")
    assert market.network.processes.running["oracle-3-watch"].pid != killed
    market.wait_ready("oracle-3")


def test_supervisor__process_that_keeps_ending__is_given_up_with_its_log(
    market: Market, abandoned: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    reviver = Reviver(market.network)
    monkeypatch.setattr("scripts.testnet.supervisor.RESTARTS", 1)
    os.kill(market.network.processes.running["provider-1-api"].pid, signal.SIGKILL)
    market.wait_until(lambda: reviver.revive() == "provider-1-api", "the first death")
    os.kill(market.network.processes.running["provider-1-api"].pid, signal.SIGKILL)
    with pytest.raises(ProcessFailed, match="provider-1-api ended unexpectedly"):
        market.wait_until(lambda: reviver.revive() is not None, "the second death")
    market.network.processes.stop(["provider-1-api"])
    market.restart("provider-1", "api")
    market.wait_ready("provider-1")


def test_node__killed_while_its_job_runs__goes_on_where_it_was(market: Market, abandoned: Asked) -> None:
    asked = market.ask("Tell me about violins.", "provider-2", "requester-2", max_tokens=48)
    market.wait_for_stage("provider-2", asked.reach("OPEN"), "RUNNING", "DONE")
    market.crash("provider-2", "node")
    market.wait_until(lambda: market.stage("provider-2", asked.job_id) == "DONE", "the worker ends it without its node")
    market.restart("provider-2", "node")
    market.require_paid_once(asked.result())


def test_oracles__one_gone_and_one_killed_meanwhile__still_settle(
    market: Market, abandoned: Asked, untold: Asked
) -> None:
    """With one oracle gone the other three are exactly the quorum: the killed one has to come back and sign."""
    market.crash("oracle-4", "api", "worker", "watch")
    asked = [market.ask(f"Say {word}.", "provider-1", name) for word, name in
             zip(("yes", "no", "perhaps"), market.clients, strict=True)]  # fmt: skip
    asked[0].reach("COMMITTED")
    market.crash("oracle-2", "worker", "watch")
    market.restart("oracle-2", "worker", "watch")
    for one in asked:
        market.require_paid_once(one.result())
    market.restart("oracle-4", "api", "worker", "watch")
    market.wait_ready("oracle-4", "oracle-2")


def test_valkey__killed_and_emptied__the_sweeper_tells_the_worker_again(
    market: Market, abandoned: Asked, untold: Asked
) -> None:
    market.require_paid_once(untold.result())


def drop_last_block(market: Market) -> None:
    """Blocks wait meanwhile, and come each second afterwards: a block that Anvil mines in the midst of a re-org may
    stay in its chain without what it did."""
    ask = market.chain.rpc.request
    ask("evm_setIntervalMining", [0])
    before = market.chain.head()
    ask("anvil_reorg", [1, []])
    after = market.chain.block(before.number)
    ask("evm_setIntervalMining", [1])
    assert after is None or after.hash != before.hash


def test_chain__reorganised_within_the_confirmations__every_job_ends_once(market: Market, abandoned: Asked) -> None:
    """Blocks with an opening, a commitment and a settlement are dropped, transactions and all; everyone sends again."""
    asked = market.ask("How do you make tea?", "provider-1", "requester-1")
    for state in ("OPEN", "COMMITTED"):
        asked.reach(state, "SETTLED")
        drop_last_block(market)
    market.require_paid_once(asked.result())


def test_provider__gone_for_good__its_job_is_refunded_at_the_deadline(market: Market, abandoned: Asked) -> None:
    result = abandoned.result()
    market.require_refunded_once(result, "EXPIRED")
    assert result.settled_at >= result.opened_at + 60
