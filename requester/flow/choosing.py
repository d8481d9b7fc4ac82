"""From a wish to an order, and from an order to the provider that is asked first, or next."""

from __future__ import annotations

from collections.abc import Sequence

from protocol.errors import BadInput, MallaError
from protocol.limits import MAX_MESSAGES
from requester.flow.call_records import CALL_AUDITS, KINDS, Attempt, CallFailed, CallWanted
from requester.flow.desk import Desk
from requester.flow.failing import AttemptFailed, failed_everywhere, failure_of
from requester.flow.filter_query import parse_filter
from requester.flow.ordering import require_context, require_order
from requester.flow.providers import Choice, Weighed, choose_among, draw
from requester.flow.sellers import Order


def order_of(desk: Desk, wanted: CallWanted) -> Order:
    """The call, understood. Errors: CallFailed(400, 404)."""
    try:
        query = parse_filter(wanted.filter)
        model = desk.market.models.find(wanted.model)
        require_order(wanted.sampler, wanted.max_output_tokens, wanted.audit)
        _require_messages(wanted)
        tokens = wanted.input_tokens
        if tokens is None:
            tokens = desk.market.models.count_tokens(model, wanted.messages)
        require_context(model, tokens, wanted.max_output_tokens)
    except MallaError as error:
        raise failure_of(error) from error
    return Order(wanted, model, tokens, query)


def explain_choice(desk: Desk, order: Order) -> Choice:
    """Who could get the call, with which weight, and which filter took how many away. Errors: CallFailed."""
    try:
        rows = desk.directory.rows()
    except MallaError as error:
        raise failure_of(error) from error
    marks = {seller.provider: desk.bans.of(seller.provider) for seller in rows.sellers}
    return choose_among(rows.sellers, order, marks, rows.terms, desk.clock())


def choose_provider(desk: Desk, order: Order, attempts: Sequence[Attempt],
                    failures: Sequence[AttemptFailed]) -> Weighed:
    """Drawn by weight; among those with an open session if there are any, for a new one costs a block's wait and a fee.

    Errors: CallFailed with every filter and how many it took.
    """
    choice = explain_choice(desk, order)
    if not choice.weighed:
        raise failed_everywhere(attempts, failures) if attempts else _nobody(choice, order)
    for preferred in order.wanted.order:
        for one in choice.weighed:
            if one.seller.provider.lower() == preferred.lower():
                return one
    key_id = order.wanted.key_id or ""
    at_hand = [one for one in choice.weighed if desk.find(one.seller.digest, key_id) is not None]
    return draw(at_hand or choice.weighed, desk.market.random())


def _nobody(choice: Choice, order: Order) -> CallFailed:
    text, name = choice.explain(order.model.name), choice.removed[-1].name if choice.removed else "model"
    if name == "banned":
        return CallFailed(503, "no_capacity", text, "They are asked again when their bans end.",
                          retry_after=max(1.0, choice.banned))
    fixes = {"max_price": "Raise the price limit or ask for fewer tokens.",
             "tokens": "Shorten the prompt or ask for fewer tokens.",
             "sampler": "Ask with temperature 0 and without min_tokens."}
    asked = name in {condition.text for condition in order.query}
    return CallFailed(422, "no_provider", text, fixes.get(name, "See what is offered: malla request offers."),
                      "filter" if asked else None)


def _require_messages(wanted: CallWanted) -> None:
    if wanted.kind not in KINDS:
        raise BadInput(f"There is no kind of call '{wanted.kind[:20]}'.", f"Use {', '.join(KINDS)}.")
    if wanted.audit not in CALL_AUDITS:  # here, before a session is opened for what everybody refuses
        raise BadInput(f"A call has no audit class '{wanted.audit[:40]}'.", f"Use {' or '.join(CALL_AUDITS)}.")
    if not 1 <= len(wanted.messages) <= MAX_MESSAGES:
        raise BadInput(f"A call has 1 to {MAX_MESSAGES} messages, this one has {len(wanted.messages)}.")
