"""The loop's way to the worker: Celery as a wake-up hint, never as a memory."""

from __future__ import annotations

from typing import Any

from celery import Celery
from kombu.exceptions import OperationalError

from protocol.errors import Unavailable

QUEUE = "audits"
TASK = "oracle.audit"
CHALLENGE_TASK = "oracle.challenge"
CANARY_TASK = "oracle.canary"
REVIEW_TASK = "oracle.review"
SOCKET_SECONDS = 5

TRANSPORT_OPTIONS: dict[str, Any] = {
    "socket_timeout": SOCKET_SECONDS,
    "socket_connect_timeout": SOCKET_SECONDS,
    "visibility_timeout": 3600,
}
"""For Redis and Valkey. What the broker loses comes back by the sweeper, not by redelivery."""


class CeleryQueue:
    """Implements `oracle.ports.Queue`. Tasks are named, so this process does not import what they run."""

    def __init__(self, broker_url: str) -> None:
        self._app = Celery("malla-oracle", broker=broker_url)
        self._app.conf.update(
            task_publish_retry=False,
            broker_transport_options=TRANSPORT_OPTIONS,
            broker_connection_timeout=SOCKET_SECONDS,
        )

    def enqueue_audit(self, batch_id: int, index: int) -> None:
        """Raises Unavailable when the broker does not take it; the audit stays owed."""
        self._send(TASK, batch_id, index)

    def enqueue_challenge(self, digest: bytes) -> None:
        """Raises Unavailable when the broker does not take it; the check stays owed."""
        self._send(CHALLENGE_TASK, digest.hex())

    def enqueue_canary(self, number: int) -> None:
        """Raises Unavailable when the broker does not take it; the step stays due."""
        self._send(CANARY_TASK, number)

    def enqueue_review(self, case_id: int, unit: int) -> None:
        """Raises Unavailable when the broker does not take it; the replay stays owed."""
        self._send(REVIEW_TASK, case_id, unit)

    def ping(self) -> None:
        """Raises Unavailable."""
        try:
            with self._app.connection_for_write(connect_timeout=SOCKET_SECONDS) as connection:
                connection.ensure_connection(max_retries=1, timeout=SOCKET_SECONDS)
        except (OperationalError, OSError) as error:
            raise Unavailable("The broker does not answer.", "Check MALLA_BROKER_URL and that it runs.") from error

    def _send(self, task: str, *arguments: Any) -> None:
        try:
            self._app.send_task(task, args=list(arguments), queue=QUEUE, ignore_result=True)
        except (OperationalError, OSError) as error:
            raise Unavailable("The broker does not answer.", "Check MALLA_BROKER_URL and that it runs.") from error

    def close(self) -> None:
        self._app.close()
