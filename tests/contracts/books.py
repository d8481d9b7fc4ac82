"""Every balance that a move of money can touch, so that a test says what moved and that nothing else did."""

from __future__ import annotations

from tests.contracts.nouns import Person
from tests.contracts.stage import Stage


class Books(Stage):
    """Snapshots of all balances, in wei."""

    def free(self, who: Person | str) -> int:
        """A free balance in the escrow."""
        return int(self.escrow.balanceOf(who if isinstance(who, str) else who.address))

    def snapshot(self) -> dict[str, int]:
        """By name: free balances in the escrow as `requester 0`, tokens in a wallet as `wallet of requester 0`, awards
        as `award of requester 0`; of each provider what is reserved, staked, delegated and claimable; the escrow's fees
        and exposure; what is condemned; and the tokens that each contract holds."""
        everybody = self._everybody()
        addresses = [who.address for who in everybody.values()]
        balances: dict[str, int] = {}
        for prefix, function in (
            ("", self.escrow.balanceOf),
            ("wallet of ", self.token.balanceOf),
            ("award of ", self.staking.awardOf),
        ):
            balances |= {
                prefix + name: int(function(a)) for name, a in zip(everybody, addresses, strict=True)
            }
        for n, provider in enumerate(self.providers):
            owner = provider.owner.address
            balances[f"reserved {n}"] = self.escrow.providerRecord(owner)[0]
            balances[f"stake {n}"] = self.staking.slashableStake(owner)
            balances[f"delegated {n}"] = self.staking.delegationPool(owner)[0]
            balances[f"undelegating {n}"] = self.staking.delegationPool(owner)[2]
        balances |= {"fees": self.escrow.feesToBurn(), "exposure": self.escrow.exposure()}
        balances |= {"condemned": self.staking.condemned(), "supply": self.token.totalSupply()}
        for name in ("escrow", "staking", "court", "committee", "rewards"):
            balances[name] = self.token.balanceOf(getattr(self, name).address)
        return {name: int(wei) for name, wei in balances.items()}

    def changes(self, before: dict[str, int]) -> dict[str, int]:
        """What moved since the snapshot; nothing else may have."""
        after = self.snapshot()
        return {name: after[name] - before[name] for name in before if after[name] != before[name]}

    def _everybody(self) -> dict[str, Person]:
        people = {f"requester {n}": requester for n, requester in enumerate(self.requesters)}
        people |= {f"provider {n}": provider.owner for n, provider in enumerate(self.providers)}
        people |= {f"oracle {n}": oracle for n, oracle in enumerate(self.oracles)}
        return people | {"stranger": self.stranger}
