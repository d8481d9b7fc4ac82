"""Cases of the court, and what this oracle's own replays found about them, as frozen dataclasses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from protocol.types import CaseKind, Ruling, VerdictKind
from protocol.units import Address, Wei


@dataclass(frozen=True)
class CaseRow:
    """Times are unix seconds: `opened_at` and `deadline` the chain's, `wanted_at` this oracle's own, when it began to
    ask for the opening, `asked_at`, when it last asked the others to sign. `own` is the ruling that this oracle signed,
    NONE before, `signatures` are those of the others over the same. Before the block `left_until` it is left to the
    one that collected first. `over`: nothing is left to be done on-chain for it."""

    case_id: int
    kind: CaseKind
    batch_id: int
    index: int
    plaintiff: Address
    provider: Address
    bond: Wei
    set_version: int
    opened_at: int
    deadline: int
    opened_tx: bytes
    ruling: Ruling = Ruling.NONE
    closed_at: int | None = None
    closed_tx: bytes | None = None
    wanted_at: float | None = None
    own: Ruling = Ruling.NONE
    over: bool = False
    asked_at: float | None = None
    left_until: int | None = None
    signatures: Mapping[Address, bytes] = field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        return self.ruling is Ruling.NONE


@dataclass(frozen=True)
class ReviewRow:
    """An own replay of one unit for a case; `verdict` is None until it was made."""

    case_id: int
    unit: int
    verdict: VerdictKind | None = None
    beyond: bool = False
    reason: str = ""
