"""Reserving money for calls: a session is opened within the limits, topped up before it runs out, never twice for one
need. What is signed lies on disk before it is sent."""

from __future__ import annotations

import secrets
from dataclasses import replace

from protocol.encoding import keccak
from protocol.errors import BadInput, ChainRefused, Unavailable
from protocol.units import Digest
from requester.flow.bans import Failure
from requester.flow.desk import Desk, Live
from requester.flow.failing import AttemptFailed, refused
from requester.flow.providers import Weighed
from requester.flow.quotes import ask_quote
from requester.flow.sellers import Order, Seller
from requester.flow.spending import amount_within
from requester.flow.vouchers import Meter
from requester.ports.sessions import ProviderSaid
from requester.records.sessions import FORMAT, OpenedSession, Phase, SessionFile


def find_or_open(desk: Desk, chosen: Weighed, order: Order) -> Live:
    """A session with the chosen provider for this order's key.

    Errors: AttemptFailed (its quote), SpendLimit, KeyUsedUp, BalanceTooLow, GasMissing, ChainRefused, Unavailable.
    """
    key_id = order.wanted.key_id or ""
    found = desk.find(chosen.seller.digest, key_id)
    if found is not None:
        listing = chosen.seller.listing
        if listing is not None and listing.url != found.file.url:  # it has moved: the session goes on there
            desk.save(found, url=listing.url)
        return found
    if desk.limits.quotes:  # before the lock: a provider that is slow to answer may not keep others waiting
        _require_quote(desk, chosen.seller, order)
    with desk.opening:
        return desk.find(chosen.seller.digest, key_id) or _open(desk, chosen, order, key_id)


def adopt(desk: Desk, file: SessionFile) -> Live:
    """Begin to use a session whose file is held by this process."""
    meter = Meter(file.offer.offer, file.cap, file.totals(), file.signed)
    live = Live(file, meter, desk.clock(), base=meter.owed)
    if file.top_up_raw:
        desk.planned[live.session_id.hex()] = file.top_up
    desk.add(live)
    return live


def opened(file: SessionFile, found: OpenedSession) -> SessionFile:
    """The file of a session whose opening is mined."""
    return replace(file, phase=Phase.OPEN, session=found.session, session_id=bytes(found.session_id), cap=found.cap,
                   ends_at=found.ends_at)


def _open(desk: Desk, chosen: Weighed, order: Order, key_id: str) -> Live:
    seller = chosen.seller
    assert seller.listing is not None and seller.standing.node_key is not None  # the filters took the others away
    terms, now = desk.chain.session_terms(), desk.market.chain.now()
    wished = chosen.price * desk.limits.calls_ahead
    cap = amount_within(desk, chosen.price, wished, 0, key_id, terms.open_fee)
    file = SessionFile(
        format=FORMAT, label=secrets.token_hex(16), phase=Phase.PLANNED, key_id=key_id, url=seller.listing.url,
        offer=seller.offer, node_key=seller.standing.node_key, encryption_key=seller.standing.encryption_key,
        nonce=secrets.randbits(63), cap=cap, duration=min(desk.limits.duration, terms.max_session), created_at=now)
    with desk.funds.cover(cap + terms.open_fee):
        desk.planned[file.label], desk.fees[file.label] = cap, terms.open_fee
        live = adopt(desk, _send_opening(desk, file))
    desk.read_balance()
    return live


def _require_quote(desk: Desk, seller: Seller, order: Order) -> None:
    """Nothing is reserved before the provider has bound itself. Errors: AttemptFailed."""
    assert seller.listing is not None and seller.standing.node_key is not None  # the filters took the others away
    try:
        ask_quote(desk.provider(seller.listing.url), seller.offer, seller.standing.node_key,
                  desk.market.wallet.address, order.input_tokens, order.wanted.max_output_tokens,
                  desk.market.chain.domain, desk.clock())
    except ProviderSaid as said:
        raise refused(said) from said
    except (Unavailable, BadInput) as error:
        raise AttemptFailed(error.code, error.message, Failure.OUTAGE) from error


def _send_opening(desk: Desk, file: SessionFile) -> SessionFile:
    """Errors: ChainRefused (the file is then ABANDONED), Unavailable (it stays PLANNED, and is taken up again)."""
    def remember(tx_hash: Digest, raw: bytes) -> None:
        nonlocal file
        file = replace(file, open_raw=raw)
        desk.store.write(file)

    desk.store.hold(file.label)
    desk.store.write(file)
    wallet, key = desk.market.wallet, desk.signers.signer_of(file.key_id).address if file.key_id else None
    try:
        mined = wallet.wait(wallet.send(desk.chain.open_session_call(file, key), remember))
    except ChainRefused as refusal:
        desk.forget_opening(file.label)
        desk.store.write(replace(file, phase=Phase.ABANDONED, note=refusal.message))
        desk.store.release(file.label)
        raise
    found = desk.chain.opened_session(mined.tx_hash)
    if found is None:
        raise Unavailable(f"The opening 0x{keccak(file.open_raw).hex()} left its block again.",
                          "Nothing is lost: the session is taken up again at the next start.")
    file = opened(file, found)
    desk.store.write(file)
    return file
