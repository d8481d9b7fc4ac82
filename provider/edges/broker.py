"""The node's way to its worker: Celery as a wake-up hint, never as a memory."""

from __future__ import annotations

import base64
import json
import uuid

from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from protocol.errors import Unavailable
from provider.config import (
    CALL_QUEUE,
    CALL_TASK,
    CHALLENGE_TASK,
    QUEUE,
    SOCKET_SECONDS,
    TASK,
    TRANSPORT_OPTIONS,
)
from provider.edges.streams import connect


class CeleryBroker:
    """`provider.ports.work.Broker`, and `provider.ports.replies.CallBroker`."""

    def __init__(self, broker_url: str) -> None:
        self._app = Celery("malla-provider", broker=broker_url)
        self._app.conf.update(task_publish_retry=False, broker_transport_options=dict(TRANSPORT_OPTIONS),
                              broker_connection_timeout=SOCKET_SECONDS)
        self._redis = connect(broker_url)

    def enqueue(self, job_id: bytes) -> None:
        """Raises Unavailable when the broker does not take it; the job stays in the journal."""
        self._send(TASK, job_id.hex())

    def enqueue_challenge(self, window: int) -> None:
        """Raises Unavailable when the broker does not take it; the node tells it again."""
        self._send(CHALLENGE_TASK, window)

    def enqueue_call(self, call_id: bytes) -> None:
        """Raises Unavailable when the broker does not take it; then nobody is told again."""
        try:
            self._redis.lpush(CALL_QUEUE, call_message(call_id))
        except RedisError as error:
            raise Unavailable("The broker does not answer.", "Check MALLA_BROKER_URL and that it runs.") from error

    def ping(self) -> None:
        """Raises Unavailable."""
        try:
            with self._app.connection_for_write(connect_timeout=SOCKET_SECONDS) as connection:
                connection.ensure_connection(max_retries=1, timeout=SOCKET_SECONDS)
        except (OperationalError, OSError) as error:
            raise Unavailable("The broker does not answer.", "Check MALLA_BROKER_URL and that it runs.") from error

    def _send(self, task: str, argument: str | int) -> None:
        try:
            self._app.send_task(task, args=[argument], queue=QUEUE, ignore_result=True)
        except (OperationalError, OSError) as error:
            raise Unavailable("The broker does not answer.", "Check MALLA_BROKER_URL and that it runs.") from error

    def close(self) -> None:
        self._app.close()
        self._redis.close()


def call_message(call_id: bytes) -> str:
    """The message that Celery's publisher (task protocol 2, virtual transport of Redis) puts into the queue of a call's
    task: written here because somebody waits for it, and the publisher takes a millisecond."""
    identity = str(uuid.uuid4())
    body = [[call_id.hex()], {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}]
    headers = {"lang": "py", "task": CALL_TASK, "id": identity, "root_id": identity, "parent_id": None, "group": None,
               "eta": None, "expires": None, "retries": 0, "timelimit": [None, None], "ignore_result": True}
    properties = {"correlation_id": identity, "delivery_mode": 2, "priority": 0, "body_encoding": "base64",
                  "delivery_tag": str(uuid.uuid4()), "delivery_info": {"exchange": "", "routing_key": CALL_QUEUE}}
    return json.dumps({"body": base64.b64encode(json.dumps(body).encode()).decode(), "content-encoding": "utf-8",
                       "content-type": "application/json", "headers": headers, "properties": properties})
