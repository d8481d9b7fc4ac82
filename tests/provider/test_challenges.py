"""Taking GPU challenges: node and worker in turn, the real arithmetic on the CPU, the oracles' refusals."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from protocol.challenge import (
    ChallengeTerms,
    DeviceClaim,
    challenge_seed,
    commitment_digest,
    opening_digest,
    opening_draw,
)
from protocol.challenge_opening import Opening, check_opening
from protocol.encoding import keccak
from protocol.engine import challenge as engine
from protocol.errors import Reason, Refused, Unavailable
from protocol.signing import recover
from provider.edges.challenger import TorchChallenger
from provider.edges.fake_challenges import (
    FakeChallengeBroker,
    FakeChallengeClient,
    FakeChallenger,
    FakeChallenges,
)
from provider.edges.fakes import DOMAIN
from provider.flow.challenges import AGAIN_SECONDS, SILENCE_SECONDS, Challenging, take_challenges
from provider.flow.computing import NO_DEVICE, compute_challenge
from provider.records.challenges import ChallengeStage
from tests.provider.world import OWNER, World

CPU = torch.device("cpu")
TERMS = ChallengeTerms(every_epochs=10, width=256, most_products=3, commit_blocks=20, answer_blocks=20)
WINDOW = 1_000
CLAIM = DeviceClaim("GPU-1", "Test A100", "570", 2**20, 10**12)


class Taking:
    """A provider at block `number`, whose device computes truly."""

    def __init__(self, said: DeviceClaim | None = CLAIM) -> None:
        self.world, self.rows = World(), FakeChallenges()
        self.client, self.broker = FakeChallengeClient(), FakeChallengeBroker()
        self.challenger = FakeChallenger(
            said, lambda seed, terms: engine.commit_products(seed, 3, terms.width, CPU),
            lambda seed, draw, roots, terms: engine.open_drawn(seed, draw, roots, terms, CPU).pack())
        self.its = Challenging(OWNER, self.rows, self.world.chain, self.client, self.world.keys, self.broker,
                               self.world.clock, self.world.log, TERMS, 2)

    @property
    def row(self) -> Any:
        return self.rows.rows[WINDOW]

    def turn(self, number: int) -> None:
        self.world.chain.number = number
        take_challenges(self.its, self.world.members)

    def work(self) -> None:
        compute_challenge(self.rows, self.challenger, TERMS, self.world.log, WINDOW)

    def until_committed(self) -> None:
        self.turn(WINDOW + 2)
        self.work()
        self.turn(WINDOW + 3)
        self.turn(WINDOW + 4)


def test_window__not_final_or_drawn_already__begins_nothing() -> None:
    taking = Taking()
    taking.turn(WINDOW + 1)
    taking.turn(WINDOW + 18)
    assert taking.rows.rows == {} and taking.broker.told == []


def test_window__challenges_switched_off__begins_nothing() -> None:
    taking = Taking()
    taking.its = replace(taking.its, terms=replace(TERMS, every_epochs=0))
    taking.turn(WINDOW + 5)
    assert taking.rows.rows == {}


def test_worker__without_a_device__says_so_and_is_left_alone() -> None:
    """R91: a provider on a CPU takes no challenges."""
    taking = Taking(said=None)
    taking.turn(WINDOW + 2)
    taking.work()
    taking.turn(WINDOW + 5)
    assert (taking.row.stage, taking.row.note) == (ChallengeStage.SKIPPED, NO_DEVICE)
    assert taking.client.commitments == [] and "challenge_skipped" in taking.world.events()


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_device__machine_without_cuda__claims_nothing_and_cannot_compute() -> None:
    challenger = TorchChallenger()
    assert challenger.claim(TERMS) is None
    with pytest.raises(Unavailable, match="CUDA"):
        challenger.commit(bytes(32), TERMS)
    with pytest.raises(Unavailable, match="CUDA"):
        challenger.open(bytes(32), bytes(32), (), TERMS)


def test_worker__told_again__only_after_a_while_and_only_until_the_draw() -> None:
    taking = Taking()
    taking.turn(WINDOW + 2)
    taking.turn(WINDOW + 3)
    assert taking.broker.told == [WINDOW]
    taking.world.clock.now += AGAIN_SECONDS
    taking.turn(WINDOW + 4)
    taking.world.clock.now += AGAIN_SECONDS
    taking.turn(WINDOW + 18)
    assert taking.broker.told == [WINDOW, WINDOW]


def test_worker__a_stage_that_is_not_its_own__changes_nothing() -> None:
    taking = Taking()
    taking.work()
    taking.until_committed()
    before = taking.row
    taking.work()
    assert taking.row == before


def test_commitment__silent_busy_and_refusing_oracles__each_gets_what_it_can_take() -> None:
    taking = Taking()
    silent, busy, refusing, well = (oracle.address for oracle in taking.world.members)
    taking.client.fail = {silent: Unavailable("silent"), busy: Refused(Reason.NOT_READY, "later"),
                          refusing: Refused(Reason.STALE, "other terms")}
    taking.until_committed()
    assert taking.row.taken == (refusing, well)
    assert "challenge_refused" in taking.world.events()
    taking.client.fail = {}
    taking.turn(WINDOW + 5)
    assert [oracle for oracle, _ in taking.client.commitments] == [well]
    taking.world.clock.now += SILENCE_SECONDS
    taking.turn(WINDOW + 6)
    assert {oracle for oracle, _ in taking.client.commitments} == {well, silent, busy}


def test_opening__unanswered_until_the_last_block__ends() -> None:
    taking = Taking()
    taking.until_committed()
    taking.turn(WINDOW + 22)
    taking.turn(WINDOW + 22)
    taking.work()
    taking.client.fail = {oracle.address: Unavailable("silent") for oracle in taking.world.members}
    taking.turn(WINDOW + 41)
    assert (taking.row.stage, taking.row.opening) == (ChallengeStage.DONE, b"")


def test_challenge__from_window_to_opening__convinces_every_oracle() -> None:
    """R90: what is sent is signed by the node key and passes the check that oracles make."""
    taking = Taking()
    taking.until_committed()
    oracles = {oracle.address for oracle in taking.world.members}
    assert {oracle for oracle, _ in taking.client.commitments} == oracles
    signed = taking.client.commitments[0][1]
    said = signed.commitment
    digest = commitment_digest(DOMAIN, said)
    assert recover(digest, signed.signature) == taking.world.keys.address
    assert (said.window, said.products, said.claim, said.terms) == (WINDOW, 3, CLAIM, TERMS.digest)
    taking.turn(WINDOW + 21)
    assert taking.row.stage is ChallengeStage.COMMITTED, "the drawing block is not final yet"
    taking.turn(WINDOW + 22)
    taking.turn(WINDOW + 22)
    assert taking.broker.told == [WINDOW, WINDOW]
    taking.work()
    taking.turn(WINDOW + 23)
    assert taking.row.stage is ChallengeStage.DONE
    assert {oracle for oracle, _, _ in taking.client.openings} == oracles
    _, named, body = taking.client.openings[0]
    assert named == digest
    assert recover(opening_digest(DOMAIN, digest, body[65:]), body[:65]) == taking.world.keys.address
    hashes = [keccak(number.to_bytes(8, "big")) for number in (WINDOW, WINDOW + 20)]
    seed = challenge_seed(DOMAIN.chain_id, hashes[0], OWNER, 0)
    check_opening(seed, opening_draw(hashes[1], digest), said.root, 3, TERMS, Opening.parse(body[65:], 3, TERMS),
                  engine.multiply)
