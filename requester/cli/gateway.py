"""`malla request serve` and `malla request keys …`."""

from __future__ import annotations

import re
import sys
import time
from typing import Annotated

import typer

from protocol.errors import BadInput
from protocol.units import from_tokens, in_tokens
from requester.cli.options import AsJson
from requester.cli.terminal import print_preparation, speaking
from requester.flow.call_records import CALL_AUDITS
from requester.records.keys import ApiKey

UNITS = {"m": 60, "h": 3_600, "d": 86_400, "w": 7 * 86_400}
PORT = 8080

app = typer.Typer(no_args_is_help=True, help="API keys with a cap, an end and models, held by the escrow.")


def serve(
    context: typer.Context,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port; 0 takes a free one.")] = PORT,
    host: Annotated[str, typer.Option(help="Address; one that others reach needs keys.")] = "127.0.0.1",
    max_spend: Annotated[str, typer.Option(metavar="MALLA", help="The most that this run may spend, open fees "
                                           "included, gas not.")] = "10",
    session_cap: Annotated[str, typer.Option(metavar="MALLA", help="The most that one session reserves.")] = "2",
    query: Annotated[str, typer.Option("--filter", metavar="FILTER",
                                       help="Providers for every call: 'vram>=24 price<0.2 region in [EU]'.")] = "",
    max_tokens: Annotated[int, typer.Option(min=1, help="Output limit of requests that name none.")] = 256,
    audit: Annotated[str, typer.Option(metavar="CLASS", help=f"Who may see a drawn transcript: "
                                       f"{', '.join(CALL_AUDITS)}.")] = "one",
    require_key: Annotated[bool, typer.Option("--require-key", help="Refuse whoever brings no API key.")] = False,
    allow_host: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Another name of this gateway.")] = None,
    allow_origin: Annotated[list[str] | None, typer.Option(metavar="URL", help="A page that may call it.")] = None,
    as_json: AsJson = False,
) -> None:
    """An OpenAI-compatible server on this machine that pays by itself, within limits. Ends with Ctrl-C."""
    with speaking(as_json) as say:
        # Here, not above: web3 and fastapi take seconds to import, and `--help` does not need them.
        from requester.gateway.app import require_safe, run_gateway
        from requester.gateway.parts import Options
        from requester.records.sessions import Limits
        from requester.wiring import build_gateway_parts

        require_safe(host, require_key)
        if audit not in CALL_AUDITS:
            raise BadInput(f"There is no audit class '{audit[:40]}'.", f"Use {', '.join(CALL_AUDITS)}.")
        settings = context.obj.settings()
        limits = Limits(max_spend=from_tokens(max_spend), session_cap=from_tokens(session_cap),
                        keep_answers=settings.keep_days * 86_400.0)
        options = Options(tuple(allow_host or ()), tuple(allow_origin or ()), require_key, max_tokens, filter=query,
                          audit=audit)

        def ready(url: str) -> None:
            how = "its API keys" if require_key else "no key (any text as the key)"
            say.out({"url": url, "max_spend": str(limits.max_spend)},
                    f"Serving OpenAI's API at {url} with {how}, for at most {in_tokens(limits.max_spend)} MALLA.\n"
                    f"  export OPENAI_BASE_URL={url} OPENAI_API_KEY=malla")

        run_gateway(lambda: build_gateway_parts(settings, limits, options, print_preparation), host, port, ready)


@app.command("create")
def create(
    context: typer.Context,
    cap: Annotated[str, typer.Option(metavar="MALLA", help="The most that it may ever spend.")],
    expires: Annotated[str, typer.Option(metavar="TIME", help="Life of the key: 90m, 12h, 30d, 8w.")] = "30d",
    models: Annotated[list[str] | None, typer.Option("--models", metavar="MODEL",
                                                     help="A model that it may use; again for more.")] = None,
    name: Annotated[str, typer.Option(help="To find it again.")] = "",
    as_json: AsJson = False,
) -> None:
    """Make a key. It is shown once: only its digest is kept."""
    with speaking(as_json) as say:
        from requester.wiring import build_key_ring

        amount, now = from_tokens(cap), int(time.time())
        wanted = [one for text in models or () for one in text.split(",") if one]
        ends_at, ring = now + _seconds(expires), build_key_ring(context.obj.settings())
        bearer, key = ring.create(name, amount, ends_at, wanted, now)
        say.out({"key": bearer, **_fields(key)}, bearer)
        if not as_json:
            print(f"{key.id}: at most {in_tokens(key.cap)} MALLA until {_when(key.ends_at)}. "
                  "The key is not shown again.", file=sys.stderr)


@app.command("list")
def list_keys(context: typer.Context, as_json: AsJson = False) -> None:
    """All keys of this wallet on this network."""
    with speaking(as_json) as say:
        from requester.wiring import build_key_ring

        found = build_key_ring(context.obj.settings()).list()
        say.out({"keys": [_fields(key) for key in found]}, "\n".join(map(_line, found)) or "No keys.")


@app.command("revoke")
def revoke(context: typer.Context, key: Annotated[str, typer.Argument(help="Its id or name.")],
           as_json: AsJson = False) -> None:
    """Refuse a key from now on, here and in the escrow."""
    with speaking(as_json) as say:
        from requester.wiring import build_key_ring

        found = build_key_ring(context.obj.settings()).revoke(key)
        say.out(_fields(found), f"{found.id} is revoked.")


@app.callback()
def keys() -> None:
    """API keys with a cap, an end and models, held by the escrow."""


def _seconds(text: str) -> int:
    match = re.fullmatch(r"([1-9]\d{0,5})([mhdw])", text.strip())
    if match is None:
        raise BadInput(f"'{text[:40]}' is no time.", "Write a number and a unit: 90m, 12h, 30d, 8w.")
    return int(match[1]) * UNITS[match[2]]


def _when(second: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(second))


def _line(key: ApiKey) -> str:
    models = ", ".join(key.models) or "every model"
    return (f"{key.id}  {key.state:<8}  {in_tokens(key.cap)} MALLA  until {_when(key.ends_at)}  {models}"
            + (f"  {key.name}" if key.name else ""))


def _fields(key: ApiKey) -> dict[str, object]:
    return {"id": key.id, "name": key.name, "state": key.state, "address": key.address, "cap": str(key.cap),
            "ends_at": key.ends_at, "models": list(key.models), "created_at": key.created_at}
