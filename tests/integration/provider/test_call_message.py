"""A call's message in the broker is the one that Celery would send."""

from __future__ import annotations

import base64
import json
from typing import Any

from celery import Celery

from protocol.encoding import keccak
from provider.config import CALL_QUEUE, CALL_TASK
from provider.edges.broker import CeleryBroker
from provider.edges.streams import connect
from scripts.testnet.engines import Valkey

CALL = keccak(b"call")
EXTRA = {"shadow", "argsrepr", "kwargsrepr", "origin", "replaced_task_nesting", "stamped_headers", "stamps",
         "group_index"}
"""Headers that only say what is shown of a task, or that it has no canvas."""


def test_enqueue_call__message__is_celerys_own(broker: Valkey) -> None:
    redis = connect(broker.url)
    redis.delete(CALL_QUEUE)
    ours, theirs = CeleryBroker(broker.url), Celery("malla-provider", broker=broker.url)
    ours.enqueue_call(CALL)
    theirs.send_task(CALL_TASK, args=[CALL.hex()], queue=CALL_QUEUE, ignore_result=True)
    found = [json.loads(text) for text in redis.lrange(CALL_QUEUE, 0, -1)]  # type: ignore[union-attr]
    redis.delete(CALL_QUEUE)
    assert len(found) == 2
    made, wanted = found[1], found[0]
    assert made["headers"].keys() == wanted["headers"].keys() - EXTRA
    assert _plain(made) == _plain(wanted)
    ours.close()
    theirs.close()


def _plain(message: dict[str, Any]) -> dict[str, Any]:
    """Without identities, and the headers of ours alone."""
    names = {"lang", "task", "parent_id", "group", "eta", "expires", "retries", "timelimit", "ignore_result"}
    headers = {name: value for name, value in message["headers"].items() if name in names}
    properties = {name: value for name, value in message["properties"].items()
                  if name not in ("correlation_id", "delivery_tag", "reply_to")}
    body = json.loads(base64.b64decode(message["body"]))
    return {**message, "headers": headers, "properties": properties, "body": body}
