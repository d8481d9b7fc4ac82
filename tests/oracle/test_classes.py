"""Classes of audits as the order names them, and how much is drawn of a provider's batches."""

from __future__ import annotations

from dataclasses import replace

import pytest

from oracle.flow.blobs import put_blob, read_specs
from oracle.flow.decisions import decide_batch
from oracle.flow.intake import accept_opening
from oracle.flow.sampling import draw_batches
from oracle.flow.turns import wanted_openings
from oracle.flow.views import show_jobs
from protocol.chain.events import BurnAccrued
from protocol.draw import BURN_SCALE, audit_rate
from protocol.errors import Reason, Refused
from protocol.transcript import spec_bytes
from protocol.types import AUDIT_ONE, AUDIT_OPEN, CANARY_ONLY, Outcome
from protocol.units import Wei
from tests.oracle.world import NOW, World

FINAL = 90


def ready(world: World, audit: str) -> None:
    world.ready(audit=audit)
    for node in world.nodes:
        read_specs(node)


def wanting(world: World) -> list[int]:
    return [seat for seat, node in enumerate(world.nodes) if wanted_openings(node, world.owner.address)]


def test_opening__order_keeps_the_transcript_back__is_refused(world: World) -> None:
    """R84: no transcript leaves, so none is taken either."""
    work = world.open_job(audit=CANARY_ONLY)
    world.commit(work)
    world.draw([work])
    read_specs(world.node)
    with pytest.raises(Refused) as refused:
        accept_opening(world.node, **work.opening(0))
    assert refused.value.reason is Reason.NOT_DRAWN


@pytest.mark.parametrize(("audit", "seats"), [(AUDIT_OPEN, [0, 1, 2, 3]), (AUDIT_ONE, [0]), (CANARY_ONLY, [])])
def test_drawn__class_of_the_order__says_who_asks_at_once(world: World, audit: str, seats: list[int]) -> None:
    """R84: open all, one the named auditor, canary-only nobody."""
    ready(world, audit)
    assert wanting(world) == seats


def test_decision__canary_only_and_never_opened__is_pass_and_not_a_missing_opening(world: World) -> None:
    """R84: what is kept back is not owed."""
    ready(world, CANARY_ONLY)
    world.clock.now += 100_000
    for node in world.nodes:
        batch = node.store.batch(1)
        assert batch is not None
        decision, _ = decide_batch(node, batch)
        assert decision is not None and decision.outcome is Outcome.PASS
    world.mature(1)
    (shown,) = show_jobs(world.node, None, world.owner.address, None, 9)
    assert shown["audit"] == CANARY_ONLY and "canary-only, so nobody audited it" in shown["verdict"]["reason"]


def test_decision__spec_not_here__opening_is_owed_until_it_comes(world: World) -> None:
    """An order that is not known says nothing; its provider can show it."""
    work = world.open_job(audit=CANARY_ONLY)
    world.commit(work)
    world.draw([work])
    assert wanting(world) == [0]
    put_blob(world.node, work.job.spec_digest, spec_bytes(work.spec))
    read_specs(world.node)
    assert wanting(world) == []


def draw_after(world: World, *burns: tuple[int, int]) -> int | None:
    world.chain.terms = replace(world.chain.terms, audit_bps=500)
    for block, burned in burns:
        world.apply(BurnAccrued(world.owner.address, Wei(burned)), block=block)
    world.commit(world.open_job(), block=85)
    world.clock.now = NOW + world.node.rules.reveal_wait + 1
    assert draw_batches(world.node, FINAL) == 1
    batch = world.node.store.batch(1)
    assert batch is not None
    return batch.audit_bps


def test_rate__nothing_burned_yet__is_everything(world: World) -> None:
    """R85: a new identity starts at 100 %."""
    assert draw_after(world) == 10_000


def test_rate__burned_up_to_the_commit_block__counts_and_what_came_later_does_not(world: World) -> None:
    """R85: fees of matured batches, by the block of the commitment."""
    assert draw_after(world, (40, BURN_SCALE), (85, BURN_SCALE), (86, 30 * BURN_SCALE)) == audit_rate(
        2 * BURN_SCALE, 500) == 2_875


def test_rate__block_applied_again__counts_its_burns_once(world: World) -> None:
    assert draw_after(world, (40, BURN_SCALE), (40, BURN_SCALE)) == audit_rate(BURN_SCALE, 500)


def test_rate__burned_for_another_provider__does_not_count(world: World) -> None:
    world.apply(BurnAccrued(world.requester.address, Wei(40 * BURN_SCALE)), block=40)
    assert draw_after(world) == 10_000


def test_draw__block_of_its_hash_replaced_later__the_kept_draw_stays(world: World) -> None:
    """R85: one draw, never another, whatever a re-organisation or a second call would find."""
    draw_after(world, (40, 40 * BURN_SCALE))
    kept = world.node.store.batch(1)
    entries = world.node.store.entries(1)
    world.link()
    world.chain.start += 7  # every block has another time and hash now
    world.apply(BurnAccrued(world.owner.address, Wei(40 * BURN_SCALE)), block=84)
    assert draw_batches(world.node, FINAL + 10) == 0
    world.node.store.keep_draw(1, b"\2" * 32, [], [1], 9.0, b"\2" * 32, 1)
    assert world.node.store.batch(1) == kept and world.node.store.entries(1) == entries
