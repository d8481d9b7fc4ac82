"""A provider's signed listing: where it answers sessions, and what it says of its hardware.

Everything but the signature is a claim: nothing is paid on it. Requesters filter by it, and what is impossible is found
by GPU challenges and by measured speed.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

from protocol.encoding import keccak
from protocol.errors import Malformed
from protocol.limits import MAX_URL
from protocol.messages import Domain, hash_struct
from protocol.units import Address, Digest

LISTING_TYPE = (
    "Listing(address provider,string url,string region,string device,uint32 memoryMib,uint32 tokensPerSecond,"
    "uint16 streams,uint40 listedAt,uint40 expiry)"
)
MAX_NAME = 64
"""Characters of a region or a device's name."""
IPV6, WRAPPED, ASSIGNED = IPv6Network("2000::/3"), IPv6Network("2002::/16"), IPv4Network("192.0.0.0/24")
"""What IANA has given to hosts, but 6to4, which wraps an IPv4 address, and what it keeps for protocols."""


@dataclass(frozen=True)
class Listing:
    """`url` takes calls of sessions; `memory_mib` is the device's (0 on a CPU), `streams` how many calls it runs at
    once, `tokens_per_second` what one stream gets. Of two listings the one with the later `listed_at` counts."""

    provider: Address
    url: str
    region: str
    device: str
    memory_mib: int
    tokens_per_second: int
    streams: int
    listed_at: int
    expiry: int


@dataclass(frozen=True)
class SignedListing:
    listing: Listing
    signature: bytes


def listing_digest(domain: Domain, listing: Listing) -> Digest:
    texts = [keccak(text.encode()) for text in (listing.url, listing.region, listing.device)]
    values = [listing.provider, *texts, listing.memory_mib, listing.tokens_per_second, listing.streams,
              listing.listed_at, listing.expiry]
    types = "address,bytes32,bytes32,bytes32,uint32,uint32,uint16,uint40,uint40"
    return domain.digest(hash_struct(LISTING_TYPE, types, values))


def check_listing(listing: Listing) -> None:
    """Raises Malformed unless the address is an http one without credentials and the names are short and printable."""
    try:
        url = urlsplit(listing.url)
        stands = url.scheme in ("http", "https") and bool(url.hostname) and "@" not in url.netloc and url.port != 0
    except ValueError:  # brackets around no address, or a port that is none
        stands = False
    is_plain = listing.url.isascii() and listing.url.isprintable() and " " not in listing.url
    if len(listing.url) > MAX_URL or not stands or not is_plain:
        raise Malformed(f"A listing's url is http or https, without credentials, of at most {MAX_URL} characters.")
    for what, text in (("region", listing.region), ("device", listing.device)):
        if len(text) > MAX_NAME or not text.isprintable():
            raise Malformed(f"A listing's {what} has at most {MAX_NAME} printable characters.")


def is_public_address(address: str) -> bool:
    """Whether an IP address is one of the internet: none of this machine, of a private network, for many, or that wraps
    an IPv4 address, as relays between both protocols have them. False for what is no address."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    if isinstance(found, IPv6Address):
        return found.is_global and found in IPV6 and found not in WRAPPED
    return found.is_global and not found.is_multicast and found not in ASSIGNED
