"""The Celery worker: one queue, one child, one model in memory, one task a job. Inference runs only here."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import psutil
from celery import Celery
from celery.signals import worker_process_init, worker_process_shutdown

from protocol.errors import MallaError
from provider.config import CHALLENGE_TASK, QUEUE, TASK, TRANSPORT_OPTIONS, Settings
from provider.flow.inference import Inference, infer
from provider.ports import Backend, Journal, Log
from provider.wiring import (
    build_inference,
    build_journal,
    build_log,
    build_torch_backend,
    take_challenge_step,
)

LOAD_SECONDS = 180
"""A child may take this long to load its model; Celery's default is 4."""
BEAT_SECONDS = 5.0
LoadBackend = Callable[[Settings], Backend]


class WorkerChild:
    """What the one child process holds: the model, the journal and its sign of life."""

    def __init__(self, settings: Settings, load_backend: LoadBackend) -> None:
        self._settings, self._load = settings, load_backend
        self._over = threading.Event()
        self._inference: Inference | None = None

    def begin(self, **_: Any) -> None:
        """In the child, after the fork. What cannot be had yet is told in a sentence, and the next task tries again."""
        try:
            self.start()
        except MallaError as error:
            build_log("provider-worker", self._settings)("worker_not_ready", code=error.code, error=error.message,
                                                         fix=error.fix)

    def start(self) -> None:
        """Loads the model once."""
        log, journal = build_log("provider-worker", self._settings), build_journal(self._settings)
        started = time.monotonic()
        backend = self._load(self._settings)
        log("model_loaded", model=self._settings.model, seconds=round(time.monotonic() - started, 1))
        release_dead_leases(journal, log)
        self._inference = build_inference(self._settings, journal, backend, log)
        threading.Thread(target=self._beat, args=(self._inference,), name="beat", daemon=True).start()

    def stop(self, **_: Any) -> None:
        self._over.set()

    def run(self, job_id: str) -> None:
        """One task. An error of ours leaves the job for its next attempt: the node's sweep enqueues it again."""
        if self._inference is None:
            self.start()
        assert self._inference is not None  # start sets it or raises
        try:
            infer(self._inference, bytes.fromhex(job_id))
        except MallaError as error:
            self._inference.log("job_failed", job_id=job_id, code=error.code, error=error.message)

    def challenge(self, window: int) -> None:
        """One step of a GPU challenge; what fails is told in a sentence, and the node tells the worker again."""
        log = build_log("provider-worker", self._settings)
        try:
            take_challenge_step(self._settings, log, int(window))
        except MallaError as error:
            log("challenge_failed", window=window, code=error.code, error=error.message)

    def _beat(self, inference: Inference) -> None:
        while True:
            try:
                detail = {"model": self._settings.model, "holder": inference.holder}
                inference.journal.beat("worker", inference.clock(), detail)
            except Exception as error:  # noqa: BLE001 - a sign of life must outlive every hiccup of the database
                inference.log("beat_failed", error=type(error).__name__)
            if self._over.wait(BEAT_SECONDS):
                return


def build_app(settings: Settings, load_backend: LoadBackend | None = None) -> Celery:
    """The worker's application. `load_backend` is called once in the child; by default it loads the torch backend."""
    app = Celery("malla-provider", broker=settings.broker_url)
    app.conf.update(
        task_default_queue=QUEUE,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_ignore_result=True,
        worker_prefetch_multiplier=1,
        worker_concurrency=1,
        worker_proc_alive_timeout=LOAD_SECONDS,
        worker_hijack_root_logger=False,
        worker_send_task_events=False,
        worker_redirect_stdouts=False,
        broker_connection_retry_on_startup=True,
        broker_transport_options=dict(TRANSPORT_OPTIONS),
    )
    child = WorkerChild(settings, load_backend or build_torch_backend)
    worker_process_init.connect(child.begin, weak=False)
    worker_process_shutdown.connect(child.stop, weak=False)
    app.task(name=TASK)(child.run)
    app.task(name=CHALLENGE_TASK)(child.challenge)
    return app


def run_worker(app: Celery, log_level: str = "INFO") -> None:
    """In the foreground until SIGTERM, which lets the job at hand end first, or SIGQUIT, which does not."""
    app.worker_main(["--quiet", "worker", "--pool=prefork", "--concurrency=1", f"--queues={QUEUE}", "--without-gossip",
                     "--without-mingle", "--without-heartbeat", "--hostname=infer@%h", f"--loglevel={log_level}"])


def release_dead_leases(journal: Journal, log: Log) -> None:
    """Leases of processes of this host that run no more: their jobs need not wait for the leases' end."""
    host, dead = socket.gethostname(), []
    for holder in journal.holders():
        name, _, pid = holder.rpartition(":")
        if name == host and int(pid) != os.getpid() and not _is_alive(int(pid)):
            dead.append(holder)
    if dead:
        journal.release_lost(dead)
        log("leases_released", holders=dead)


def _is_alive(pid: int) -> bool:
    """A zombie is dead: it only waits for its parent, which may be gone too."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
