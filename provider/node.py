"""The node's loop: follow the chain, take jobs, commit work, deliver, open, publish. Outbound only."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy.exc import OperationalError

from protocol.chain.follower import DeepReorg
from protocol.errors import ChainUnreachable, MallaError
from provider.config import Settings
from provider.flow.challenges import take_challenges
from provider.flow.chores import do_chores
from provider.flow.declining import send_declines
from provider.flow.delivery import deliver, queue_answers, reachable_oracles
from provider.flow.forgetting import EVERY_SECONDS, forget_said
from provider.flow.listings import publish_listing
from provider.flow.offers import publish_offers, take_in_offers
from provider.flow.openings import open_leaves
from provider.flow.posting import post_openings
from provider.flow.serving import enqueue_jobs, take_jobs
from provider.flow.session_ends import end_sessions
from provider.flow.session_reports import queue_session_reports
from provider.flow.work import commit_work
from provider.records.work import Oracle
from provider.wiring import Node, build_node

ROUND_SECONDS = 0.5
SLOW_SECONDS = 5.0
"""Offers and chores are looked at this often."""


@dataclass
class Rounds:
    """What the loop remembers between two rounds; nothing of it matters after a crash."""

    next_slow: float = 0.0
    next_openings: float = 0.0
    next_forgetting: float = 0.0


def run_node(settings: Settings) -> int:
    """Until SIGTERM or SIGINT. Returns 0, or 1 when the chain has changed below what was final."""
    node, over = build_node(settings), threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())
    node.log("node_started", owner=settings.owner, node_key=node.keys.address)
    rounds = Rounds()
    try:
        while not over.is_set():
            run_round(node, rounds)
            over.wait(ROUND_SECONDS)
    except DeepReorg as error:
        node.log("halted", error=error.message)
        return 1
    finally:
        node.close()
    node.log("node_stopped")
    return 0


def run_round(node: Node, rounds: Rounds) -> None:
    """One turn. A step that fails is logged and tried again next turn; only a deep re-org ends the loop."""
    clock = node.serving.clock
    node.view.forget()
    if not _step(node, "follow", lambda: _follow(node)):
        return

    def oracles() -> tuple[Oracle, ...]:
        return reachable_oracles(node.journal, node.view)

    if clock() >= rounds.next_slow:
        rounds.next_slow = clock() + SLOW_SECONDS
        _step(node, "offers", lambda: _publish(node))
        _step(node, "chores", lambda: do_chores(node.chores))
        _step(node, "listing", lambda: publish_listing(node.listings, node.view.oracles()))
        _step(node, "sessions", lambda: end_sessions(node.ending))
        _step(node, "challenges", lambda: take_challenges(node.challenging, node.view.oracles()))
    _step(node, "take", lambda: take_jobs(node.serving, oracles()))
    _step(node, "enqueue", lambda: enqueue_jobs(node.serving))
    _step(node, "decline", lambda: send_declines(node.committing))
    _step(node, "commit", lambda: commit_work(node.committing))
    _step(node, "deliver", lambda: _deliver(node))
    if clock() >= rounds.next_openings:
        rounds.next_openings = clock() + 1.0
        _step(node, "open", lambda: open_leaves(node.opening, oracles()))
        _step(node, "post", lambda: post_openings(node.posting, oracles()))
        _step(node, "deliver", lambda: deliver(node.delivering, oracles()))
    if clock() >= rounds.next_forgetting:
        rounds.next_forgetting = clock() + EVERY_SECONDS
        _step(node, "forget", lambda: forget_said(node.forgetting))
    _step(node, "pump", node.sender.pump)


def _follow(node: Node) -> None:
    position = node.follower.follow(node.projection.apply)
    head = node.view.head()
    detail = {"block": position, "head": head.number, "confirmations": node.settings.confirmations,
              "node_key": node.keys.address, "chain_id": node.chain.deployment.chain_id}
    node.journal.beat("node", node.serving.clock(), detail)


def _publish(node: Node) -> None:
    take_in_offers(node.journal, node.view.domain, node.files.standing(), node.settings.owner)
    publish_offers(node.publishing, node.view.oracles())


def _deliver(node: Node) -> None:
    oracles = reachable_oracles(node.journal, node.view)
    queue_answers(node.delivering, oracles)
    queue_session_reports(node.reporting, oracles)
    deliver(node.delivering, oracles)


def _step(node: Node, name: str, do: Callable[[], object]) -> bool:
    try:
        do()
    except DeepReorg:
        raise
    except ChainUnreachable as error:
        node.log("chain_unreachable", step=name, error=error.message)
    except MallaError as error:
        node.log("step_failed", step=name, code=error.code, error=error.message)
    except OperationalError as error:
        # The database went away; its text may name the URL, so only the kind is logged.
        node.log("database_unavailable", step=name, error=type(error.orig).__name__)
    else:
        return True
    return False
