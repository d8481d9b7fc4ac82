"""A requester with one session at a provider: signs vouchers, makes calls, runs them to their end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from protocol.calls import Totals, add_call, begin, cover, in_flight_digest
from protocol.encoding import ZERO, keccak
from protocol.envelope import CallRequest, SignedTotals
from protocol.messages import Domain, offer_digest, session_id, voucher_digest
from protocol.sealing import public_key
from protocol.signing import Signer
from protocol.transcript import prompt_bytes, spec_digest
from protocol.types import JobSpec, Offer, Prompt, Sampler, Session, Voucher
from protocol.units import Address, Digest, Seconds, Wei
from provider.edges.fake_sessions import FakeSessions
from provider.edges.fakes import DOMAIN
from provider.ports.sessions import Sessions
from provider.records.sessions import CallRow, CallWork, EndedCall, call_id
from provider.records.work import Lease
from tests.provider.world import MESSAGES, OWNER, SERVED

NOBODY = Address("0x" + "0" * 40)
HOLDER = "host:1"
OFFER = Offer(OWNER, SERVED.model, SERVED.profile, Wei(10), Wei(100), 1000, 2000, Seconds(10), Wei(10**9), 1, 2**39)
PROMPT = prompt_bytes(Prompt(MESSAGES, bytes(32)))
INPUT = 7
CAP = 10**7
NOW = 1_000_000.0


@dataclass
class Payer:
    """What a gateway knows of its session: `known` are the totals of the calls whose end it saw."""

    signer: Signer = field(default_factory=lambda: Signer(keccak(b"requester")))
    sub_key: Signer | None = None
    domain: Domain = DOMAIN
    offer: Offer = OFFER
    nonce: int = 1
    calls: int = 0
    asked: dict[bytes, Digest] = field(default_factory=dict)
    """Spec digests of the calls whose end was not seen, by their ids: every voucher names them."""
    signed: dict[bytes, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        key = self.sub_key.address if self.sub_key else NOBODY
        self.session = Session(self.signer.address, self.offer.provider, offer_digest(self.domain, self.offer), key,
                               Wei(10**6), int(NOW) - 60, self.nonce)
        self.id = session_id(self.domain.chain_id, self.domain.contract, self.session)
        self.known: Totals = begin(self.id)

    def sign(self, amount: int, at: Totals | None = None, **changes: Any) -> SignedTotals:
        """A voucher of `amount` wei over the calls of `at`, by default all that are known; `in_flight` are the specs
        that it names, by default of all calls whose end was not seen."""
        at = at or self.known
        said = {"amount": amount, "at": at, **changes}
        fields = {"amount": Wei(amount), "units": at.units, "calls": at.calls, "head": at.head,
                  "in_flight": tuple(sorted(self.asked.values()))}
        domain, by = changes.pop("domain", self.domain), changes.pop("by", self.sub_key or self.signer)
        fields |= changes
        named = {**fields, "in_flight": in_flight_digest(fields["in_flight"])}
        signature = by.sign(voucher_digest(domain, self.id, Voucher(self.session, signature=b"", **named)))
        self.signed[signature] = said
        return SignedTotals(self.id, signature=signature, **fields)

    def spec(self, max_output_tokens: int = 20, **changes: Any) -> JobSpec:
        self.calls += 1
        fields: dict[str, Any] = {
            "chain_id": self.domain.chain_id, "escrow": self.domain.contract, "requester": self.signer.address,
            "provider": self.offer.provider, "model": self.offer.model, "profile": self.offer.profile,
            "sampler": Sampler("greedy", 0), "input_tokens": INPUT, "max_output_tokens": max_output_tokens,
            "prompt_digest": keccak(PROMPT), "prompt_blob": self.id, "reply_key": public_key(bytes(range(32))),
            "nonce": self.calls,
        }
        return JobSpec(**(fields | changes))

    def needs(self, max_output_tokens: int = 20) -> int:
        return cover(INPUT, 0, max_output_tokens, self.offer)

    def request(self, voucher: SignedTotals, max_output_tokens: int = 20, **changes: Any) -> CallRequest:
        """A call with a voucher of ours, which then names the call as well."""
        spec = self.spec(max_output_tokens, **changes)
        self.asked[call_id(self.id, spec.nonce)] = spec_digest(spec)
        voucher = self.sign(**self.signed[voucher.signature])
        return CallRequest(spec, PROMPT, voucher, bytes([self.calls % 256]) * 32)

    def ask(self, max_output_tokens: int = 20, beside: int = 0) -> CallRequest:
        """A call that is covered as it must be, with `beside` wei for other calls in flight."""
        return self.request(self.sign(self.known.amount + beside + self.needs(max_output_tokens)), max_output_tokens)

    def see(self, ended: EndedCall) -> None:
        self.known = add_call(self.known, ended.line, self.offer)
        self.asked.pop(ended.call_id, None)
        assert self.known == ended.totals


def opened(payer: Payer, cap: int = CAP, key_ends_at: int = 0) -> FakeSessions:
    """A store with the payer's session, as if its opening were final."""
    sessions = FakeSessions()
    sessions.open(payer.id, payer.session, payer.offer, cap, int(NOW) + 3600, key_ends_at)
    return sessions


def work(tokens: int = 5, name: str = "", finish: str = "stop") -> CallWork:
    return CallWork(b"transcript" + name.encode(), Digest(keccak(f"leaf {name}".encode())), bytes(32), Digest(ZERO),
                    INPUT, tokens, finish, {"gpu": None}, int(NOW), 1.0, 0.1)


def run(sessions: Sessions, call: CallRow, tokens: int = 5, now: float = NOW) -> EndedCall:
    """The worker's part of one call."""
    assert sessions.claim_call(call.call_id, Lease(HOLDER, now + 30), now) is not None
    ended = sessions.finish_call(call.call_id, HOLDER, work(tokens, call.call_id.hex()), now)
    assert ended is not None
    return ended
