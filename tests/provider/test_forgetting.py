"""When what was said is forgotten: a stake's longest liability after the commitment, by the chain's clock."""

from __future__ import annotations

from dataclasses import dataclass, field

from provider.flow.forgetting import Forgetting, forget_said
from tests.provider.world import World


@dataclass
class FakeSaid:
    """`provider.ports.sessions.Said`."""

    gone: int
    asked: list[int] = field(default_factory=list)

    def forget(self, decided: int) -> int:
        self.asked.append(decided)
        return self.gone


def test_forget_said__nothing_to_forget__no_word() -> None:
    world, said = World(), FakeSaid(0)
    assert forget_said(Forgetting(said, world.chain, world.log)) == 0
    assert world.events() == []


def test_forget_said__committed_before_the_last_liability__asked_and_logged() -> None:
    """A stake can be slashed for what was committed as long as the unstake delay: until then it is kept."""
    world, said = World(), FakeSaid(3)
    assert forget_said(Forgetting(said, world.chain, world.log)) == 3
    assert said.asked == [int(world.clock()) - world.chain.unstake_delay()]
    assert world.logged == [("forgotten", {"calls_and_jobs": 3})]
