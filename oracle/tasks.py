"""The Celery worker: one queue, one child, one reference model in memory. A task is a lock and one flow call."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable
from typing import Any

from celery import Celery
from celery.signals import worker_init, worker_process_init, worker_process_shutdown
from sqlalchemy.exc import SQLAlchemyError

from oracle.config import Settings
from oracle.flow.canaries import step_canary
from oracle.flow.challenges import perform_check
from oracle.flow.findings import perform_audit
from oracle.flow.reviews import perform_review
from oracle.ports import Replayer
from oracle.wiring import (
    CANARY_TASK,
    CHALLENGE_TASK,
    QUEUE,
    REVIEW_TASK,
    TASK,
    TRANSPORT_OPTIONS,
    Parts,
    build,
    check_model_files,
    load_multiply,
    load_replayer,
    load_requesting,
    open_log,
)
from protocol.errors import MallaError

LOAD_SECONDS = 180
"""A child may take this long to load its model; Celery's default is 4."""
AUDIT_SECONDS = 240
"""After this an audit is killed; the sweeper tells the broker again."""


LoadReplayer = Callable[[Settings], tuple[Replayer, list[bytes]]]


class WorkerChild:
    """What the one child process holds: the node and the model."""

    def __init__(self, settings: Settings, load: LoadReplayer = load_replayer) -> None:
        self._settings, self._load = settings, load
        self._parts: Parts | None = None
        self._replayer: Replayer | None = None
        self._models: list[bytes] = []

    def forget(self, **_: Any) -> None:
        """In the parent, before any child: rows of a worker that ran before say nothing any more."""
        try:
            parts = build(self._settings, "worker")
        except MallaError as error:
            self._tell(error)
            return
        parts.node.store.forget_models()
        parts.node.store.forget_enqueued()
        parts.node.store.forget_reviews()
        parts.close()

    def begin(self, **_: Any) -> None:
        """In the child, after the fork. What cannot be had yet is told in a sentence, and the next task tries again."""
        try:
            self.start()
        except MallaError as error:
            self._tell(error)

    def start(self) -> None:
        """Loads the model once and says so in the database."""
        parts = build(self._settings, "worker")
        self._replayer, models = self._load(self._settings)
        self._parts, self._models = parts, models
        name = f"{socket.gethostname()}:{os.getpid()}"
        for model in models:
            parts.node.store.note_model(name, model, parts.node.clock())
        parts.node.log("model_loaded", models=[model.hex() for model in models])

    def stop(self, **_: Any) -> None:
        if self._parts is not None:
            # The database may end before us; the next worker's start forgets these rows as well.
            with contextlib.suppress(SQLAlchemyError):
                self._parts.node.store.forget_models()
            self._parts.close()

    def _tell(self, error: MallaError) -> None:
        log = open_log("oracle-worker", self._settings.log_level)
        log("worker_not_ready", code=error.code, error=error.message, fix=error.fix)

    def run(self, batch_id: int, index: int) -> None:
        if self._parts is None or self._replayer is None:
            self.start()
        assert self._parts is not None and self._replayer is not None  # start sets both or raises
        node = self._parts.node
        with node.store.lock(f"audit/{batch_id}/{index}") as held:
            if held:
                perform_audit(node, self._replayer, batch_id, index)

    def review(self, case_id: int, unit: int) -> None:
        """Replay one unit for a case of the court."""
        if self._parts is None or self._replayer is None:
            self.start()
        assert self._parts is not None and self._replayer is not None  # start sets both or raises
        node = self._parts.node
        with node.store.lock(f"review/{case_id}/{unit}") as held:
            if held:
                perform_review(node, self._replayer, case_id, unit)

    def check(self, digest: str) -> None:
        """Check one opened GPU challenge; needs no model."""
        if self._parts is None:
            self.start()
        assert self._parts is not None  # start sets it or raises
        node = self._parts.node
        with node.store.lock(f"challenge/{digest}") as held:
            if held:
                perform_check(node, load_multiply(), bytes.fromhex(digest))


    def canary(self, number: int) -> None:
        """The next step of one own canary."""
        if self._parts is None or self._replayer is None:
            self.start()
        assert self._parts is not None and self._replayer is not None  # start sets both or raises
        node, store = self._parts.node, self._parts.node.store
        with store.lock(f"canary/{number}") as held:
            if held:
                requesting = load_requesting(self._settings, store)  # type: ignore[arg-type]
                step_canary(node, self._replayer, requesting, self._models[0], number)


def build_app(settings: Settings, load: LoadReplayer = load_replayer) -> Celery:
    """The worker's application; `load` gives it its replayer."""
    app = Celery("malla-oracle", broker=settings.broker_url)
    app.conf.update(
        task_default_queue=QUEUE,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_ignore_result=True,
        task_time_limit=AUDIT_SECONDS,
        worker_prefetch_multiplier=1,
        worker_concurrency=1,
        worker_proc_alive_timeout=LOAD_SECONDS,
        worker_hijack_root_logger=False,
        worker_send_task_events=False,
        broker_connection_retry_on_startup=True,
        broker_transport_options=TRANSPORT_OPTIONS,
    )
    child = WorkerChild(settings, load)
    # Celery keeps weak references to receivers otherwise.
    worker_init.connect(child.forget, weak=False)
    worker_process_init.connect(child.begin, weak=False)
    worker_process_shutdown.connect(child.stop, weak=False)

    @app.task(shared=False, name=TASK)
    def audit(batch_id: int, index: int) -> None:
        try:
            child.run(int(batch_id), int(index))
        except MallaError as error:
            # The audit stays owed; the loop tells the broker of it again.
            open_log("oracle-worker", settings.log_level)("audit_postponed", batch_id=batch_id, index=index,
                                                          error=error.message)

    @app.task(shared=False, name=REVIEW_TASK)
    def review(case_id: int, unit: int) -> None:
        try:
            child.review(int(case_id), int(unit))
        except MallaError as error:
            open_log("oracle-worker", settings.log_level)("review_postponed", case_id=case_id, unit=unit,
                                                          error=error.message)

    @app.task(shared=False, name=CHALLENGE_TASK)
    def challenge(digest: str) -> None:
        try:
            child.check(str(digest))
        except MallaError as error:
            open_log("oracle-worker", settings.log_level)("challenge_postponed", digest=digest, error=error.message)

    @app.task(shared=False, name=CANARY_TASK)
    def canary(number: int) -> None:
        try:
            child.canary(int(number))
        except MallaError as error:
            open_log("oracle-worker", settings.log_level)("canary_postponed", number=number, error=error.message)

    return app


def run_worker(settings: Settings, load: LoadReplayer = load_replayer) -> int:
    """In the foreground until SIGTERM (ends the audit at hand first) or SIGINT. Raises ConfigInvalid when a model file
    is missing or differs from its manifest."""
    check_model_files()
    build_app(settings, load).worker_main([
        "worker", "--pool=prefork", "--concurrency=1", f"--queues={QUEUE}", "--without-gossip", "--without-mingle",
        "--without-heartbeat", "--hostname=audit@%h", f"--loglevel={settings.log_level}",
    ])
    return 0
