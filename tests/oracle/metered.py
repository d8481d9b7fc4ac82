"""Sessions in a world of oracles: calls that a provider answered, and the voucher that it commits and reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from oracle.flow.call_draw import make_units, note_call_draws
from oracle.flow.session_reports import accept_session_report
from protocol.calls import (
    CallLine,
    Totals,
    add_call,
    begin,
    call_unit,
    claimed_head,
    in_flight_digest,
    line_digest,
    link,
)
from protocol.chain.events import BatchCommitted, Claim, SessionOpened, VouchersCommitted
from protocol.chain.records import BatchRecord
from protocol.draw import Draw
from protocol.encoding import ZERO, keccak, pack_float32
from protocol.messages import head_digest, offer_digest, opening_digest, session_id
from protocol.openings import PostedOpening, PostedReport, pack_opening, pack_report
from protocol.sealing import new_secret, public_key, seal
from protocol.session_reports import SessionReport, session_report_digest
from protocol.signing import Signer
from protocol.transcript import answer_of, leaf, prompt_bytes, spec_digest, transcript_bytes
from protocol.types import BatchState, Entry, JobSpec, Outcome, Prompt, Sampler, Session, Transcript
from protocol.units import BPS_ONE, Address, Digest, Wei
from tests.oracle.world import MODEL, NOW, PROFILE, Work, World

NO_KEY = Address("0x" + "00" * 20)
SEED = Digest(b"\1" * 32)


class Metered:
    """One session of the world's requester with the world's provider, open since before the world's present."""

    def __init__(self, world: World, nonce: int = 1, requester: Signer | None = None) -> None:
        self.world, self.requester = world, requester or world.requester
        offer = offer_digest(world.domain, world.offer.offer)
        self.session = Session(self.requester.address, world.owner.address, offer, NO_KEY, Wei(10**6), NOW - 60, nonce)
        self.session_id = session_id(31337, world.domain.contract, self.session)
        self.calls: list[Call] = []
        self.committed = begin(self.session_id)
        said = self.session
        world.apply(SessionOpened(self.session_id, said.requester, said.provider, said.offer_digest, said.key,
                                  said.largest_call, said.nonce, Wei(10**9), NOW + 3600, said.opened_at))
        for node in world.nodes:
            node.store.put_offer(said.offer_digest, world.offer, NOW)
            node.store.keep_terms(self.session_id, MODEL, PROFILE)

    def answer(self, *calls: Call) -> None:
        """These calls end, in this order."""
        self.calls += calls

    def totals(self, calls: Sequence[Call] | None = None) -> Totals:
        found = begin(self.session_id)
        for call in self.calls if calls is None else calls:
            found = add_call(found, call.line, self.world.offer.offer)
        return found


class Call:
    """A call that its provider answered with three tokens. `changes` alter the transcript after its leaf was made,
    `spec` what it asks for, `made` the transcript itself."""

    def __init__(self, metered: Metered, nonce: int, spec: dict[str, Any] | None = None,
                 made: dict[str, Any] | None = None, **changes: Any) -> None:
        world = self.world = metered.world
        self.prompt = prompt_bytes(Prompt((("user", "say three words"),), keccak(b"salt")))
        asked = JobSpec(31337, world.domain.contract, metered.requester.address, world.owner.address, MODEL, PROFILE,
                        Sampler("greedy", 0), 3, 8, keccak(self.prompt), metered.session_id, public_key(b"r" * 32),
                        nonce)
        self.spec = replace(asked, **(spec or {}))
        honest = replace(Transcript(self.spec, self.prompt, (5, 6, 7), pack_float32([-0.1, -0.2, -0.3]),
                                    keccak(b"salt of call" + nonce.to_bytes(8, "big"))), **(made or {}))
        self.answer = answer_of(honest, metered.session_id, 3, "", "")
        self.line = CallLine(leaf(self.answer, self.spec), 3, len(honest.output_token_ids))
        self.transcript = replace(honest, **changes)


