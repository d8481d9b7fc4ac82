"""Calls of the court, and the award that a case brings; encoded, described, not sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from protocol.chain.abi import ContractAbi
from protocol.chain.deployment import Deployment
from protocol.chain.records import Call
from protocol.messages import Domain, entry_tuple, head_tuple, ruling_digest
from protocol.signing import recover
from protocol.types import BatchHead, Entry, Ruling


class CourtCalls:
    """Mixed into `Calls`. A bond is taken from the caller, who has approved it to the court before."""

    deployment: Deployment
    abis: dict[str, ContractAbi]
    domain: Domain
    court_domain: Domain

    def dispute(self, batch_id: int, head: BatchHead, entries: Sequence[Entry], index: int) -> Call:
        arguments = [batch_id, head_tuple(head), [entry_tuple(entry) for entry in entries], index]
        return self._call("court", "dispute", arguments, f"Dispute entry {index} of batch {batch_id}.")

    def appeal(self, batch_id: int, head: BatchHead, entries: Sequence[Entry]) -> Call:
        arguments = [batch_id, head_tuple(head), [entry_tuple(entry) for entry in entries]]
        return self._call("court", "appeal", arguments, f"Appeal against the freeze of batch {batch_id}.")

    def rule(self, case_id: int, ruling: Ruling, head: BatchHead, entries: Sequence[Entry],
             signatures: Sequence[bytes]) -> Call:
        """Signatures are put into the contract's order; an appeal that is UPHELD needs head and entries."""
        ordered = in_signer_order(ruling_digest(self.court_domain, case_id, ruling), signatures)
        arguments = [case_id, int(ruling), head_tuple(head), [entry_tuple(entry) for entry in entries], ordered]
        return self._call("court", "rule", arguments, f"Rule case {case_id}: {ruling.name}.")

    def close_by_default(self, case_id: int) -> Call:
        return self._call("court", "closeByDefault", [case_id], f"Close case {case_id}, which nobody ruled.")

    def compensate(self, case_id: int) -> Call:
        return self._call("court", "compensate", [case_id], f"Compensate the requester of case {case_id}.")

    def convict(self, case_id: int, head: BatchHead) -> Call:
        return self._call("court", "convict", [case_id, head_tuple(head)], f"Convict the provider of case {case_id}.")

    def claim_award(self) -> Call:
        return self._call("staking", "claimAward", [], "Collect what the court and slashes awarded.")

    def _call(self, contract: str, function: str, arguments: Sequence[Any], what: str) -> Call:
        data = self.abis[contract].encode(function, arguments)
        return Call(self.deployment.addresses[contract], data, what)


def in_signer_order(digest: bytes, signatures: Sequence[bytes]) -> list[bytes]:
    """The contract wants strictly ascending signers; of two by one signer the first is kept.

    Raises SignatureInvalid on a signature that recovers to nobody.
    """
    by_signer: dict[int, bytes] = {}
    for signature in signatures:
        by_signer.setdefault(int(recover(digest, signature), 16), signature)
    return [by_signer[signer] for signer in sorted(by_signer)]
