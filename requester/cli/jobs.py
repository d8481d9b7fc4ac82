"""`malla request job …`: one job from its question to its answer."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from protocol.errors import BadInput
from protocol.limits import MAX_PROMPT
from protocol.units import from_tokens, in_tokens
from protocol.wire import to_json
from requester.cli.disputes import dispute_fields, dispute_lines
from requester.cli.options import AsJson, JobId, Timeout
from requester.cli.terminal import plain_result, result_fields, speaking, token_lines
from requester.errors import REFUNDED
from requester.ports.court import Dispute
from requester.records.jobs import JobResult

AUDIT_HELP = ("Who may see the transcript if it is drawn: 'open' every oracle, 'one' the one that is drawn, "
              "'canary-only' nobody: weaker, and only with a provider of four times the stake.")


def submit(
    context: typer.Context,
    prompt: Annotated[str, typer.Argument(help="Your question; '-' reads it from standard input.")],
    max_tokens: Annotated[int, typer.Option(min=1, help="Most output tokens.")] = 64,
    max_price: Annotated[str | None, typer.Option(metavar="MALLA", help="Most that the job may cost.")] = None,
    model: Annotated[str | None, typer.Option(help="Name or digest of the model.")] = None,
    provider: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Ask this provider and no other.")] = None,
    deadline: Annotated[int | None, typer.Option(min=1, metavar="SECONDS", help="Until it must be committed.")] = None,
    temperature: Annotated[float, typer.Option(min=0, max=2, help="0 takes the likeliest token.")] = 0.0,
    top_p: Annotated[float, typer.Option(min=0, max=1, help="Share of the probability that is sampled from.")] = 1.0,
    top_k: Annotated[int, typer.Option(min=1, max=64, help="Most candidates for a token.")] = 64,
    seed: Annotated[int | None, typer.Option(min=0, help="Of the sampling; else a random one.")] = None,
    min_tokens: Annotated[int, typer.Option(min=0, help="Tokens before the answer may end.")] = 0,
    audit: Annotated[str, typer.Option(metavar="CLASS", help=AUDIT_HELP)] = "one",
    wait: Annotated[bool, typer.Option(help="Wait for the answer.")] = True,
    as_json: AsJson = False,
) -> None:
    """Open a job and wait for its answer. Interrupted, it goes on with `job watch`."""
    with speaking(as_json) as say:
        text = read_prompt() if prompt == "-" else prompt
        price = None if max_price is None else from_tokens(max_price)
        client = context.obj.connect()
        job_id = client.submit(text, max_tokens=max_tokens, max_price=price, model=model, provider=provider,
                               duration=deadline, temperature=temperature, top_p=top_p, top_k=top_k, seed=seed,
                               min_tokens=min_tokens, audit=audit, on_progress=say.progress)
        if not wait:
            say.out({"job_id": job_id}, job_id)
            return
        show(client.wait(job_id, on_progress=say.progress), say)


def watch(context: typer.Context, job_id: JobId, timeout: Timeout = None, as_json: AsJson = False) -> None:
    """Go on with a job, also one of an earlier process, until it has ended."""
    with speaking(as_json) as say:
        client = context.obj.connect()
        show(client.wait(job_id, timeout=timeout, on_progress=say.progress), say, client.case(job_id))


def transcript(context: typer.Context, job_id: JobId, timeout: Timeout = None, as_json: AsJson = False) -> None:
    """Wait for the answer, and show every token with its logprobs: enough to hold each against the model."""
    with speaking(as_json) as say:
        found, whole = context.obj.connect().transcript(job_id, timeout=timeout, on_progress=say.progress)
        fields = {**result_fields(found), "transcript": None if whole is None else to_json(whole)}
        say.out(fields, "No answer." if whole is None else "\n".join(token_lines(whole)))


def result(context: typer.Context, job_id: JobId, as_json: AsJson = False) -> None:
    """What is known of a job, without asking anybody."""
    with speaking(as_json) as say:
        show(context.obj.connect().result(job_id), say)


def cancel(context: typer.Context, job_id: JobId, as_json: AsJson = False) -> None:
    """Ask for a cancellation. The provider keeps a short time to deliver what it has finished."""
    with speaking(as_json) as say:
        found = context.obj.connect().cancel(job_id)
        given_up = found.state == "ABANDONED"
        text = found.note if given_up else "Cancellation asked for; see how it ends with `job watch`."
        say.out({"job_id": job_id, "state": found.state}, text)


def list_jobs(context: typer.Context, as_json: AsJson = False) -> None:
    """All jobs of this wallet on this network, newest first."""
    with speaking(as_json) as say:
        found = context.obj.connect().list_jobs()
        text = "\n".join(job_line(one) for one in found) or "No jobs yet."
        say.out({"jobs": [result_fields(one) for one in found]}, text)


def read_prompt() -> str:
    """Standard input, not more than a prompt may have. Errors: BadInput."""
    data = sys.stdin.buffer.read(MAX_PROMPT + 1)
    if len(data) > MAX_PROMPT:
        raise BadInput(f"The prompt has more than {MAX_PROMPT} bytes.", "Shorten the prompt.")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadInput("The prompt on standard input is not text in UTF-8.", "Convert it, or name a text.") from error


def show(found: JobResult, say: Any, case: Dispute | None = None) -> None:
    about = {"dispute": dispute_fields(case)} if case else {}
    say.out(result_fields(found) | about, "\n".join([plain_result(found), *(dispute_lines(case) if case else ())]))
    if found.state == "REFUNDED":
        raise typer.Exit(REFUNDED)


def job_line(job: JobResult) -> str:
    reason = f"({job.reason})" if job.reason else ""
    return f"{job.job_id}  {job.state}{reason}  {in_tokens(job.paid)} MALLA paid"
