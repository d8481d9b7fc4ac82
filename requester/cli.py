"""`malla request …` and `malla receipt …`. Amounts are MALLA on the command line and wei, as strings, in JSON."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from protocol.errors import BadInput
from protocol.limits import MAX_PROMPT
from protocol.units import from_tokens, in_tokens
from protocol.wire import to_json
from requester.batch_commands import add_batch
from requester.court_ports import Dispute
from requester.dispute_commands import add_dispute_commands, dispute_fields, dispute_lines
from requester.errors import REFUNDED
from requester.gateway_commands import add_gateway
from requester.records import JobResult
from requester.session_commands import add_session_commands
from requester.terminal import Session, plain_result, result_fields, speaking, token_lines, verify_file

app = typer.Typer(no_args_is_help=True, add_completion=False)
request_app = typer.Typer(no_args_is_help=True, help="Ask for work: deposit, open jobs, read answers.")
job_app = typer.Typer(no_args_is_help=True, help="One job: submit, watch, result, cancel, dispute, explain, list.")
receipt_app = typer.Typer(no_args_is_help=True, help="Check receipts offline.")
request_app.add_typer(job_app, name="job")
add_dispute_commands(job_app)
add_gateway(request_app)
add_batch(request_app)
add_session_commands(request_app)
app.add_typer(request_app, name="request")
app.add_typer(receipt_app, name="receipt")

RpcUrl = Annotated[str | None, typer.Option(envvar="MALLA_RPC_URL", help="Chain node; else the testnet of this clone.")]
Deployment = Annotated[Path | None, typer.Option(envvar="MALLA_DEPLOYMENT", help="Deployment file.")]
Keystore = Annotated[Path | None, typer.Option(envvar="MALLA_KEYSTORE", help="The requester's keystore v3 file.")]
PasswordFile = Annotated[Path | None, typer.Option(envvar="MALLA_PASSWORD_FILE", help="File with its password.")]
Home = Annotated[Path | None, typer.Option(envvar="MALLA_HOME", help="Folder of job files and receipts.")]
KeepAnswers = Annotated[int | None, typer.Option("--keep-answers", envvar="MALLA_KEEP_ANSWERS", min=0, metavar="DAYS",
                                                 help="Days that answers of ended jobs, and receipts, stay here: 30.")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of text.")]
Amount = Annotated[str, typer.Argument(metavar="MALLA", help="Tokens, such as 12.5.")]
Timeout = Annotated[float | None, typer.Option(min=0, max=10**9, metavar="SECONDS", help="Stop waiting then.")]
AUDIT_HELP = ("Who may see the transcript if it is drawn: 'open' every oracle, 'one' the one that is drawn, "
              "'canary-only' nobody: weaker, and only with a provider of four times the stake.")
JobId = Annotated[str, typer.Argument(help="0x and 64 hex digits, as `job submit` printed it.")]


@request_app.callback()
def connection(context: typer.Context, rpc_url: RpcUrl = None, deployment: Deployment = None,
               keystore: Keystore = None, password_file: PasswordFile = None, home: Home = None,
               keep_answers: KeepAnswers = None) -> None:
    """Ask for work: deposit, open jobs, read answers."""
    context.obj = Session(rpc_url, deployment, keystore, password_file, home, keep_answers)


@job_app.command("submit")
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


@job_app.command("watch")
def watch(context: typer.Context, job_id: JobId, timeout: Timeout = None, as_json: AsJson = False) -> None:
    """Go on with a job, also one of an earlier process, until it has ended."""
    with speaking(as_json) as say:
        client = context.obj.connect()
        show(client.wait(job_id, timeout=timeout, on_progress=say.progress), say, client.case(job_id))


@job_app.command("transcript")
def transcript(context: typer.Context, job_id: JobId, timeout: Timeout = None, as_json: AsJson = False) -> None:
    """Wait for the answer, and show every token with its logprobs: enough to hold each against the model."""
    with speaking(as_json) as say:
        found, whole = context.obj.connect().transcript(job_id, timeout=timeout, on_progress=say.progress)
        fields = {**result_fields(found), "transcript": None if whole is None else to_json(whole)}
        say.out(fields, "No answer." if whole is None else "\n".join(token_lines(whole)))


@job_app.command("result")
def result(context: typer.Context, job_id: JobId, as_json: AsJson = False) -> None:
    """What is known of a job, without asking anybody."""
    with speaking(as_json) as say:
        show(context.obj.connect().result(job_id), say)


@job_app.command("cancel")
def cancel(context: typer.Context, job_id: JobId, as_json: AsJson = False) -> None:
    """Ask for a cancellation. The provider keeps a short time to deliver what it has finished."""
    with speaking(as_json) as say:
        found = context.obj.connect().cancel(job_id)
        given_up = found.state == "ABANDONED"
        text = found.note if given_up else "Cancellation asked for; see how it ends with `job watch`."
        say.out({"job_id": job_id, "state": found.state}, text)


@job_app.command("list")
def list_jobs(context: typer.Context, as_json: AsJson = False) -> None:
    """All jobs of this wallet on this network, newest first."""
    with speaking(as_json) as say:
        found = context.obj.connect().list_jobs()
        text = "\n".join(job_line(one) for one in found) or "No jobs yet."
        say.out({"jobs": [result_fields(one) for one in found]}, text)


@request_app.command("balance")
def balance(context: typer.Context, as_json: AsJson = False) -> None:
    """Free balance in the escrow, tokens in the wallet, the chain's own currency for gas."""
    with speaking(as_json) as say:
        client = context.obj.connect()
        has = client.balances()
        fields = {"account": client.address, "escrow": str(has.escrow), "wallet": str(has.wallet), "gas": str(has.gas)}
        amounts = [f"escrow  {in_tokens(has.escrow)} MALLA", f"wallet  {in_tokens(has.wallet)} MALLA"]
        say.out(fields, "\n".join([client.address, *amounts, f"gas     {in_tokens(has.gas)}"]))


@request_app.command("deposit")
def deposit(context: typer.Context, amount: Amount, as_json: AsJson = False) -> None:
    """Move tokens from the wallet into the escrow, from which jobs are paid."""
    with speaking(as_json) as say:
        wei, client = from_tokens(amount), context.obj.connect()
        client.deposit(wei)
        say.out({"deposited": str(wei)}, f"Deposited {in_tokens(wei)} MALLA.")


@request_app.command("withdraw")
def withdraw(context: typer.Context, amount: Amount, as_json: AsJson = False) -> None:
    """Move free balance out of the escrow into the wallet, at any time."""
    with speaking(as_json) as say:
        wei, client = from_tokens(amount), context.obj.connect()
        client.withdraw(wei)
        say.out({"withdrawn": str(wei)}, f"Withdrew {in_tokens(wei)} MALLA.")


@receipt_app.callback()
def receipts() -> None:
    """Check receipts offline."""


@receipt_app.command("verify")
def verify(
    file: Annotated[Path, typer.Argument(help="A receipt file.")],
    deployment: Deployment = None,
    rpc_url: Annotated[str | None, typer.Option(help="Also look the settlement up in the chain.")] = None,
    as_json: AsJson = False,
) -> None:
    """Every check of a receipt, with nothing but the deployment file; exit status 1 when one fails."""
    with speaking(as_json) as say:
        report = verify_file(file, deployment, rpc_url)
        say.out(report.fields(), report.describe())
        if not report.holds:
            raise typer.Exit(1)


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
