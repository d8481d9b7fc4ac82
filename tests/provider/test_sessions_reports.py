"""After a voucher is committed: the report of its calls, openings of the drawn ones, and the listing."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from protocol.calls import call_unit, chain_heads, line_digest
from protocol.draw import draw_calls
from protocol.encoding import ZERO, from_hex, keccak
from protocol.errors import Malformed, Unavailable
from protocol.listing import listing_digest
from protocol.openings import PostedReport, unpack_posted
from protocol.sealing import unseal
from protocol.session_reports import SessionReport, session_report_digest
from protocol.signing import recover
from protocol.types import BatchState, Entry, Outcome
from protocol.units import Digest, Wei
from protocol.wire import from_json
from provider.edges.fakes import DOMAIN
from provider.flow.delivery import deliver
from provider.flow.drawing import draw_batch
from provider.flow.listings import SIGN_SECONDS, publish_listing
from provider.flow.openings import open_leaves
from provider.flow.posting import make_openings
from provider.flow.session_reports import queue_session_reports
from provider.flow.work import commit_work
from provider.records.work import JournalBatch, Wanted
from tests.provider.session_world import CAP, INPUT, OFFER, Payer, run
from tests.provider.world import World


@pytest.fixture
def world() -> World:
    return World()


def committed(world: World, calls: int = 3, batch_id: int = 7) -> tuple[Payer, JournalBatch]:
    """A session of so many calls whose voucher is alone in a batch."""
    payer = Payer()
    world.sessions.open(payer.id, payer.session, OFFER, CAP, int(world.clock()) + 3600)
    for _ in range(calls):
        payer.see(run(world.sessions, world.sessions.admit(payer.ask(), "chat", INPUT, world.clock()), 5))
    world.sessions.accept_voucher(payer.sign(payer.known.amount), world.clock())
    world.clock.now += 5
    assert commit_work(world.committing) == 1
    world.claims.commit_on_chain(next(iter(world.sender.sent)), batch_id)
    amount = Wei(payer.known.amount)
    entry = Entry(payer.id, payer.signer.address, amount, amount, payer.known.head, Digest(ZERO))
    batch = JournalBatch(batch_id, (entry,), 1, 995, int(world.clock()), BatchState.PENDING)
    world.journal.its_batches[batch_id] = batch
    return payer, batch


def test_report__voucher_not_final__nothing_is_told(world: World) -> None:
    assert queue_session_reports(world.reporting, world.members) == 0


def test_report__committed_voucher__each_oracle_gets_its_calls_once(world: World) -> None:
    """R110: every oracle gets the signed list of the calls, whose leaves give the head that is on-chain."""
    payer, batch = committed(world)
    assert queue_session_reports(world.reporting, world.members) == 1
    assert queue_session_reports(world.reporting, world.members) == 0
    assert deliver(world.delivering, world.members) == 4
    bodies = {body for _, body in world.oracles.session_reports}
    assert len(world.oracles.session_reports) == 4 and len(bodies) == 1
    body = json.loads(bodies.pop())
    report = from_json(SessionReport, body["report"], "report")
    signature = from_hex(body["signature"], 65, "signature")
    assert recover(session_report_digest(DOMAIN, report), signature) == world.keys.address
    assert (report.batch_id, report.index, report.first, len(report.calls)) == (7, 0, 1, 3)
    assert chain_heads(payer.id, [line_digest(line) for line in report.calls]) == batch.entries[0].leaf


def test_report__second_voucher__begins_where_the_first_ended(world: World) -> None:
    payer, _ = committed(world, calls=2)
    payer.see(run(world.sessions, world.sessions.admit(payer.ask(), "chat", INPUT, world.clock()), 5))
    world.sessions.accept_voucher(payer.sign(payer.known.amount), world.clock())
    world.clock.now += 5
    commit_work(world.committing)
    world.claims.commit_on_chain(list(world.sender.sent)[-1], 8)
    assert queue_session_reports(world.reporting, world.members) == 2
    reports = [json.loads(row.delivery.body)["report"] for row in world.journal.outbox.values()][::4]
    assert [(one["batch_id"], one["first"], len(one["calls"])) for one in reports] == [(7, 1, 2), (8, 3, 1)]


def test_report__calls_of_another_journal__said_in_the_log_and_not_made_up(world: World) -> None:
    payer, _ = committed(world)
    world.sessions.rows[payer.id].lines.pop()
    assert queue_session_reports(world.reporting, world.members) == 0
    assert ("calls_missing" in world.events(), world.journal.outbox) == (True, {})


def test_open__drawn_call__sealed_to_who_asks(world: World) -> None:
    """R110: a drawn call is opened under its unit's number, as a job is."""
    _, batch = committed(world)
    unit = call_unit(0, 2)
    world.oracles.wants[world.members[1].address] = [Wanted(7, unit)]
    assert open_leaves(world.opening, world.members) == 1
    deliver(world.delivering, world.members)
    body = json.loads(world.oracles.openings[0][1])
    assert (body["index"], body["auditor"]) == (unit, world.members[1].address)
    transcript = unseal(bytes.fromhex(body["sealed"][2:]), world.oracles.secret_of(1))
    ended = world.sessions.ended_call(batch.entries[0].job_id, 3)
    assert ended is not None and transcript == world.sessions.works[ended.call_id].transcript


