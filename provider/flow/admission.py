"""Whether a call is taken: everything that is checked before its voucher, and then the voucher. No GPU works before."""

from __future__ import annotations

from dataclasses import dataclass

from protocol.economics import payment
from protocol.encoding import to_hex
from protocol.envelope import SignedTotals, parse_request
from protocol.errors import BadInput, MallaError
from protocol.messages import Domain
from protocol.quotes import Quote, quote_digest
from protocol.units import Address, Digest, Wei
from protocol.vouchers import WRONG_SIGNER, signer_of
from provider.flow.call_checks import check_call, require_kind, require_within
from provider.flow.patience import Patience
from provider.flow.status import judge_readiness
from provider.ports.replies import CallBroker
from provider.ports.sessions import Sessions
from provider.ports.work import Clock, Counters, Journal, Keys, Log
from provider.records.sessions import CallRefused, CallRow, SessionFacts, SessionTotals, unknown_session
from provider.shelf import Shelf

BUSY_SECONDS, QUOTE_SECONDS = 1, 60


@dataclass(frozen=True)
class Admission:
    owner: Address
    domain: Domain
    shelf: Shelf
    sessions: Sessions
    journal: Journal
    counters: Counters
    keys: Keys
    broker: CallBroker
    clock: Clock
    log: Log
    patience: Patience
    streams: int
    """Calls that run at once; one more is refused as busy."""


def require_room(admission: Admission) -> None:
    """Before anything of a request is looked at. Raises CallRefused 429 when all streams are taken, 503 without worker.
    """
    if admission.sessions.calls_in_flight() >= admission.streams:
        raise busy(admission.streams)
    missing = judge_readiness(admission.journal.beats(), admission.clock())
    if "worker" in missing.waiting_for:
        raise CallRefused(503, "not_ready", "The provider's worker has no model in memory yet.",
                          "Try again in a few seconds, or another provider.", retry_after=5)


def busy(streams: int) -> CallRefused:
    return CallRefused(429, "busy", f"All {streams} streams of this provider are taken.",
                       "Try again in a second, or another provider.", retry_after=BUSY_SECONDS)


def admit_call(admission: Admission, kind: str, session_id: bytes, sealed: bytes) -> CallRow:
    """Take a sealed call and its voucher, and tell the worker. Raises CallRefused, cheap checks first."""
    require_kind(kind, admission.shelf.kinds)
    try:
        request = parse_request(admission.keys.unseal(sealed))
    except BadInput as error:
        raise CallRefused(400, "bad_seal", error.message,
                          "Seal it to the encryption key that the provider has on-chain.") from error
    if request.voucher.session_id != session_id:
        raise CallRefused(400, "wrong_session", "The sealed voucher is of another session than the body names.")
    facts = admission.sessions.facts(session_id)
    if facts is None:
        raise unknown_session(session_id)
    _require_signer(admission, facts, request.voucher)
    admission.patience.require(facts.session.requester)
    tokens = check_call(request, kind, facts, admission.shelf, admission.owner, admission.domain, admission.counters)
    row = admission.sessions.admit(request, kind, tokens, admission.clock())
    try:
        admission.broker.enqueue_call(row.call_id)
    except MallaError as error:
        admission.sessions.fail_call(row.call_id, error.message)
        raise CallRefused(503, error.code, error.message, "Try again: nothing is owed.", retry_after=1) from error
    return row


def _require_signer(admission: Admission, facts: SessionFacts, voucher: SignedTotals) -> None:
    """Before the prompt is rendered and counted, which costs far more: ids and requesters of sessions are public."""
    try:
        signer: str = signer_of(facts.session, voucher, admission.domain)
    except BadInput as error:
        signer = f"nobody ({error.message})"
    if signer.lower() not in (facts.session.requester.lower(), facts.session.key.lower()):
        raise CallRefused(403, WRONG_SIGNER, f"The voucher is signed by {signer}, which is not of this session.",
                          "Sign for this chain and escrow with the requester's key or the session's.")


def renew(admission: Admission, voucher: SignedTotals) -> SessionTotals:
    """Take a voucher that renews or closes. Raises CallRefused; to whoever does not sign for the session it says no
    more than that: how much a session has used is its requester's business."""
    try:
        return admission.sessions.accept_voucher(voucher, admission.clock())
    except CallRefused:
        facts = admission.sessions.facts(voucher.session_id)
        if facts is not None:
            _require_signer(admission, facts, voucher)
        raise


def make_quote(admission: Admission, requester: Address, offer: bytes, input_tokens: int,
               max_output_tokens: int) -> tuple[Quote, bytes]:
    """A signed bound of what one call costs. Raises CallRefused."""
    signed = admission.journal.offer(offer)
    now = int(admission.clock())
    if signed is None or signed.offer.expiry <= now:
        raise CallRefused(404, "unknown_offer", f"The offer {to_hex(offer)} is not a standing one of this provider.",
                          "Read the offers again.")
    terms = signed.offer
    require_within(input_tokens, max_output_tokens, terms.max_input_tokens, terms.max_output_tokens)
    most = payment(input_tokens, max_output_tokens, terms.input_price, terms.output_price)
    quote = Quote(requester, Digest(offer), input_tokens, max_output_tokens, Wei(most),
                  min(now + QUOTE_SECONDS, terms.expiry))
    return quote, admission.keys.sign(quote_digest(admission.domain, quote))
