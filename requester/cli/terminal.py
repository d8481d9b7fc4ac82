"""How the command line speaks: text for people or JSON for programs, errors with their fix, and the receipt report."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from protocol.errors import ConfigInvalid, MallaError, file_error
from protocol.limits import MAX_JSON_BODY
from protocol.settlement_proof import Check
from protocol.transcript import check_logprobs
from protocol.types import AUDIT_ONE, CANARY_ONLY, RefundReason, Transcript
from protocol.units import in_tokens
from requester.client import Client
from requester.config import Settings, with_options
from requester.errors import exit_code
from requester.flow.reasons import REFUND_REASONS
from requester.flow.session_receipts import parse_any_receipt
from requester.records.jobs import JobResult, Progress

MONEY = ("paid", "refunded", "price", "open_fee")


@dataclass(frozen=True)
class Session:
    """The connection's options; nothing is opened before `connect`."""

    rpc_url: str | None = None
    deployment: Path | None = None
    keystore: Path | None = None
    password_file: Path | None = None
    home: Path | None = None
    keep_answers: int | None = None

    def settings(self) -> Settings:
        """Errors: ConfigInvalid."""
        options = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return Settings.from_env(with_options(os.environ, **options))

    def connect(self) -> Client:
        """Errors: ConfigInvalid, ChainUnreachable."""
        return Client.connect(self.settings(), progress=print_preparation)


@dataclass(frozen=True)
class Voice:
    """Results go to standard output, progress of people's runs to standard error."""

    as_json: bool

    def out(self, fields: dict[str, Any], text: str) -> None:
        print(json.dumps(fields, ensure_ascii=False) if self.as_json else text, flush=True)

    def progress(self, progress: Progress) -> None:
        print(describe_progress(progress, self.as_json), file=sys.stderr, flush=True)


@contextmanager
def speaking(as_json: bool) -> Iterator[Voice]:
    """Turns errors into their message, their fix and an exit status; Ctrl-C into 130."""
    try:
        yield Voice(as_json)
    except BrokenPipeError:
        raise  # whoever read our output has gone; click ends quietly
    except (MallaError, OSError) as caught:
        error = caught if isinstance(caught, MallaError) else file_error(caught)
        print(describe_error(error, as_json), file=sys.stdout if as_json else sys.stderr, flush=True)
        raise SystemExit(exit_code(error)) from None
    except KeyboardInterrupt:
        print("Interrupted. Nothing is lost: see `malla request job list`.", file=sys.stderr, flush=True)
        raise SystemExit(130) from None


WEAKER = ("Its audit class is canary-only: no oracle saw the transcript. That is weaker than an audit: only canaries "
          "and a higher stake speak for this answer.")


def describe_progress(progress: Progress, as_json: bool) -> str:
    """One change of state as one line."""
    if as_json:
        return json.dumps({"event": "progress", **dataclasses.asdict(progress)})
    state = f"{progress.state}({progress.reason})" if progress.reason else progress.state
    return f"{progress.job_id[:10]}… {state}: {progress.detail}"


def describe_error(error: MallaError, as_json: bool) -> str:
    return json.dumps(error.as_json()) if as_json else f"{error.message}\n{error.fix}".rstrip()


def print_preparation(what: str, part: float) -> None:
    """Told while a model's tokenizer is made ready, once on a machine."""
    print(f"{what} ({part:.0%})", file=sys.stderr, flush=True)


def result_fields(result: JobResult) -> dict[str, Any]:
    """A result for JSON: amounts in wei as decimal strings."""
    return dataclasses.asdict(result) | {name: str(getattr(result, name)) for name in MONEY}


def plain_result(result: JobResult) -> str:
    """The answer, then what it cost, why, and where the receipt is."""
    lines = ["", result.text or "(no answer)", ""]
    if result.note:
        lines.append(result.note)
    if result.state == "ABANDONED":
        return "\n".join([*lines, "The job was never opened and nothing was paid."])
    ended = f"{result.state}({result.reason})" if result.reason else result.state
    lines.append(f"job {result.job_id}")
    lines.append(f"{result.model} at {result.provider}: {result.prompt_tokens} prompt and {result.output_tokens} "
                 "output tokens")
    lines += [WEAKER] if result.audit == CANARY_ONLY else []
    if not result.settlement_tx:
        return "\n".join([*lines, f"{ended}; it has not ended yet."])
    lines += [
        f"{ended}, verdict {result.verdict}. {result.verdict_reason}",
        *_why_refunded(result),
        f"paid {in_tokens(result.paid)} MALLA, {in_tokens(result.refunded)} of {in_tokens(result.price)} came back, "
        f"open fee {in_tokens(result.open_fee)}",
        f"settlement {result.settlement_tx}, {result.settlement_gas} gas",
    ]
    if result.receipt_path:
        lines.append(f"receipt {result.receipt_path}\nCheck it offline: malla receipt verify {result.receipt_path}")
    return "\n".join(lines)


def token_lines(transcript: Transcript) -> list[str]:
    """One line a token: its id and the logprob that its provider claims."""
    claimed = check_logprobs(transcript.logprobs, len(transcript.output_token_ids))
    return [f"{token:>7}  {value:.6f}" for token, value in zip(transcript.output_token_ids, claimed, strict=True)]


def _why_refunded(result: JobResult) -> list[str]:
    """The reason in words, unless the verdict said the same already."""
    why = REFUND_REASONS[RefundReason[result.reason]] if result.reason else ""
    return [why] if why and why != result.verdict_reason else []


@dataclass(frozen=True)
class ReceiptReport:
    """Every check that was made. `online` says whether the chain was asked; `audit` is the order's class."""

    checks: tuple[Check, ...]
    online: bool
    audit: str = AUDIT_ONE

    @property
    def holds(self) -> bool:
        return all(check.holds for check in self.checks)

    def fields(self) -> dict[str, Any]:
        checks = [dataclasses.asdict(check) for check in self.checks]
        return {"holds": self.holds, "online": self.online, "audit": self.audit, "checks": checks}

    def describe(self) -> str:
        rows = [f"{'ok  ' if check.holds else 'FAIL'}  {check.name:<11} {check.detail}" for check in self.checks]
        end = "The receipt is valid." if self.holds else "The receipt is NOT valid."
        if self.holds and not self.online:
            end += " That its settlement is in the chain is not shown offline: add --rpc-url to look it up."
        if self.audit == CANARY_ONLY:
            end += " " + WEAKER
        return "\n".join([*rows, end])


def verify_file(file: Path, deployment: Path | None, rpc_url: str | None) -> ReceiptReport:
    """Errors: ConfigInvalid (no such file or deployment), Malformed (no receipt), ChainUnreachable."""
    from requester.wiring import check_offline, check_online

    try:
        with file.open("rb") as stream:
            receipt = parse_any_receipt(stream.read(MAX_JSON_BODY + 1))  # one more than it may have: that is refused
    except OSError as error:
        raise ConfigInvalid(f"The receipt {file} cannot be read: {error.strerror}.", "Name a receipt file.") from error
    env = with_options(os.environ, deployment=deployment)
    checks = check_offline(receipt, env)
    checks += check_online(receipt, env, rpc_url) if rpc_url else []
    return ReceiptReport(tuple(checks), rpc_url is not None, receipt.spec.audit)
