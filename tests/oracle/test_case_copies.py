"""What a hostile peer's copies of a disputed transcript can do: nothing."""

from __future__ import annotations

from oracle.flow.intake import accept_opening
from oracle.flow.reviews import perform_review, want_reviews
from oracle.flow.ruling_answers import sign_ruling
from oracle.flow.views import list_wanted
from protocol.messages import ruling_digest
from protocol.types import Ruling, VerdictKind
from tests.oracle.court import WINDOW, disputed, later
from tests.oracle.world import World


def asked(world: World, ruling: Ruling, sealed: bytes = b"") -> tuple[bytes | None, str]:
    """The second oracle asks the first."""
    digest = ruling_digest(world.chain.court_domain, 1, ruling)
    return sign_ruling(world.node, 1, ruling, world.signers[1].sign(digest), sealed)


def test_sign__peer_sends_what_nobody_can_read__the_provider_is_still_asked_and_its_opening_decides(
        world: World) -> None:
    """R125, R126: one hostile member keeps no opening away, before a replay of its copy, during it, or after."""
    work = disputed(world)
    want_reviews(world.node)
    for attempt in range(3):
        asked(world, Ruling.UPHELD, sealed=bytes(64 + attempt))
        want_reviews(world.node)
        assert [row["index"] for row in list_wanted(world.node, world.owner.address)] == [0]
        perform_review(world.node, world.replayers[0], 1, 0)
    asked(world, Ruling.UPHELD, sealed=bytes(99))
    copy = world.node.store.opening(1, 0, world.node.address)
    assert copy is not None and copy.source == world.nodes[1].address
    accept_opening(world.node, **work.opening(0))
    world.node.store.spoil_opening(copy)  # its replay ends only now
    asked(world, Ruling.UPHELD, sealed=bytes(98))
    want_reviews(world.node)
    later(world, WINDOW / 2)
    perform_review(world.node, world.replayers[0], 1, 0)
    assert asked(world, Ruling.UPHELD)[0] is None and asked(world, Ruling.REJECTED)[0] is not None


def test_review__unreadable_openings_of_other_cases__take_no_places(world: World) -> None:
    """Whoever opens nothing readable in many cases keeps no other case from its replay."""
    disputed(world)
    asked(world, Ruling.UPHELD, sealed=bytes(64))
    want_reviews(world.node)
    assert perform_review(world.node, world.replayers[0], 1, 0) is VerdictKind.MALFORMED
    assert world.node.store.reviews_due(world.clock() + 1_000, 64) == []
