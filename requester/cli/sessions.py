"""`malla request sessions | quote | offers | close`."""

from __future__ import annotations

from typing import Annotated

import typer

from protocol.encoding import to_hex
from protocol.errors import BadInput
from protocol.units import Wei, in_tokens
from requester.cli.options import AsJson
from requester.cli.terminal import print_preparation, speaking
from requester.flow.showing import offer_line, session_lines

Filter = Annotated[str, typer.Argument(metavar="FILTER",
                                       help="'vram>=24 price<0.2 region in [EU]'; prices per million.")]


def sessions(context: typer.Context,
             everything: Annotated[bool, typer.Option("--all", help="Ended ones, too.")] = False,
             as_json: AsJson = False) -> None:
    """Sessions of this wallet on this network: what is reserved, owed and signed. Needs no password."""
    with speaking(as_json) as say:
        from requester.flow.showing import session_row
        from requester.wiring import build_models, read_sessions

        settings = context.obj.settings()
        files = read_sessions(settings)
        models = build_models(settings.model_cache)
        rows = [session_row(file, models) for file in files if everything or file.phase not in ("CLOSED", "ABANDONED")]
        say.out({"sessions": rows}, session_lines(rows))


def quote(
    context: typer.Context,
    prompt: Annotated[str, typer.Argument(help="Your question.")],
    max_tokens: Annotated[int, typer.Option(min=1, help="Most output tokens.")] = 64,
    model: Annotated[str | None, typer.Option(help="Name or digest of the model.")] = None,
    query: Annotated[str, typer.Option("--filter", metavar="FILTER", help="Which providers.")] = "",
    as_json: AsJson = False,
) -> None:
    """What a call would cost at most: a signed quote of every provider that fits. Reserves nothing."""
    with speaking(as_json) as say:
        from requester.flow.calls import CallWanted
        from requester.flow.choosing import order_of
        from requester.flow.showing import ask_quotes, choice_fields, quote_fields
        from requester.records.sessions import Limits
        from requester.wiring import build_desk

        desk = build_desk(context.obj.settings(), Limits(), print_preparation)
        order = order_of(desk, CallWanted((("user", prompt),), model, max_tokens, filter=query))
        choice, quotes, failures = ask_quotes(desk, order)
        fields = {"input_tokens": order.input_tokens, "choice": choice_fields(choice),
                  "quotes": [quote_fields(one) for one in quotes], "failures": failures}
        lines = [f"{one.provider}  at most {in_tokens(one.quote.most)} MALLA until second {one.quote.valid_until}"
                 for one in quotes]
        say.out(fields, "\n".join([*lines, *failures, choice.explain(order.model.name)]))
        if not quotes:
            raise typer.Exit(5)


def offers(context: typer.Context, query: Filter = "",
           model: Annotated[str | None, typer.Option(help="Only for this model.")] = None,
           as_json: AsJson = False) -> None:
    """Every offer that an oracle knows; with a filter those that fit, and what each condition took away."""
    with speaking(as_json) as say:
        if not query:
            found = context.obj.connect().offers(model)
            say.out({"offers": found}, "\n".join(offer_line(row) for row in found) or "No offers.")
            return
        from requester.flow.showing import find_offers
        from requester.records.sessions import Limits
        from requester.wiring import build_desk

        fit = find_offers(build_desk(context.obj.settings(), Limits(), print_preparation), query, model)
        removed = [{"filter": item.name, "count": item.count} for item in fit.removed]
        taken = "; ".join(f"{item.count} {item.why}" for item in fit.removed)
        lines = [*map(offer_line, fit.rows), f"{len(fit.rows)} of {fit.considered} offers fit"
                 + (f": {taken}." if taken else ".")]
        say.out({"offers": list(fit.rows), "considered": fit.considered, "removed": removed}, "\n".join(lines))


def close(
    context: typer.Context,
    session: Annotated[str | None, typer.Argument(help="0x and 64 hex digits, as `sessions` shows it.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every session that no gateway uses now.")] = False,
    as_json: AsJson = False,
) -> None:
    """Begin to close sessions, and return what is left of those whose claim delay is over."""
    with speaking(as_json) as say:
        if (session is None) != everything:
            raise BadInput("Name one session, or all of them.", "malla request close 0x…, or --all.")
        from requester.flow.closing import await_calls, close_session, finish_session
        from requester.flow.taking_up import take_up
        from requester.records.sessions import Limits, Phase
        from requester.wiring import build_desk

        desk = build_desk(context.obj.settings(), Limits())
        rows = []
        for live in take_up(desk):
            if not everything and to_hex(live.file.session_id) != str(session).lower():
                continue
            before = live.file.phase
            if before is Phase.OPEN:
                await_calls(desk, live)
                close_session(desk, live)
            elif before is Phase.CLOSING and desk.market.chain.now() >= live.file.ends_at:
                finish_session(desk, live)
            file = live.file
            rows.append({"session_id": to_hex(file.session_id), "was": before.value, "state": file.phase.value,
                         "refunded": str(file.refunded), "ends_at": file.ends_at})
        if session is not None and not rows:
            raise BadInput(f"{session[:80]} is no session of this wallet that could be closed now.",
                           "A gateway that runs closes its own; see `malla request sessions`.")
        lines = [f"{row['session_id']}  {row['state']}" + (
            f"  {in_tokens(Wei(int(str(row['refunded']))))} MALLA returned" if row["state"] == "CLOSED" else
            f"  what is left returns at second {row['ends_at']}: `malla request close --all` then") for row in rows]
        say.out({"sessions": rows}, "\n".join(lines) or "No session to close.")
