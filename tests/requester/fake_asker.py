"""Providers that answer a batch's jobs in memory, and the client that asks them."""

from __future__ import annotations

from typing import Any

from protocol.errors import BadInput, Reason, Refused
from requester.errors import WaitTimeout
from requester.records.jobs import JobResult, Progress

PROVIDERS = ("0xA", "0xB", "0xC")


class FakeAsker:
    """Every provider answers, but those of `failing` are refunded and those of `refusing` open nothing. Asked "fail"
    nobody opens a job, asked "refund" nobody delivers, and "later" still runs; "bad" is the user's own mistake."""

    def __init__(self, failing: tuple[str, ...] = (), refusing: tuple[str, ...] = ()) -> None:
        self.failing, self.refusing = failing, refusing
        self.asked: list[tuple[str, str | None]] = []
        self.options: list[dict[str, Any]] = []
        self.jobs: dict[str, tuple[str, str, str]] = {}
        """Label, question and provider of each."""

    def sellers(self, model: str | None = None) -> list[str]:
        if model == "unknown":
            raise Refused(Reason.UNKNOWN_MODEL, "This release does not know the model.", "Name another one.")
        return list(PROVIDERS)

    def labels(self) -> dict[str, str]:
        return {label: job_id for job_id, (label, _, _) in self.jobs.items()}

    def result(self, job_id: str) -> JobResult:
        _, question, provider = self.jobs[job_id]
        failed = provider in self.failing or question == "refund"
        return JobResult(job_id, "REFUNDED" if failed else "SETTLED", "EXPIRED" if failed else "", provider, "Tiny", 3,
                         2, "Hi", 5, 1, "0xTX", 9, "PASS", "Fine.", "r.json", 1, 2)

    def submit(self, messages: Any, *, label: str, provider: str | None, **options: Any) -> str:
        question = messages[-1][1]
        self.asked.append((question, provider))
        self.options.append(options)
        if question == "fail":
            raise Refused(Reason.PRICE_OVER_CAP, "Too dear.", "Pay more.")
        if question == "bad":
            raise BadInput("Not this.", "Another.")
        if provider in self.refusing:
            raise Refused(Reason.BUSY, "No room.", "Later.")
        job_id = f"job-{len(self.jobs)}"
        self.jobs[job_id] = (label, question, provider or PROVIDERS[0])
        if report := options.get("on_progress"):
            report(Progress(job_id, "OPEN", "", 1, "The job is open."))
        return job_id

    def wait(self, job_id: str, on_progress: Any = None) -> JobResult:
        if self.jobs[job_id][1] == "later":
            raise WaitTimeout("The job is still OPEN.")
        return self.result(job_id)
