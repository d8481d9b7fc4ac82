"""The node's listing: where it answers sessions, signed, at every oracle, and renewed as long as it runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from protocol.errors import MallaError
from protocol.listing import Listing, SignedListing, check_listing, listing_digest
from protocol.messages import Domain
from protocol.units import Address
from provider.ports.work import Clock, Keys, Log, OracleClient
from provider.records.figures import Device
from provider.records.work import Oracle

SIGN_SECONDS = 600
"""A new listing, with what was measured since, is signed this often."""
VALID_SECONDS = 3_600
"""A node that is gone is listed no longer than this."""


@dataclass
class Listings:
    """What the node says of itself, and which oracles have it. A restart only signs anew."""

    owner: Address
    url: str
    region: str
    device: Device
    streams: int
    domain: Domain
    client: OracleClient
    keys: Keys
    clock: Clock
    log: Log
    speed: Callable[[], float | None]
    signed: SignedListing | None = None
    taken: set[str] = field(default_factory=set)


def publish_listing(listings: Listings, oracles: Sequence[Oracle]) -> int:
    """Show the listing to every oracle that has not got it yet. Returns how many took it; 0 without a public URL."""
    if not listings.url:
        return 0
    now = int(listings.clock())
    if listings.signed is None or now - listings.signed.listing.listed_at >= SIGN_SECONDS:
        listings.signed, listings.taken = sign_listing(listings, now), set()
    taken = 0
    for oracle in oracles:
        if oracle.address in listings.taken:
            continue
        try:
            listings.client.put_listing(oracle, listings.signed)
        except MallaError as error:
            listings.log("listing_not_taken", oracle=oracle.address, code=error.code, error=error.message)
            continue
        listings.taken.add(oracle.address)
        taken += 1
    return taken


def sign_listing(listings: Listings, now: int) -> SignedListing:
    """Errors: Malformed when the settings hold a url, region or device that no listing may have."""
    device = listings.device
    listing = Listing(listings.owner, listings.url, listings.region, device.name, device.memory_mib,
                      round(listings.speed() or 0), listings.streams, now, now + VALID_SECONDS)
    check_listing(listing)
    return SignedListing(listing, listings.keys.sign(listing_digest(listings.domain, listing)))
