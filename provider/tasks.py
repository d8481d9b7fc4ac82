"""The Celery worker: one process with the models in memory, a thread for each job or call. Inference runs only here.

Jobs and calls share one engine, which batches whatever is there. Calls come over a queue that is looked into first:
somebody waits for them. A parent process without a model starts the one that works again when it is killed.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import psutil
from celery import Celery
from celery.signals import worker_init, worker_shutdown, worker_shutting_down
from kombu import Exchange, Queue

from protocol.errors import MallaError
from provider.config import (
    CALL_QUEUE,
    CALL_TASK,
    CHALLENGE_TASK,
    QUEUE,
    TASK,
    TRANSPORT_OPTIONS,
    Settings,
    threads_of,
)
from provider.flow.calling import Calling, call
from provider.flow.inference import Inference, infer
from provider.ports.sessions import Sessions
from provider.ports.work import Backends, Journal, Log
from provider.wiring import (
    build_backends,
    build_inference,
    build_journal,
    build_log,
    take_challenge_step,
)
from provider.wiring.serving import build_calling
from provider.worker_process import keep_running

BEAT_SECONDS = 5.0
SWITCH_SECONDS = 0.001
"""A thread may hold the interpreter so long while another one wants it; Python's default of 5 ms is a tenth of a step
of the engine."""
LoadBackends = Callable[[Settings], Backends]


class WorkerChild:
    """What the working process holds: the models, the journal and its sign of life. Its methods are for any thread."""

    def __init__(self, settings: Settings, load_backends: LoadBackends) -> None:
        self._settings, self._load = settings, load_backends
        self._over, self._stopping = threading.Event(), threading.Event()
        self._lock = threading.RLock()
        self._inference: Inference | None = None
        self._calling: Calling | None = None
        self._at_hand: set[str] = set()

    def begin(self, **_: Any) -> None:
        """Before the first task. What cannot be had yet is told in a sentence, and the next task tries again."""
        try:
            self.start()
        except MallaError as error:
            build_log("provider-worker", self._settings)("worker_not_ready", code=error.code, error=error.message,
                                                         fix=error.fix)

    def start(self) -> Inference:
        """Loads the models once, whichever thread asks first."""
        with self._lock:
            if self._inference is None:
                log, journal = build_log("provider-worker", self._settings), build_journal(self._settings)
                started = time.monotonic()
                backends = self._load(self._settings)
                log("model_loaded", models=list(self._settings.models), seconds=round(time.monotonic() - started, 1))
                release_dead_leases(journal, log)
                self._inference = build_inference(self._settings, journal, backends, log)
                threading.Thread(target=self._beat, args=(self._inference,), name="beat", daemon=True).start()
                try:
                    self._serve_calls(self._inference)
                except MallaError as error:  # the first call tries again
                    log("calls_not_served", code=error.code, error=error.message, fix=error.fix)
            return self._inference

    def _serve_calls(self, inference: Inference) -> Calling:
        with self._lock:
            if self._calling is None:
                self._calling = build_calling(self._settings, inference, self._stopping.is_set)
                release_dead_calls(self._calling.sessions, self._calling.clock())
            return self._calling

    def stop(self, **_: Any) -> None:
        self._over.set()
        if self._calling is not None:
            self._calling.outlet.flush()

    def shut(self, **_: Any) -> None:
        """The word to end came: calls end with what they have, jobs at hand are finished."""
        self._stopping.set()

    def run(self, job_id: str) -> None:
        """One task. An error of ours leaves the job for its next attempt: the node's sweep enqueues it again."""
        inference = self.start()
        with self._lock:
            # A lease tells processes apart and not threads: told twice, a job still runs once.
            if job_id in self._at_hand:
                return
            self._at_hand.add(job_id)
        try:
            infer(inference, bytes.fromhex(job_id))
        except MallaError as error:
            inference.log("job_failed", job_id=job_id, code=error.code, error=error.message)
        finally:
            self._at_hand.discard(job_id)

    def call(self, call_id: str) -> None:
        """One task: a call of a session. It is never run twice."""
        inference = self.start()
        try:
            call(self._serve_calls(inference), bytes.fromhex(call_id))
        except MallaError as error:
            inference.log("call_failed", call_id=call_id, code=error.code, error=error.message)

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
                detail = {"models": list(self._settings.models), "holder": inference.holder}
                inference.journal.beat("worker", inference.clock(), detail)
            except Exception as error:  # noqa: BLE001 - a sign of life must outlive every hiccup of the database
                inference.log("beat_failed", error=type(error).__name__)
            if self._over.wait(BEAT_SECONDS):
                return


def build_app(settings: Settings, load_backends: LoadBackends | None = None) -> Celery:
    """The worker's application. `load_backends` is called once in the working process; by default it loads what the
    settings name."""
    app = Celery("malla-provider", broker=settings.broker_url)
    app.conf.update(
        # A call's message is taken and forgotten: to acknowledge it would cost two round trips before its first token,
        # and a call is never run a second time.
        task_queues=[Queue(CALL_QUEUE, Exchange(CALL_QUEUE), CALL_QUEUE, no_ack=True),
                     Queue(QUEUE, Exchange(QUEUE), QUEUE)],
        task_default_queue=QUEUE,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_ignore_result=True,
        worker_prefetch_multiplier=1,
        worker_pool="threads",
        worker_concurrency=threads_of(settings.streams),
        worker_hijack_root_logger=False,
        worker_send_task_events=False,
        worker_redirect_stdouts=False,
        broker_connection_retry_on_startup=True,
        broker_transport_options=dict(TRANSPORT_OPTIONS),
    )
    child = WorkerChild(settings, load_backends or build_backends)
    worker_init.connect(child.begin, weak=False)
    worker_shutting_down.connect(child.shut, weak=False)
    worker_shutdown.connect(child.stop, weak=False)
    app.task(shared=False, name=TASK)(child.run)
    # Its requester knows of a call that is lost, and asks again: to run it a second time would serve nobody.
    app.task(shared=False, name=CALL_TASK, acks_late=False)(child.call)
    app.task(shared=False, name=CHALLENGE_TASK)(child.challenge)
    return app


def run_worker(app: Celery, log_level: str = "INFO") -> None:
    """In the foreground until SIGTERM, which lets the jobs at hand end first, or SIGQUIT, which does not."""
    keep_running(lambda: _work(app, log_level))


def _work(app: Celery, log_level: str) -> None:
    sys.setswitchinterval(SWITCH_SECONDS)
    app.worker_main(["--quiet", "worker", "--pool=threads", f"--queues={CALL_QUEUE},{QUEUE}", "--without-gossip",
                     "--without-mingle", "--without-heartbeat", "--hostname=infer@%h", f"--loglevel={log_level}"])


def release_dead_calls(sessions: Sessions, now: float) -> None:
    """Fail the calls of processes of this host that run no more: what they hold of a voucher is free again."""
    sessions.fail_lost(now, _dead(sessions.call_holders()))


def release_dead_leases(journal: Journal, log: Log) -> None:
    """Leases of processes of this host that run no more: their jobs need not wait for the leases' end."""
    dead = _dead(journal.holders())
    if dead:
        journal.release_lost(dead)
        log("leases_released", holders=dead)


def _dead(holders: list[str]) -> list[str]:
    """Those of this host whose process runs no more."""
    names = [holder.rpartition(":") for holder in holders]
    return [f"{name}:{pid}" for name, _, pid in names
            if name == socket.gethostname() and int(pid) != os.getpid() and not _is_alive(int(pid))]


def _is_alive(pid: int) -> bool:
    """A zombie is dead: it only waits for its parent, which may be gone too."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
