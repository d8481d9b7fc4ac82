"""Where providers answer sessions: of each the listing that it signed last."""

from __future__ import annotations

from sqlalchemy import select

from oracle.edges.store.call_tables import LISTINGS
from oracle.edges.store.session import Session
from protocol.listing import SignedListing
from protocol.wire import from_json, to_json


class ListingStore(Session):
    def put_listing(self, signed: SignedListing, now: float) -> SignedListing:
        """Keep a listing if none of its provider is as new; returns the one that is kept."""
        said = signed.listing
        values = {"provider": said.provider, "listed_at": said.listed_at, "expiry": said.expiry,
                  "body": to_json(signed), "received_at": now}
        with self._begin() as c:
            c.execute(self._insert(LISTINGS).values(**values).on_conflict_do_update(
                index_elements=["provider"], set_=values, where=LISTINGS.c.listed_at < said.listed_at))
            kept = c.execute(select(LISTINGS.c.body).where(LISTINGS.c.provider == said.provider)).scalar_one()
            return from_json(SignedListing, kept)

    def listings(self, now: float, provider: str | None = None) -> list[SignedListing]:
        """Those that stand, newest first, 256 at most."""
        wanted = select(LISTINGS.c.body).where(LISTINGS.c.expiry > int(now))
        if provider is not None:
            wanted = wanted.where(LISTINGS.c.provider == provider)
        with self._begin() as c:
            bodies = c.execute(wanted.order_by(LISTINGS.c.listed_at.desc(), LISTINGS.c.provider).limit(256)).scalars()
            return [from_json(SignedListing, body) for body in bodies]
