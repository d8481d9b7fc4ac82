"""What an oracle's flows ask of the world."""

from oracle.ports.clients import Catalogue, Chain, Clock, Log, Peers, Queue, Replayer, Rules, Sender
from oracle.ports.store import Agreement, Audits, Blobs, Market, Projection, Store

__all__ = [
    "Agreement",
    "Audits",
    "Blobs",
    "Catalogue",
    "Chain",
    "Clock",
    "Log",
    "Market",
    "Peers",
    "Projection",
    "Queue",
    "Replayer",
    "Rules",
    "Sender",
    "Store",
]
