"""When a provider takes a voucher, and what a call may consume: the rule between requester and provider, pure.

A voucher carries running totals: wei, tokens, calls, and the head of the transcripts after that many calls, and names
the calls that it may pay beyond them. What a provider has granted to the calls in flight (`Standing.held`) and what is
owed for those that ended never exceed the last voucher taken, so that the provider never works unpaid; and no voucher
needs to promise more than a quantum for each call beyond what was received, so that the requester never pays for more
than it got and one quantum.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import lru_cache

from protocol.calls import QUANTUM, Totals, cover, in_flight_digest
from protocol.economics import payment
from protocol.encoding import to_hex
from protocol.envelope import SignedTotals
from protocol.errors import Malformed, MallaError, SignatureInvalid
from protocol.messages import Domain, voucher_digest
from protocol.sessions import Session, Voucher
from protocol.signing import recover
from protocol.states import SessionState
from protocol.types import Offer
from protocol.units import Address, Digest, Wei

GRANT = 32
"""Output tokens that a call may make before its provider has to ask for the session's totals again."""

CLAIM_MARGIN = 30
"""Seconds before the last one in which a voucher can be committed: what is signed in them comes too late."""

STALE, WRONG_HEAD, OVER_CAP, NOT_NAMED = "voucher_stale", "wrong_head", "over_cap", "not_named"
WRONG_SIGNER, KEY_REVOKED, NOT_COVERED, SESSION_OVER = "wrong_signer", "key_revoked", "not_covered", "session_over"
STATUS = {STALE: 409, WRONG_HEAD: 409, NOT_NAMED: 409, OVER_CAP: 402, NOT_COVERED: 402, WRONG_SIGNER: 403,
          KEY_REVOKED: 403, SESSION_OVER: 403}
"""The HTTP status of each word."""


class VoucherRefused(MallaError):
    """A voucher or a call that is not taken; `word` is a key of `STATUS`."""

    def __init__(self, word: str, message: str, fix: str = "") -> None:
        super().__init__(message, fix)
        self.word = word

    @property
    def code(self) -> str:  # type: ignore[override]
        return self.word


@dataclass(frozen=True)
class Standing:
    """A session as its provider knows it: unix seconds, wei.

    `ends_at` is the second from which nothing is committed (of an open session: from which anyone may close it).
    `key_ends_at` is that of vouchers that the session's key signs, 0 if it may not sign. `owed` are the totals after
    all ended calls, `accepted` those of the last voucher taken, `held` what calls in flight may consume. `in_flight`
    are the calls that this voucher names; `is_linked` when calls beyond a voucher's were claimed, which ends the
    session here: no later head goes on from them.
    """

    session: Session
    state: SessionState
    cap: Wei
    ends_at: int
    key_ends_at: int
    owed: Totals
    accepted: Totals
    held: Wei
    in_flight: tuple[Digest, ...] = ()
    is_linked: bool = False

    @property
    def uncovered(self) -> int:
        """Wei of the last voucher that neither an ended call nor one in flight has used."""
        return self.accepted.amount - self.owed.amount - self.held


def totals_of(voucher: SignedTotals) -> Totals:
    return Totals(voucher.amount, voucher.units, voucher.calls, voucher.head)


def adds_nothing(voucher: SignedTotals, standing: Standing) -> bool:
    """Whether its totals are those of the last one taken: it pays for no new call, whatever calls it names."""
    return totals_of(voucher) == standing.accepted


def is_known(voucher: SignedTotals, standing: Standing) -> bool:
    """Whether it says what the last one taken says."""
    return (totals_of(voucher), voucher.in_flight) == (standing.accepted, standing.in_flight)


def take_voucher(standing: Standing, voucher: SignedTotals, reached: Totals | None, beyond: Collection[Digest],
                 domain: Domain, now: float) -> Standing:
    """The session after a voucher. `reached` are the totals after the voucher's calls, None if there were never so many
    or they are below the last voucher's; `beyond` the spec digests of the calls that run, or ended beyond those of the
    voucher. Raises VoucherRefused, cheap checks first; the signature is the last one.
    """
    before, owed = standing.accepted, standing.owed
    _require_time(standing, now)
    if voucher.calls < before.calls or (voucher.calls == before.calls and voucher.amount < before.amount):
        raise VoucherRefused(
            STALE, f"The voucher says {voucher.amount} wei after {voucher.calls} calls, the last one taken said "
            f"{before.amount} wei after {before.calls}.", "Sign totals that go on from the provider's.")
    if reached is None or (voucher.head, voucher.units) != (reached.head, reached.units):
        raise VoucherRefused(
            WRONG_HEAD, f"The voucher's head or tokens after {voucher.calls} calls are not the provider's; it has "
            f"ended {owed.calls} calls.", "Compare the leaves of the calls; close the session if one is not yours.")
    if voucher.amount > standing.cap:
        raise VoucherRefused(OVER_CAP, f"The voucher says {voucher.amount} wei, the session's cap is {standing.cap}.",
                             "Top up the session, or open another one.")
    used = owed.amount + standing.held
    if voucher.amount < reached.amount or voucher.amount < min(before.amount, used):
        raise VoucherRefused(
            NOT_COVERED, f"The voucher says {voucher.amount} wei; {reached.amount} are owed for its calls, {used} with "
            "those that ended since or are in flight.", "Sign at least what is owed and in flight.")
    _require_named(voucher, beyond)
    _require_signer(standing, voucher, domain, now)
    return replace(standing, accepted=totals_of(voucher), in_flight=voucher.in_flight)


