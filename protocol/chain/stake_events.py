"""The events of staking, committee, rewards and court: amounts in wei, times in unix seconds."""

from __future__ import annotations

from dataclasses import dataclass

from protocol.states import CaseKind, Ruling
from protocol.units import Address, Digest, Wei


@dataclass(frozen=True)
class ProviderRegistered:
    provider: Address
    node_key: Address
    encryption_key: bytes
    metadata_digest: Digest


@dataclass(frozen=True)
class NodeKeyRotated:
    provider: Address
    node_key: Address
    encryption_key: bytes


@dataclass(frozen=True)
class MetadataChanged:
    provider: Address
    metadata_digest: Digest


@dataclass(frozen=True)
class Staked:
    provider: Address
    amount: Wei
    active: Wei


@dataclass(frozen=True)
class UnstakeStarted:
    provider: Address
    amount: Wei
    release_at: int
    active: Wei


@dataclass(frozen=True)
class StakeWithdrawn:
    """The event `Withdrawn` of `Staking`."""

    provider: Address
    amount: Wei


@dataclass(frozen=True)
class Slashed:
    provider: Address
    from_active: Wei
    from_unstaking: Wei
    from_delegation: Wei
    bps: int


@dataclass(frozen=True)
class Awarded:
    """What a slash or a seizure gives to an account, until it claims it."""

    account: Address
    provider: Address
    amount: Wei


@dataclass(frozen=True)
class Seized:
    """Stake that the court took for `beneficiary`."""

    provider: Address
    beneficiary: Address
    amount: Wei


@dataclass(frozen=True)
class CondemnedBurned:
    amount: Wei


@dataclass(frozen=True)
class BurnAccrued:
    """Of a batch that matured: what of its fee was burned, wei."""

    provider: Address
    burned: Wei


@dataclass(frozen=True)
class RewardClaimed:
    provider: Address
    to_owner: Wei
    to_delegators: Wei


@dataclass(frozen=True)
class CaseOpened:
    case_id: int
    kind: CaseKind
    batch_id: int
    index: int
    plaintiff: Address
    provider: Address
    bond: Wei
    set_version: int
    deadline: int


@dataclass(frozen=True)
class CaseRuled:
    case_id: int
    ruling: Ruling


@dataclass(frozen=True)
class CaseDefaulted:
    case_id: int


@dataclass(frozen=True)
class OracleJoined:
    oracle: Address
    set_version: int
    url: str
    encryption_key: bytes
    anchor: Digest
    anchor_epoch: int


@dataclass(frozen=True)
class OracleResigned:
    oracle: Address
    set_version: int
    release_at: int


@dataclass(frozen=True)
class OracleUrlChanged:
    oracle: Address
    url: str


@dataclass(frozen=True)
class OracleWithdrawn:
    oracle: Address
    amount: Wei


@dataclass(frozen=True)
class OracleSlashed:
    """`burned` of its stake is gone; `share` went to the reporter."""

    oracle: Address
    reporter: Address
    batch_id: int
    burned: Wei
    share: Wei
