"""The outbox: what peers still have to get, sent until they have it."""

from __future__ import annotations

from oracle.flow.node import Node
from protocol.errors import MallaError, Reason, Refused

MOST = 32
LONGEST_WAIT = 60.0


def deliver(node: Node) -> int:
    """Send what is due; a silent peer is asked again later and keeps nobody else waiting. Returns how many arrived."""
    arrived, silent = 0, set()
    for delivery in node.store.due_deliveries(node.clock(), MOST):
        if delivery.peer in silent:
            continue
        try:
            node.peers.post(node.chain.member(delivery.peer), delivery.path, delivery.key, delivery.body)
        except Refused as refusal:
            if refusal.reason in (Reason.NOT_READY, Reason.BUSY, Reason.QUOTA):
                node.store.defer(delivery.number, node.clock() + 1.0, refusal.message)
                continue
            # It was understood and refused for good: sending it again would change nothing.
            node.log("delivery_refused", oracle=delivery.peer, key=delivery.key, reason=refusal.reason.value)
            node.store.delivered(delivery.number, node.clock())
        except MallaError as error:
            silent.add(delivery.peer)
            wait = min(LONGEST_WAIT, 2.0 ** min(delivery.attempts, 6))
            node.store.defer(delivery.number, node.clock() + wait, error.message)
        else:
            node.store.delivered(delivery.number, node.clock())
            arrived += 1
    return arrived