@pytest.mark.parametrize("unit", [0, call_unit(0, 3), call_unit(1, 0), 2**40])
def test_open__no_such_call__nothing_is_sent(world: World, unit: int) -> None:
    committed(world)
    world.oracles.wants = {member.address: [Wanted(7, unit)] for member in world.members}
    assert open_leaves(world.opening, world.members) == 0


def test_open__call_that_is_not_drawn__stays_closed(world: World) -> None:
    """R110: a call that was not drawn is opened to nobody who is alone."""
    _, batch = committed(world, calls=40)
    world.chain.the_terms = replace(world.chain.the_terms, audit_bps=1000)
    world.journal.burns = {1: 10**30}
    world.chain.number += 1000
    reveals = [keccak(bytes([place])) for place in range(4)]
    for place, member in enumerate(world.members):
        world.journal.kept_reveals[member.address, 99] = reveals[place]
    drawn = draw_batch(world.opening, batch)
    assert drawn is not None and drawn.seed is not None
    units = draw_calls(drawn, 0, 40, 1000)
    assert 0 < len(units) < 40
    closed = next(call_unit(0, call) for call in range(40) if call_unit(0, call) not in units)
    world.oracles.wants[world.members[0].address] = [Wanted(7, closed)]
    assert open_leaves(world.opening, world.members) == 0
    assert "opening_not_drawn" in world.events()
    world.oracles.wants[world.members[0].address] = [Wanted(7, units[0])]
    assert open_leaves(world.opening, world.members) == 1


def test_post__frozen_batch_of_a_voucher__its_report_and_its_calls(world: World) -> None:
    _, batch = committed(world, calls=2)
    world.freeze_on_chain(Outcome.NOT_OPENED, 7)
    posted = [unpack_posted(data) for data in make_openings(world.opening, batch, world.members)]
    assert isinstance(posted[0], PostedReport) and len(posted[0].calls) == 2
    assert {one.index for one in posted[1:]} == {call_unit(0, 0), call_unit(0, 1)}


def test_listing__no_public_url__nothing_is_published(world: World) -> None:
    assert publish_listing(world.listings(""), world.members) == 0
    assert world.oracles.listings == []


def test_listing__oracle_is_away__gets_it_later_and_all_get_a_new_one(world: World) -> None:
    listings = world.listings()
    world.oracles.fail = {world.members[0].address: Unavailable("away")}
    assert publish_listing(listings, world.members) == 3
    world.oracles.fail = {}
    assert (publish_listing(listings, world.members), publish_listing(listings, world.members)) == (1, 0)
    signed = world.oracles.listings[0][1]
    assert recover(listing_digest(DOMAIN, signed.listing), signed.signature) == world.keys.address
    assert (signed.listing.url, signed.listing.region, signed.listing.streams) == ("http://127.0.0.1:9", "EU", 8)
    world.clock.now += SIGN_SECONDS
    assert publish_listing(listings, world.members) == 4
    assert world.oracles.listings[-1][1].listing.listed_at == signed.listing.listed_at + SIGN_SECONDS


def test_listing__url_with_credentials__named_before_it_is_signed(world: World) -> None:
    with pytest.raises(Malformed, match="without credentials"):
        publish_listing(world.listings("http://a:b@127.0.0.1"), world.members)