def open_call(standing: Standing, input_tokens: int, max_output_tokens: int, offer: Offer,
              quantum: int = QUANTUM) -> Standing:
    """The session with one more call in flight, its first tokens granted. Raises VoucherRefused unless the voucher
    leaves a quantum for it."""
    if standing.state is not SessionState.OPEN or standing.is_linked:
        raise VoucherRefused(SESSION_OVER, "The session is closing: it takes no new calls.", "Open another session.")
    needed = cover(input_tokens, 0, max_output_tokens, offer, quantum)
    if standing.uncovered < needed:
        short = needed - standing.uncovered
        raise VoucherRefused(
            NOT_COVERED, f"The call needs {needed} wei beyond what is owed and in flight, the voucher leaves "
            f"{standing.uncovered}.", f"Sign {short} wei more.")
    first = payment(input_tokens, min(GRANT, max_output_tokens), offer.input_price, offer.output_price)
    return replace(standing, held=Wei(standing.held + first))


def grant(standing: Standing, granted: int, produced: int, max_output_tokens: int, offer: Offer) -> int:
    """Output tokens that a call may make in all: up to GRANT beyond those produced, as far as the voucher pays."""
    wanted = min(produced + GRANT, max_output_tokens) - granted
    if wanted <= 0:
        return granted
    paid = wanted if offer.output_price == 0 else max(0, standing.uncovered) // offer.output_price
    return granted + min(wanted, paid)


def held_for(input_tokens: int, granted: int, offer: Offer) -> Wei:
    """What a call in flight holds of its session, wei."""
    return payment(input_tokens, granted, offer.input_price, offer.output_price)


@lru_cache(maxsize=256)
def signer_of(session: Session, voucher: SignedTotals, domain: Domain) -> Address:
    """Who signed: asked before a call is counted and again under the session's lock, recovered once.

    Errors: SignatureInvalid, Malformed for calls in flight that no voucher names so.
    """
    return recover(voucher_digest(domain, voucher.session_id, on_chain(session, voucher)), voucher.signature)


def on_chain(session: Session, voucher: SignedTotals) -> Voucher:
    """The voucher as the chain takes it. Errors: Malformed, as `signer_of`."""
    return Voucher(session, voucher.amount, voucher.units, voucher.calls, voucher.head,
                   in_flight_digest(voucher.in_flight), voucher.signature)


def is_claimable(standing: Standing, now: float) -> bool:
    """Whether a voucher of the session can still get to the chain."""
    in_time = standing.state is SessionState.CLOSING and now + CLAIM_MARGIN < standing.ends_at
    return (standing.state is SessionState.OPEN or in_time) and not standing.is_linked


def _require_named(voucher: SignedTotals, beyond: Collection[Digest]) -> None:
    """A call that the voucher does not name could not be claimed if nothing came after it."""
    try:
        in_flight_digest(voucher.in_flight)
    except Malformed as error:
        raise VoucherRefused(NOT_NAMED, error.message, error.fix) from error
    missing = sorted(set(beyond) - set(voucher.in_flight))
    if missing:
        raise VoucherRefused(
            NOT_NAMED, f"The voucher does not name {len(missing)} of the calls that run or ended beyond its "
            f"{voucher.calls}: the spec {to_hex(missing[0])}.", "Name every call whose end is not in the head.")


def _require_time(standing: Standing, now: float) -> None:
    if standing.is_linked:
        raise VoucherRefused(SESSION_OVER, "Calls of the session beyond its last voucher were claimed: no head goes on "
                             "from them.", "Close the session, and open another one.")
    if not is_claimable(standing, now):
        raise VoucherRefused(SESSION_OVER, f"The session is {standing.state.name}: nothing of it can be claimed.",
                             "Open another session.")


def _require_signer(standing: Standing, voucher: SignedTotals, domain: Domain, now: float) -> None:
    session = standing.session
    try:
        signer = signer_of(session, voucher, domain)
    except SignatureInvalid as error:
        raise VoucherRefused(WRONG_SIGNER, error.message) from error
    if signer.lower() == session.requester.lower():
        return
    if signer.lower() != session.key.lower() or not int(session.key, 16):
        raise VoucherRefused(
            WRONG_SIGNER, f"The voucher is signed by {signer}, the session is {session.requester}'s"
            + (f" and its key's {session.key}." if int(session.key, 16) else "."),
            "Sign for this chain and escrow with the requester's key or the session's.")
    if now + CLAIM_MARGIN >= standing.key_ends_at:
        raise VoucherRefused(KEY_REVOKED, f"The key {signer} was revoked, or its time is over.",
                             "Sign with the requester's key, or authorise another key and open a session for it.")
