"""The signatures for rulings: all judges are asked about all cases at once, and a case waits for no more than a quorum.

A judge that is silent, slow or lies costs a case nothing that gets its quorum from the others, and all cases together a
round's seconds at most. What was signed is kept: it need not be asked for again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from oracle.flow.node import Node, other_members
from oracle.flow.ruling_answers import NEEDS_OPENING
from oracle.records.court import CaseRow
from oracle.records.work import Member, PeerAnswer
from protocol.committee import quorum
from protocol.encoding import to_hex
from protocol.errors import BadInput, SignatureInvalid
from protocol.messages import ruling_digest
from protocol.sealing import new_secret, seal, unseal
from protocol.signing import require_signer
from protocol.types import CaseKind, Ruling
from protocol.units import Address

ROUND = 10.0
"""Seconds for all questions of a round, whoever is silent."""

Asked = tuple[Member, dict[str, Any]]


@dataclass(frozen=True)
class CaseRound:
    """What came for one case: `found` are signatures by judge, this oracle's own first, `refused` what others said."""

    case: CaseRow
    ruling: Ruling
    digest: bytes
    needed: int
    peers: Sequence[Member]
    found: dict[Address, bytes]
    refused: dict[Address, str] = field(default_factory=dict)

    @property
    def is_complete(self) -> bool:
        return len(self.found) >= self.needed

    @property
    def is_worth_waiting(self) -> bool:
        """Whether who has not answered yet could complete it, or lack the transcript as others do."""
        could = 1 + len(self.peers) - len(self.refused) >= self.needed
        return not self.is_complete and (could or NEEDS_OPENING in self.refused.values())

    @property
    def signatures(self) -> list[bytes]:
        return list(self.found.values())[: self.needed]


def collect(node: Node, wanted: Sequence[tuple[CaseRow, Ruling]]) -> Iterator[CaseRound]:
    """Each case as soon as a quorum has signed its ruling. Peers are asked about the cases in the order given."""
    cases = {case.case_id: _begin(node, case, ruling) for case, ruling in wanted}
    yield from (one for one in cases.values() if one.is_complete)
    short = [one for one in cases.values() if not one.is_complete]
    if not short:
        return
    ends = node.clock() + ROUND
    node.store.note_asked([one.case.case_id for one in short], node.clock())
    asked = [(peer, _question(one)) for one in short for peer in one.peers if peer.address not in one.found]
    yield from _hear(node, cases, asked, ends)
    copies = [copy for one in short if not one.is_complete for copy in _copies(node, one)]
    yield from _hear(node, cases, copies, ends)
    for one in short:
        if not one.is_complete:
            unheard = {peer.address: "not heard" for peer in one.peers if peer.address not in one.found}
            node.log("ruling_short", case_id=one.case.case_id, ruling=one.ruling.name, needed=one.needed,
                     answers={**unheard, **one.refused})


def _begin(node: Node, case: CaseRow, ruling: Ruling) -> CaseRound:
    digest = ruling_digest(node.chain.court_domain, case.case_id, ruling)
    peers = other_members(node, case.set_version)
    kept = {peer.address: case.signatures[peer.address] for peer in peers if peer.address in case.signatures}
    found = {node.address: node.signer.sign(digest), **kept}
    return CaseRound(case, ruling, digest, quorum(len(peers) + 1), peers, found)


def _hear(node: Node, cases: Mapping[int, CaseRound], asked: Sequence[Asked], ends: float) -> Iterator[CaseRound]:
    if not asked:
        return
    for peer, case_id, answer in node.peers.ask_rulings(asked, ends - node.clock()):
        one = cases[case_id]
        if not one.is_complete:
            _note(node, one, peer, answer)
            if one.is_complete:
                yield one
        if not any(other.is_worth_waiting for other in cases.values()):
            return


def _note(node: Node, one: CaseRound, peer: Address, answer: PeerAnswer) -> None:
    if answer.signature is None:
        one.refused[peer] = next(iter(answer.refused.values()), "silent")
        return
    try:
        require_signer(one.digest, answer.signature, peer, "The ruling")
    except SignatureInvalid as error:
        one.refused[peer] = "a wrong signature"
        node.log("peer_signature_wrong", oracle=peer, error=error.message)
        return
    one.found[peer] = answer.signature
    node.store.keep_signature(one.case.case_id, peer, answer.signature)


def _question(one: CaseRound, sealed: bytes = b"") -> dict[str, Any]:
    own = next(iter(one.found.values()))
    return {"case_id": one.case.case_id, "ruling": one.ruling.name, "signature": to_hex(own), "sealed": to_hex(sealed)}


def _copies(node: Node, one: CaseRound) -> Iterator[Asked]:
    """The disputed transcript for each judge that lacks it."""
    for peer in one.peers:
        if one.refused.get(peer.address) == NEEDS_OPENING:
            sealed = _seal_again(node, one.case, peer)
            if sealed is not None:
                del one.refused[peer.address]
                yield peer, _question(one, sealed)


def _seal_again(node: Node, case: CaseRow, peer: Member) -> bytes | None:
    opening = node.store.opening(case.batch_id, case.index, node.address) if case.kind is CaseKind.DISPUTE else None
    try:
        return seal(unseal(opening.sealed, node.seal_secret), peer.encryption_key, new_secret()) if opening else None
    except BadInput:  # it was never read here: then there is nothing to pass on
        return None
