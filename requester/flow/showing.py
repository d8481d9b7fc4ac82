"""Sessions, offers and quotes as rows for people and JSON: amounts in wei as decimal strings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from protocol.encoding import to_hex
from protocol.errors import MallaError
from protocol.units import in_tokens
from requester.flow.bans import banned_for, reliability
from requester.flow.choosing import explain_choice
from requester.flow.desk import Desk
from requester.flow.filter_query import parse_filter
from requester.flow.matching import Removed
from requester.flow.providers import Choice
from requester.flow.quotes import SignedQuote, ask_quote
from requester.flow.results import offer_row
from requester.flow.sellers import MILLION, Order, facts_of
from requester.ports.jobs import Models
from requester.records.sessions import SessionFile


@dataclass(frozen=True)
class Found:
    """Offers that fit a filter, and how many each of its conditions took away."""

    rows: tuple[dict[str, Any], ...]
    considered: int
    removed: tuple[Removed, ...]


def find_offers(desk: Desk, text: str, model: str | None) -> Found:
    """Standing offers that fit. Errors: FilterInvalid, Refused."""
    query = parse_filter(text)
    wanted = None if model is None else desk.market.models.find(model).digest
    rows, now = desk.directory.rows(), desk.clock()
    left = [s for s in rows.sellers if s.is_signed and not s.revoked and wanted in (None, s.offer.offer.model)]
    considered, removed = len(left), []
    for condition in query:
        kept = [s for s in left if condition.holds(facts_of(s, desk.bans.of(s.provider), now))]
        if len(kept) < len(left):
            removed.append(Removed(condition.text, len(left) - len(kept), f"do not fit '{condition.text}'"))
        left = kept
    made = []
    for seller in left:
        marks, listing = desk.bans.of(seller.provider), seller.listing
        claims: dict[str, Any] = {} if listing is None else {
            "url": listing.url, "region": listing.region, "device": listing.device,
            "vram_mib": listing.memory_mib, "tokens_per_second": listing.tokens_per_second,
            "streams": listing.streams}
        made.append({**offer_row(seller.offer.offer, desk.market), **claims,
                     "reliability": round(reliability(marks, now), 4), "measured_speed": round(marks.speed, 2),
                     "banned_for": round(banned_for(marks, now), 1)})
    return Found(tuple(made), considered, tuple(removed))


def ask_quotes(desk: Desk, order: Order) -> tuple[Choice, list[SignedQuote], list[str]]:
    """A binding quote of every provider that fits, cheapest first, and what those said that gave none."""
    choice, quotes, failures = explain_choice(desk, order), [], []
    for one in choice.weighed:
        seller = one.seller
        assert seller.listing is not None and seller.standing.node_key is not None  # the filters took the others away
        try:
            quotes.append(ask_quote(
                desk.provider(seller.listing.url), seller.offer, seller.standing.node_key, desk.market.wallet.address,
                order.input_tokens, order.wanted.max_output_tokens, desk.market.chain.domain, desk.clock()))
        except MallaError as error:
            failures.append(f"{seller.provider}: {error.message}")
    return choice, sorted(quotes, key=lambda quote: quote.quote.most), failures


def quote_fields(quote: SignedQuote) -> dict[str, Any]:
    its = quote.quote
    return {"provider": quote.provider, "most": str(its.most), "input_tokens": its.input_tokens,
            "max_output_tokens": its.max_output_tokens, "valid_until": its.valid_until,
            "offer": to_hex(its.offer_digest), "node_key": quote.node_key, "signature": to_hex(quote.signature)}


def choice_fields(choice: Choice) -> dict[str, Any]:
    """Why these and no others; a weight is a share of all weights."""
    whole = sum(one.weight for one in choice.weighed)
    fits = [{"provider": one.seller.provider, "price": str(one.price), "reliability": round(one.reliability, 4),
             "speed": round(one.speed, 2), "share": round(float(one.weight / whole), 4) if whole else 1.0}
            for one in choice.weighed]
    removed = [{"filter": item.name, "count": item.count, "why": item.why} for item in choice.removed]
    return {"considered": choice.considered, "fits": fits, "removed": removed}


def session_row(file: SessionFile, models: Models) -> dict[str, Any]:
    """`owed` is what calls that ended cost, `signed` what the provider can claim, `left` what neither takes of the cap.
    """
    finished, signed = file.totals(), file.signed
    most = max(finished.amount, signed.amount if signed else 0)
    return {
        "session_id": to_hex(file.session_id) if file.session_id else "", "state": file.phase.value,
        "provider": file.offer.offer.provider, "model": models.name_of(file.offer.offer.model), "key": file.key_id,
        "cap": str(file.cap), "owed": str(finished.amount), "signed": str(signed.amount if signed else 0),
        "left": str(max(0, file.cap - most)), "calls": finished.calls, "units": finished.units,
        "committed": str(file.committed), "refunded": str(file.refunded), "opened_at": file.created_at,
        "ends_at": file.ends_at, "note": file.note}


def session_lines(rows: Sequence[dict[str, Any]]) -> str:
    return "\n".join(
        f"{row['session_id'] or '(not opened)'}  {row['state']}  {row['calls']} calls, "
        f"{in_tokens(int(row['owed']))} of {in_tokens(int(row['cap']))} MALLA  {row['model']} at {row['provider']}"
        + (f"  key {row['key']}" if row["key"] else "") + (f"  {row['note']}" if row["note"] else "")
        for row in rows) or "No sessions yet."


def offer_line(row: dict[str, Any]) -> str:
    per_million = [in_tokens(int(row[name]) * MILLION) for name in ("input_price", "output_price")]
    claims = "" if "device" not in row else (
        f"  {row['device']}, {row['vram_mib'] // 1024} GiB, {row['region']}, {row['tokens_per_second']} tokens/s")
    return (f"{row['provider']}  {row['model']}  {per_million[0]} in / {per_million[1]} out MALLA per million tokens, "
            f"at most {row['max_input_tokens']} + {row['max_output_tokens']} tokens{claims}")
