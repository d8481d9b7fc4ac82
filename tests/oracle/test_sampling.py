"""Reveals and draws: published late enough, fetched and checked, drawn once, and everything when one is missing."""

from __future__ import annotations

from oracle.flow.sampling import draw_batches, due_block, publish_reveals
from protocol.draw import draw, is_reveal
from protocol.encoding import keccak
from tests.oracle.world import World

FINAL = 90
"""The batch of `committed` is of block 85, epoch 8, which ends with block 89."""


def committed(world: World) -> None:
    world.commit(world.open_job(), block=85)


def publish(world: World) -> None:
    for node in world.nodes:
        publish_reveals(node, FINAL)


def test_reveals__epoch_not_over__are_not_published(world: World, short_reveals: None) -> None:
    """R14: no reveal leaves before the commitment's epoch is over."""
    publish_reveals(world.node, FINAL - 1)
    assert world.node.store.reveal(world.node.address, 8) is None
    assert world.node.store.reveal(world.node.address, 7) is not None


def test_reveals__epoch_over__are_published_once(world: World, short_reveals: None) -> None:
    assert publish_reveals(world.node, FINAL) == 9
    assert publish_reveals(world.node, FINAL) == 0


def test_reveals__anchor_of_another_key__none_is_published(world: World) -> None:
    """The anchor in this world is of a short chain: to the real length it is a foreign one."""
    assert publish_reveals(world.node, FINAL) == 0


def test_draw__before_the_epoch_is_final__waits(world: World, short_reveals: None) -> None:
    committed(world)
    world.link()
    publish(world)
    assert draw_batches(world.node, FINAL - 1) == 0


def test_draw__all_reveals__is_the_public_one_and_the_same_everywhere(world: World, short_reveals: None) -> None:
    """R31: the draw of every oracle is that of protocol/draw.py."""
    committed(world)
    world.link()
    publish(world)
    assert [draw_batches(node, FINAL) for node in world.nodes] == [1, 1, 1, 1]
    reveals = [node.store.reveal(node.address, 8) for node in world.nodes]
    entries = [row.entry.leaf for row in world.node.store.entries(1)]
    expected = draw(1, entries, keccak((87).to_bytes(8, "big")), reveals, 10_000)
    for node in world.nodes:
        batch = node.store.batch(1)
        assert batch is not None and batch.seed == expected.seed
        assert [row.auditor for row in node.store.entries(1)] == list(expected.auditors)


def test_draw__a_reveal_is_missing__waits_and_then_draws_everything(world: World, short_reveals: None) -> None:
    """R31: a missing reveal draws everything."""
    committed(world)
    world.link(3)
    publish(world)
    assert draw_batches(world.node, FINAL) == 0
    world.clock.now += world.node.rules.reveal_wait + 1
    assert draw_batches(world.node, FINAL) == 1
    batch = world.node.store.batch(1)
    assert batch is not None and batch.seed is None
    assert {row.drawn for row in world.node.store.entries(1)} == {True}


def test_draw__a_wrong_reveal__counts_as_missing(world: World, short_reveals: None) -> None:
    """R31: a reveal that does not fit its anchor is none."""
    committed(world)
    world.link()
    publish(world)
    world.node.peers.reveals[world.signers[2].address] = lambda epoch: b"\7" * 32  # type: ignore[attr-defined]
    assert draw_batches(world.node, FINAL) == 0
    assert world.node.store.reveal(world.signers[2].address, 8) is None


def test_draw__made__is_never_made_again(world: World, short_reveals: None) -> None:
    committed(world)
    world.link(3)
    publish(world)
    world.clock.now += world.node.rules.reveal_wait + 1
    draw_batches(world.node, FINAL)
    world.link()
    assert draw_batches(world.node, FINAL) == 0
    batch = world.node.store.batch(1)
    assert batch is not None and batch.seed is None


def test_draw__kept_twice__the_first_stays(world: World) -> None:
    committed(world)
    store = world.node.store
    store.keep_draw(1, b"\1" * 32, [0], [2], 5.0)
    store.keep_draw(1, None, [], [3], 6.0)
    batch = store.batch(1)
    assert batch is not None and (batch.seed, batch.drawn_at) == (b"\1" * 32, 5.0)
    assert [(row.drawn, row.auditor) for row in store.entries(1)] == [(True, 2)]


def test_due_block__delay_beyond_the_epoch__is_the_later_one(world: World) -> None:
    """R14: the block whose hash is used comes after the commitment."""
    world.commit(world.open_job(), block=59)
    batch = world.node.store.batch(1)
    assert batch is not None and due_block(world.node, batch) == 61


def test_reveal__fetched_from_a_peer__is_kept_and_links_to_the_anchor(world: World, short_reveals: None) -> None:
    committed(world)
    world.link()
    publish(world)
    draw_batches(world.node, FINAL)
    peer = world.chain.member(world.signers[1].address)
    found = world.node.store.reveal(peer.address, 8)
    assert found is not None and is_reveal(found, 8, peer.anchor, peer.anchor_epoch)
