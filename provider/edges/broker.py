"""The node's way to its worker: Celery as a wake-up hint, never as a memory."""

from __future__ import annotations

from celery import Celery
from kombu.exceptions import OperationalError

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


class CeleryBroker:
    """`provider.ports.Broker`, and `provider.reply_ports.CallBroker`."""

    def __init__(self, broker_url: str) -> None:
        self._app = Celery("malla-provider", broker=broker_url)
        self._app.conf.update(task_publish_retry=False, broker_transport_options=dict(TRANSPORT_OPTIONS),
                              broker_connection_timeout=SOCKET_SECONDS)

    def enqueue(self, job_id: bytes) -> None:
        """Raises Unavailable when the broker does not take it; the job stays in the journal."""
        self._send(TASK, job_id.hex())

    def enqueue_challenge(self, window: int) -> None:
        """Raises Unavailable when the broker does not take it; the node tells it again."""
        self._send(CHALLENGE_TASK, window)

    def enqueue_call(self, call_id: bytes) -> None:
        """Raises Unavailable when the broker does not take it; then nobody is told again."""
        self._send(CALL_TASK, call_id.hex(), CALL_QUEUE)

    def ping(self) -> None:
        """Raises Unavailable."""
        try:
            with self._app.connection_for_write(connect_timeout=SOCKET_SECONDS) as connection:
                connection.ensure_connection(max_retries=1, timeout=SOCKET_SECONDS)
        except (OperationalError, OSError) as error:
            raise Unavailable("The broker does not answer.", "Check MALLA_BROKER_URL and that it runs.") from error

    def _send(self, task: str, argument: str | int, queue: str = QUEUE) -> None:
        try:
            self._app.send_task(task, args=[argument], queue=queue, ignore_result=True)
        except (OperationalError, OSError) as error:
            raise Unavailable("The broker does not answer.", "Check MALLA_BROKER_URL and that it runs.") from error

    def close(self) -> None:
        self._app.close()
