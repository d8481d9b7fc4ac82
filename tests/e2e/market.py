"""What the end-to-end tests do with a running network: ask, look, break, compare with the chain."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import psycopg

from protocol.chain.events import JobRefunded, JobSettled
from protocol.chain.keystore import keystore_address
from requester.client import Client
from requester.records.jobs import JobResult, Progress
from scripts.ledger import read_ledger
from scripts.showcase.jobs import connect_requester
from scripts.testnet.arrangement import Node
from scripts.testnet.network import Network
from scripts.testnet.watching import wait_until

CHEAT = "provider-3"
PATIENCE = 420.0
"""Seconds. No test asks how fast a step is: on a busy machine everything takes several times as long."""


@dataclass
class Asked:
    """A job that is on its way in a thread; `result` waits for its end."""

    thread: threading.Thread
    states: list[str] = field(default_factory=list)
    job_id: str = ""
    outcome: JobResult | None = None
    error: Exception | None = None

    def reach(self, *states: str, timeout: float = PATIENCE) -> str:
        """Waits for one of the states and returns the job's id."""
        assert wait_until(lambda: bool(set(states) & set(self.states)) or not self.thread.is_alive(), timeout)
        assert set(states) & set(self.states), (self.states, self.error)
        return self.job_id

    def result(self, timeout: float = PATIENCE) -> JobResult:
        self.thread.join(timeout)
        assert not self.thread.is_alive(), f"{self.job_id} is still {self.states} after {timeout} s"
        assert self.outcome is not None, self.error
        return self.outcome


class Market:
    """A network and the clients of its requesters."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.chain = network.chain
        self.what = network.what
        self.clients: dict[str, Client] = {
            requester.name: connect_requester(network.what, requester) for requester in network.what.requesters
        }

    def node(self, name: str) -> Node:
        return self.what.node(name)

    def owner(self, provider: str) -> str:
        return keystore_address(self.node(provider).owner_keystore)

    def ask(self, question: str, provider: str, requester: str = "requester-1", max_tokens: int = 24,
            duration: int | None = None) -> Asked:
        """Opens a job in a thread and follows it to its end."""
        client = self.clients[requester]

        def run() -> None:
            try:
                asked.outcome = client.run(question, provider=self.owner(provider), max_tokens=max_tokens,
                                           duration=duration, timeout=PATIENCE, on_progress=note)
            except Exception as error:  # noqa: BLE001 - shown by the assertion of the test that waits for it
                asked.error = error

        def note(progress: Progress) -> None:
            asked.job_id = progress.job_id
            asked.states.append(progress.state)

        asked = Asked(threading.Thread(target=run, daemon=True))
        asked.thread.start()
        return asked

    def stage(self, provider: str, job_id: str) -> str:
        """How far the provider's journal is with the job; empty while it does not know it."""
        return self._journal_row(provider, job_id)[0]

    def is_enqueued(self, provider: str, job_id: str) -> bool:
        return self._journal_row(provider, job_id)[1]

    def _journal_row(self, provider: str, job_id: str) -> tuple[str, bool]:
        url = self.network.databases[provider].replace("postgresql+psycopg", "postgresql")
        with psycopg.connect(url) as connection:
            row = connection.execute(
                "SELECT stage, enqueued_at IS NOT NULL FROM jobs WHERE job_id = %s", (bytes.fromhex(job_id[2:]),)
            ).fetchone()
        return (str(row[0]), bool(row[1])) if row else ("", False)

    def wait_for_stage(self, provider: str, job_id: str, *stages: str) -> None:
        assert wait_until(lambda: self.stage(provider, job_id) in stages, PATIENCE), self.stage(provider, job_id)

    def crash(self, node: str, *roles: str) -> None:
        """SIGKILL to these processes of a node, as a power cut would."""
        for role in roles:
            self.network.processes.kill(f"{node}-{role}")

    def restart(self, node: str, *roles: str) -> None:
        for role in roles:
            self.network.start_process(self.node(node), role)

    def wait_ready(self, *nodes: str) -> None:
        self.network.wait_ready(tuple(self.node(name) for name in nodes), PATIENCE)

    def wait_until(self, condition: Callable[[], bool], what: str, timeout: float = PATIENCE) -> None:
        assert wait_until(condition, timeout), f"not within {timeout} s: {what}"

    def ends_of(self, job_id: str) -> list[JobSettled | JobRefunded]:
        """Every event by which a job ended: one, or money moved twice."""
        events = [item.event for item in self.chain.events(0, self.chain.head().number)]
        found = [event for event in events if isinstance(event, JobSettled | JobRefunded)]
        return [event for event in found if event.job_id == bytes.fromhex(job_id[2:])]

    def require_paid_once(self, result: JobResult) -> None:
        """Settled with PASS, paid for exactly its tokens, the rest returned, once."""
        assert (result.state, result.verdict) == ("SETTLED", "PASS"), result
        offer = next(row for row in self.clients["requester-1"].offers() if row["provider"] == result.provider)
        input_price, output_price = int(str(offer["input_price"])), int(str(offer["output_price"]))
        owed = result.prompt_tokens * input_price + result.output_tokens * output_price
        assert (result.paid, result.refunded) == (owed, result.price - owed)
        ends = self.ends_of(result.job_id)
        assert len(ends) == 1 and isinstance(ends[0], JobSettled)
        assert (ends[0].paid, ends[0].refunded) == (result.paid, result.refunded)

    def require_refunded_once(self, result: JobResult, *reasons: str) -> None:
        """The whole price came back, once."""
        assert result.state == "REFUNDED" and result.reason in reasons, result
        ends = self.ends_of(result.job_id)
        assert len(ends) == 1 and isinstance(ends[0], JobRefunded)
        assert (ends[0].amount, result.paid) == (result.price, 0)

    def require_exact_ledgers(self) -> None:
        ledger = read_ledger(self.chain, self.chain.head().number)
        assert ledger.token.holds, ledger.token
        assert ledger.escrow.holds, ledger.escrow
