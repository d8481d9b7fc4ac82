"""Events as they reach the provider's journal: in a final block, through its projection."""

from __future__ import annotations

from sqlalchemy import Engine

from protocol.chain.events import ChainEvent, Event, FinalBlock, SessionOpened
from protocol.chain.records import BlockRef
from protocol.encoding import keccak
from protocol.units import Address, Wei
from provider.edges.projection import Projection
from provider.ports.work import Log
from tests.provider.session_world import CAP, NOW, OWNER, Payer


def follow(engine: Engine, *events: Event, owner: Address = OWNER) -> None:
    placed = tuple(ChainEvent(9, keccak(b"9"), 300, keccak(b"tx"), i, event) for i, event in enumerate(events))
    with engine.begin() as connection:
        Projection(owner, Log()).apply(connection, FinalBlock(BlockRef(9, keccak(b"9"), 300), placed))


def opening(payer: Payer, cap: int = CAP) -> SessionOpened:
    session = payer.session
    return SessionOpened(payer.id, session.requester, session.provider, session.offer_digest, session.key,
                         session.largest_call, session.nonce, Wei(cap), int(NOW) + 3600, session.opened_at)
