"""The deployed contracts and the people of a market: four oracles, two providers, two requesters and a stranger."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from brownie import accounts, chain, interface, web3
from eth_abi import encode

from protocol.encoding import keccak
from protocol.messages import Domain, node_key_digest
from protocol.units import TOKEN
from scripts.plan import Plan, plan
from tests.contracts.deployed import deploy
from tests.contracts.expect import block_number
from tests.contracts.nouns import Person, Provider, person

STAKE = 2_000 * TOKEN
DEPOSIT = 1_000 * TOKEN
GAS_MONEY = 10**20


class Stage:
    """The contracts under their short names, everybody funded, seated and registered.

    `escrow` answers to all three parts of the escrow; `contracts` has each contract as it was deployed.
    """

    def __init__(self, containers: Any, seated: int = 4, what: Plan | None = None) -> None:
        self.treasury = accounts[0]
        self.oracles = [person(f"oracle {place}") for place in range(4)]
        self.providers = [Provider(person(f"owner {n}"), person(f"node {n}")) for n in range(2)]
        self.requesters = [person(f"requester {n}") for n in range(2)]
        self.stranger, self.guardian = person("stranger"), person("guardian")
        seats = [oracle.address for oracle in self.oracles]
        self.plan = what or plan("test", str(self.treasury), seats, self.guardian.address)
        self.terms = self.plan.terms
        self.contracts = contracts = deploy(containers, self.plan, self.treasury)
        self.token, self.committee = contracts.MallaToken, contracts.OracleCommittee
        self.staking, self.rewards = contracts.Staking, contracts.Rewards
        self.court, self.timelock = contracts.DisputeCourt, contracts.MallaTimelock
        self.governor = contracts.MallaGovernor
        self.escrow = interface.IJobEscrow(contracts.JobEscrow.address)
        self.domain, self.staking_domain, self.court_domain = (
            Domain(chain.id, str(contract.address)) for contract in (self.escrow, self.staking, self.court)
        )
        self._nonce = 0
        for oracle in self.oracles[:seated]:
            self.fund(oracle, self.committee, self.plan.seat_stake)
            self.join(oracle)
        for provider in self.providers:
            self.fund(provider.owner, self.staking, 2 * STAKE)
            self.register(provider)
            self.staking.stake(STAKE, {"from": provider.owner.account})
        for requester in self.requesters:
            self.fund(requester, self.escrow, 2 * DEPOSIT)
            self.escrow.deposit(DEPOSIT, {"from": requester.account})

    @property
    def as_governor(self) -> Any:
        """The timelock as a sender: what a vote could do, without the vote."""
        return self.impersonated(self.timelock)

    @property
    def as_escrow(self) -> Any:
        return self.impersonated(self.escrow)

    @property
    def as_court(self) -> Any:
        return self.impersonated(self.court)

    def impersonated(self, contract: Any) -> Any:
        """A contract as a sender."""
        address = str(contract.address)
        web3.provider.make_request("anvil_impersonateAccount", [address])
        web3.provider.make_request("anvil_setBalance", [address, hex(GAS_MONEY)])
        return accounts.at(address, force=True)

    def fund(self, who: Person, spender: Any, tokens: int) -> None:
        """Gives `tokens` wei, and lets `spender` take them."""
        self.token.transfer(who.address, tokens, {"from": self.treasury})
        self.token.approve(spender.address, tokens, {"from": who.account})

    def join(self, oracle: Person) -> Any:
        url = f"https://oracle.example/{oracle.address}"
        return self.committee.join(url, keccak(b"key"), keccak(b"anchor"), {"from": oracle.account})

    def consent(self, provider: Provider) -> bytes:
        return provider.node.signer.sign(
            node_key_digest(self.staking_domain, provider.owner.address, provider.node.address)
        )

    def register(self, provider: Provider) -> Any:
        arguments = (provider.node.address, keccak(b"seal"), keccak(b"metadata"), self.consent(provider))
        return self.staking.register(*arguments, {"from": provider.owner.account})

    def rotate(self, provider: int) -> Provider:
        """Gives the provider a fresh node key; tests go on with the old one unless they take what this returns."""
        fresh = Provider(self.providers[provider].owner, person(f"fresh node {self.number()}"))
        arguments = (fresh.node.address, keccak(b"new seal"), self.consent(fresh))
        self.staking.rotateNodeKey(*arguments, {"from": fresh.owner.account})
        return fresh

    def permit(self, owner: Person, spender: Any, amount: int, deadline: int) -> tuple[int, bytes, bytes]:
        """v, r and s of an ERC-2612 permit."""
        kind = keccak(b"Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)")
        values = [owner.address, str(spender.address), amount, self.token.nonces(owner.address), deadline]
        types = ["bytes32", "address", "address", "uint256", "uint256", "uint256"]
        separator = bytes(self.token.DOMAIN_SEPARATOR())
        signature = owner.signer.sign(
            keccak(b"\x19\x01" + separator + keccak(encode(types, [kind, *values])))
        )
        return signature[64], signature[:32], signature[32:64]

    def quorum(self, digest: bytes, signers: Sequence[int] = (0, 1, 2)) -> list[bytes]:
        """Signatures in ascending order of their signers, as the committee asks for them."""
        chosen = sorted((self.oracles[n].signer for n in signers), key=lambda signer: int(signer.address, 16))
        return [signer.sign(digest) for signer in chosen]

    def proposer(self, version: int = 4) -> Person:
        """The oracle whose turn it is to submit in the next block."""
        return self.oracles[((block_number() + 1) // 4 + version) % len(self.oracles)]

    def number(self) -> int:
        """One that was not used before."""
        self._nonce += 1
        return self._nonce
