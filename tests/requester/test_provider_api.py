"""The desk against a provider's real api and worker, over fakes below both: they mean the same by every byte."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from protocol.listing import Listing, SignedListing, listing_digest
from protocol.messages import offer_digest
from protocol.types import Offer, SignedOffer
from protocol.units import TOKEN, Address, Digest, Wei
from provider.edges.fake_sessions import FakeSession
from provider.edges.fakes import DOMAIN
from requester.edges.provider_client import ProviderClient
from requester.flow.calls import CallFailed, CallWanted, Ended, Tokens, run_call
from requester.flow.desk import Desk
from requester.flow.quotes import QuoteInvalid, ask_quote
from requester.flow.taking_up import take_up
from requester.ports.jobs import Standing
from requester.ports.sessions import ProviderSaid
from requester.records.sessions import CallStage
from tests.provider.session_world import OFFER
from tests.provider.shop import Shop
from tests.provider.test_calling import Desk as WorkerDesk
from tests.provider.world import OWNER
from tests.requester.sessions_world import CallWorld

ANSWER = (72, 105, 33, 2)


class Chained:
    """The provider's sessions follow the requester's chain as soon as somebody asks for one."""

    def __init__(self, world: CallWorld, worker: WorkerDesk) -> None:
        self._world, self._sessions = world, worker.sessions

    def __getattr__(self, name: str) -> Any:
        for at, found in self._world.chain.sessions.items():
            if at not in self._sessions.rows:
                self._sessions.open(Digest(at), found.session, OFFER, found.cap, found.ends_at)
            row: FakeSession = self._sessions.rows[at]
            row.standing = replace(row.standing, cap=found.cap)
        return getattr(self._sessions, name)


class Both:
    """One requester's desk, one provider's api and worker."""

    def __init__(self, folder: Path) -> None:
        self.worker = WorkerDesk()
        self.worker.backend.tokens = ANSWER
        self.world = CallWorld(folder)
        self.world.domain = self.world.chain.domain = DOMAIN
        self.world.time, self.world.chain.time = self.worker.clock(), int(self.worker.clock())
        self.chained: Any = Chained(self.world, self.worker)
        self.shop = Shop(self.worker, changes={"sessions": self.chained})
        offer: Offer = OFFER
        self.signed = SignedOffer(offer, self.shop.keys.sign(offer_digest(DOMAIN, offer)))
        self.world.chain.standings = {OWNER: Standing(
            self.shop.keys.address, self.shop.keys.encryption_key, Wei(1000 * TOKEN), Wei(0), False)}
        self.world.offers = [self.signed]
        listing = Listing(OWNER, "http://testserver", "EU", "", 0, 10, 2, 1, 2**39)
        self.world.listings = [SignedListing(listing, self.shop.keys.sign(listing_digest(DOMAIN, listing)))]
        self.world.publish()
        self.desk = self.restart()

    def restart(self) -> Desk:
        client: Any = self.shop.client  # starlette's client is httpx with the application behind it
        self.world.desk = self.world.start()
        self.world.desk.provider = lambda url: ProviderClient(url, client)
        return self.world.desk

    def ask(self, **changes: Any) -> list[Any]:
        return list(run_call(self.desk, self.wanted(**changes)))

    def wanted(self, **changes: Any) -> CallWanted:
        return replace(CallWanted((("user", "Hello??"),), max_output_tokens=20), **changes)

    def totals(self) -> Any:
        (row,) = self.worker.sessions.rows.values()
        return row.standing


@pytest.fixture
def both(tmp_path: Path) -> Both:
    made = Both(tmp_path)
    made.worker.sessions.rows.clear()  # its own payer's session
    return made


def test_call__through_the_real_api__is_streamed_checked_and_signed_exactly(both: Both) -> None:
    events = both.ask()
    end = events[-1]
    assert isinstance(end, Ended)
    assert [i for event in events if isinstance(event, Tokens) for i in event.ids] == list(ANSWER)
    assert (end.finish, end.number, end.cost) == ("stop", 1, 7 * 10 + 4 * 100)
    assert both.totals().accepted == both.totals().owed
    assert both.totals().held == 0


def test_call__many_in_one_session__go_on_from_each_other(both: Both) -> None:
    assert [both.ask()[-1].number for _ in range(5)] == [1, 2, 3, 4, 5]
    assert both.totals().accepted == both.totals().owed


def test_call__prompt_counted_otherwise__is_our_fault_and_marks_nobody(both: Both) -> None:
    with pytest.raises(CallFailed) as caught:
        both.ask(input_tokens=8)
    assert caught.value.status == 400
    assert both.desk.bans.of(OWNER).failures == 0


def test_call__worker_fails_before_its_first_token__costs_nothing(both: Both) -> None:
    def fail() -> None:
        raise OSError("out of memory")

    both.worker.backend.before_token = fail
    with pytest.raises((CallFailed, OSError)):
        both.ask()
    assert both.totals().owed.calls == 0


def test_call__stopped_by_its_caller__is_cancelled_at_the_provider(both: Both) -> None:
    both.worker.backend.tokens = (65,) * 99 + (2,)
    end = list(run_call(both.desk, both.wanted(max_output_tokens=100), lambda: True))[-1]
    assert end.finish in ("stop", "cancelled")
    assert both.totals().accepted == both.totals().owed


def test_take_up__after_a_crash__the_end_is_asked_for_and_opened(both: Both) -> None:
    events = run_call(both.desk, both.wanted())
    for event in events:
        if isinstance(event, Tokens):
            break
    both.desk.spawn = lambda work: None
    both.world.store.close()
    desk = both.restart()
    (live,) = take_up(desk)
    (call,) = both.world.store.calls(live.session_id)
    assert call.stage in (CallStage.ENDED, CallStage.LOST)
    if call.stage is CallStage.ENDED:
        assert both.totals().accepted == both.totals().owed
    else:
        assert live.stopped and both.totals().accepted.calls == 0


def test_quote__real__is_bound_by_the_node_key(both: Both) -> None:
    provider = both.desk.provider("http://testserver")
    who = both.world.wallet.address
    quote = ask_quote(provider, both.signed, both.shop.keys.address, who, 7, 20, DOMAIN, both.world.clock())
    assert quote.quote.most == 7 * 10 + 20 * 100
    other = replace(both.signed, offer=replace(both.signed.offer, nonce=9))
    with pytest.raises(ProviderSaid) as caught:
        ask_quote(provider, other, both.shop.keys.address, who, 7, 20, DOMAIN, both.world.clock())
    assert caught.value.status == 404
    with pytest.raises(QuoteInvalid):
        ask_quote(provider, both.signed, both.shop.keys.address, Address(who), 7, 20, DOMAIN, 2.0**40)
