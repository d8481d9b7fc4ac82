"""The desk: ports, limits, and the sessions of one wallet in one deployment, together."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from protocol.envelope import SignedTotals
from protocol.units import Address, Digest, Wei
from requester.flow.bans import Bans
from requester.flow.directory import Directory
from requester.flow.funding import Funds
from requester.flow.signed_totals import sign_totals
from requester.flow.vouchers import Meter
from requester.ports.jobs import Market
from requester.ports.sessions import CallOracle, Provider, SessionChain, SessionStore, Signers, Spawn
from requester.records.sessions import CallFile, Limits, Phase, SessionFile


@dataclass(eq=False)
class Live:
    """A session that this process alone uses. `stopped` says why no new call may use it; `settling` are nonces of calls
    whose end is being asked for. Change `file` only while holding `lock`."""

    file: SessionFile
    meter: Meter
    last_used: float
    stopped: str = ""
    settling: set[int] = field(default_factory=set)
    posting: bool = False
    post_again: bool = False
    posted: SignedTotals | None = None
    topping: bool = False
    base: Wei = Wei(0)
    """What was owed when this process began to use it: the budget counts what comes after."""
    lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def provider(self) -> Address:
        return self.file.offer.offer.provider

    @property
    def session_id(self) -> Digest:
        return Digest(self.file.session_id)


class Desk:
    """Safe to share between threads. `clock` is unix seconds, `spawn` runs something beside the caller."""

    def __init__(self, market: Market, chain: SessionChain, signers: Signers, provider: Callable[[str], Provider],
                 oracles: Callable[[], Sequence[CallOracle]], store: SessionStore, limits: Limits,
                 clock: Callable[[], float], spawn: Spawn) -> None:
        self.market, self.chain, self.signers, self.store = market, chain, signers, store
        self.provider, self.oracles, self.limits, self.clock, self.spawn = provider, oracles, limits, clock, spawn
        self.funds = Funds(market.chain, market.wallet, 1)
        self.bans = Bans(store)
        self.directory = Directory(market, oracles, clock, spawn)
        self.opening = threading.Lock()
        """Held while money is reserved: two threads must neither open two sessions for one need nor pass the limit."""
        self.planned: dict[str, Wei] = {}
        """Caps of openings and amounts of top-ups that are on their way, by label and by session id. One whose block is
        not seen in time counts until it is."""
        self.fees: dict[str, Wei] = {}
        """Open fees that this run has burned or may have, by label."""
        self._lock = threading.Lock()
        self._live: dict[str, Live] = {}
        self._spent_before = 0
        self._free: Wei | None = None

    def add(self, live: Live) -> None:
        with self._lock:
            self._live[live.file.label] = live
            self.planned.pop(live.file.label, None)

    def forget_opening(self, label: str) -> None:
        """It never came to be, and burned nothing."""
        self.planned.pop(label, None)
        self.fees.pop(label, None)

    def remove(self, live: Live) -> None:
        """A session that is over. What it cost goes on counting."""
        with self._lock:
            self.planned.pop(live.session_id.hex(), None)
            if self._live.pop(live.file.label, None) is not None:
                self._spent_before += max(0, live.meter.owed - live.base)

    def sessions(self) -> list[Live]:
        with self._lock:
            return list(self._live.values())

    def find(self, offer: Digest, key_id: str) -> Live | None:
        """An open session under exactly the offer of this digest, for this key, that takes calls."""
        for live in self.sessions():
            file = live.file
            usable = file.phase is Phase.OPEN and not live.stopped and file.key_id == key_id
            if usable and file.session is not None and file.session.offer_digest == offer:
                return live
        return None

    def read_balance(self) -> Wei:
        """The free balance in the escrow, read again after each change of ours."""
        self._free = self.market.chain.balances(self.market.wallet.address).escrow
        return self._free

    def escrow_left(self, live: Live) -> Wei:
        """What the session and the free balance, as last read, can still pay, wei."""
        return Wei(live.meter.room + (self._free if self._free is not None else self.read_balance()))

    def budget(self) -> Wei:
        """What `max_spend` leaves, wei: caps of sessions in use count whole, others by what they cost, and open fees.
        Gas is paid in the chain's own currency and counts nowhere."""
        with self._lock:
            spent = self._spent_before + sum(tuple(self.planned.values())) + sum(tuple(self.fees.values()))
            for live in self._live.values():
                held = live.meter.cap if live.file.phase in (Phase.OPEN, Phase.PLANNED) else live.meter.owed
                spent += max(0, held - live.base)
        return Wei(max(0, self.limits.max_spend - spent))

    def sign(self, live: Live, *calls: CallFile, is_new: bool = False) -> SignedTotals:
        """The next voucher of a session, on disk together with the given calls before anybody sees it."""
        with live.lock:
            totals, named = live.meter.following(is_new), live.meter.named
            session, last = live.file.session, live.meter.signed
            assert session is not None  # only an opened session is live
            said = totals.amount, totals.calls, named
            if last is not None and (last.amount, last.calls, last.in_flight) == said:
                signed = last
            else:
                signed = sign_totals(totals, named, live.file.session_id, session, self.market.chain.domain,
                                     self.signers.signer_of(live.file.key_id))
            if calls or signed is not last:
                self.save(live, *calls, signed=signed)
            live.meter.signed = signed
            return signed

    def save(self, live: Live, *calls: CallFile, signed: SignedTotals | None = None, **changes: Any) -> None:
        """Write a session's file as its meter stands, with the given changes."""
        with live.lock:
            made = replace(live.file, finished=live.meter.finished, cap=live.meter.cap,
                           signed=signed or live.meter.signed, **changes)
            self.store.write(made, *calls, flush=bool(changes))
            live.file = made