class Claimed:
    """A voucher in a batch: the calls that it added, and what its provider sends about them."""

    def __init__(self, metered: Metered, batch_id: int, index: int, calls: Sequence[Call], first: int, entry: Entry,
                 claim: Claim, named: tuple[Digest, ...] = (), specs: tuple[Digest, ...] = ()) -> None:
        self.metered, self.world = metered, metered.world
        self.batch_id, self.index, self.calls, self.first = batch_id, index, list(calls), first
        self.entry, self.claim = entry, claim
        self.named, self.specs = named, specs

    def report(self, **changes: Any) -> SessionReport:
        made = SessionReport(self.batch_id, self.index, self.metered.session_id, self.first,
                             tuple(call.line for call in self.calls), self.world.offer.offer, self.named, self.specs)
        return replace(made, **changes)

    def sign(self, report: SessionReport, signer: Signer | None = None) -> bytes:
        return (signer or self.world.node_signer).sign(session_report_digest(self.world.domain, report))

    def tell(self, *seats: int) -> None:
        """The report reaches the oracles of these seats, or of all."""
        for node in [self.world.nodes[seat] for seat in seats] or self.world.nodes:
            accept_session_report(node, self.report(), self.sign(self.report()))
            make_units(node)

    def unit(self, call: int) -> int:
        return call_unit(self.index, call)

    def opening(self, call: int, seat: int, plaintext: bytes | None = None,
                signer: Signer | None = None) -> dict[str, Any]:
        """The arguments of `accept_opening`."""
        auditor, unit = self.world.chain.member(self.world.signers[seat].address), self.unit(call)
        sealed = seal(plaintext or transcript_bytes(self.calls[call].transcript), auditor.encryption_key, new_secret())
        digest = opening_digest(self.world.domain, self.batch_id, unit, auditor.address, keccak(sealed))
        return {"batch_id": self.batch_id, "index": unit, "auditor": auditor.address, "sealed": sealed,
                "signature": (signer or self.world.node_signer).sign(digest)}

    def posted(self, call: int, seat: int) -> bytes:
        opening = self.opening(call, seat)
        return pack_opening(PostedOpening(opening["index"], opening["auditor"], opening["sealed"]))

    def posted_report(self) -> bytes:
        said = self.report()
        return pack_report(PostedReport(self.index, said.calls, said.offer, said.in_flight, said.specs))


def claim(metered: Metered, batch_id: int, index: int, more: int = 0, calls: int | None = None, linked: int = 0,
          named: tuple[Digest, ...] | None = None, specs: tuple[Digest, ...] | None = None) -> Claimed:
    """A voucher over all calls so far, and `more` wei; `calls` is what its requester signed instead of their number.
    The last `linked` calls are beyond its head, linked to `specs` (their own unless it is said otherwise), of those
    that it has `named` (by default those, and one that was lost)."""
    before, totals = metered.committed, metered.totals()
    if specs is None:
        specs = tuple(spec_digest(call.spec) for call in metered.calls[len(metered.calls) - linked:])
    if named is None:
        named = tuple(sorted({*specs, keccak(b"lost")})) if linked else ()
    place = len(metered.calls) - linked
    links = [link(spec, line_digest(call.line)) for spec, call in zip(specs, metered.calls[place:], strict=True)]
    ended = metered.totals(metered.calls[:place])
    totals = replace(totals, head=claimed_head(ended.head, in_flight_digest(named), links))
    added = Wei(totals.amount + more - before.amount)
    entry = Entry(metered.session_id, metered.requester.address, added, added, totals.head, ZERO)
    said = Claim(Wei(totals.amount + more), totals.units, totals.calls if calls is None else calls)
    metered.committed = replace(totals, amount=said.amount)
    return Claimed(metered, batch_id, index, metered.calls[before.calls:], before.calls + 1, entry, said, named, specs)


def commit(world: World, *vouchers: Claimed, works: Sequence[Work] = (), block: int = 50) -> None:
    """A batch of these jobs and, behind them, these vouchers."""
    batch_id = vouchers[0].batch_id
    entries = (*(work.entry for work in works), *(voucher.entry for voucher in vouchers))
    event = BatchCommitted(batch_id, world.owner.address, 1, 1, entries)
    digest = head_digest(batch_id, event.head(block, world.chain.start + block))
    world.chain.batches[batch_id] = BatchRecord(digest, BatchState.PENDING, Outcome.NONE)
    for i, work in enumerate(works):
        work.batch_id, work.index = batch_id, i
    world.apply(event, VouchersCommitted(batch_id, tuple(voucher.claim for voucher in vouchers)), block=block)


def draw_all(world: World, batch_id: int = 1, rate: int = BPS_ONE, seed: Digest = SEED) -> None:
    """The draw of a batch at every oracle: all that is audited, or by a rate."""
    made = Draw(batch_id, (), (), seed, seed)
    for node in world.nodes:
        entries = node.store.entries(batch_id)
        jobs = [row.index for row in entries if not row.entry.is_voucher]
        with node.store.transaction() as store:
            store.keep_draw(batch_id, seed, jobs, [0] * len(entries), world.clock(), seed, rate)
            note_call_draws(store, made, rate, 4)


def talked(world: World, count: int = 2, batch_id: int = 1, linked: int = 0, **changes: Any) -> Claimed:
    """A session with so many calls, committed and drawn everywhere; not reported. `changes` are of the last call."""
    metered = Metered(world)
    for nonce in range(1, count + 1):
        metered.answer(Call(metered, nonce, **(changes if nonce == count else {})))
    voucher = claim(metered, batch_id, 0, linked=linked)
    commit(world, voucher)
    draw_all(world, batch_id)
    return voucher
