"""What other markets for computing spend on-chain, as data: gas of whole transactions, the 21,000 included.

Measured by us in 2026 (`measured`): the peers' own sources at the commits named, each call a transaction of its own,
warm (the second or third repetition, so no slot goes from zero to non-zero), compiled with their settings where our
compiler could (exceptions are named); or taken from their published documents (`published`). Our research note of 2026,
"On-chain peers", section 3, has the method and the full table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class PeerFigure:
    """`ours` names the figure of ours that does the same work, or the sum of such figures joined by ` + `."""

    system: str
    action: str
    gas: int
    source: Literal["measured", "published"]
    ours: str
    commit: str
    note: str = ""


PEERS = (
    PeerFigure("Lilypad v1", "a job: agree twice, addResult, acceptResult (4 transactions)", 1_651_619, "measured",
               "job_of_one_inference_at_100", "9ed8651", "optimizer on; theirs is off, so they pay more"),
    PeerFigure("Lilypad v2", "a job: setDeal, setResult (2 transactions)", 1_038_916, "measured",
               "job_of_one_inference_at_100", "37031b7", "optimizer on; theirs is off, so they pay more"),
    PeerFigure("Ritual Infernet", "a job: requestCompute, deliverCompute (2 transactions)", 363_939, "measured",
               "job_of_one_inference_at_100", "b183dc3", "solc 0.8.35, viaIR; nothing is proved"),
    PeerFigure("Ritual Infernet", "a job with an optimistic proof: request, deliver, finalize", 569_696, "measured",
               "job_of_one_inference_at_100", "b183dc3", "solc 0.8.35, viaIR"),
    PeerFigure("Ritual Infernet", "one delivery of a subscription", 148_195, "measured",
               "voucher_at_100", "b183dc3", "solc 0.8.35, viaIR"),
    PeerFigure("Prime Intellect", "submitWork, no payment inside", 234_542, "measured",
               "job_of_one_inference_at_100", "a1156fe", "viaIR, 1,000,000 runs"),
    PeerFigure("Prime Intellect", "claim of rewards", 142_379, "measured", "reward_claim", "a1156fe"),
    PeerFigure("Prime Intellect", "invalidateWork with a slash", 388_581, "measured",
               "freeze_fraud + forfeit_1_with_slash", "a1156fe"),
    PeerFigure("Livepeer", "redeemWinningTicket", 166_072, "measured", "voucher_alone", "f225b10", "solc 0.8.9"),
    PeerFigure("Livepeer", "a winning ticket in a batch of 10", 80_434, "measured", "voucher_at_100", "f225b10",
               "ours is in a batch of 100"),
    PeerFigure("Livepeer", "unbond", 475_112, "measured", "unstake", "f225b10"),
    PeerFigure("The Graph", "collect, one voucher (cumulative)", 152_364, "measured", "voucher_alone", "687d928",
               "viaIR, 100 runs, behind proxies"),
    PeerFigure("The Graph", "stake", 91_120, "measured", "stake", "687d928"),
    PeerFigure("The Graph", "delegate", 123_033, "measured", "delegate", "687d928"),
    PeerFigure("The Graph", "thaw", 228_659, "measured", "unstake", "687d928"),
    PeerFigure("The Graph", "slash", 106_917, "measured", "forfeit_1_with_slash", "687d928",
               "ours also returns the batch's money"),
    PeerFigure("The Graph", "escrow top-up", 58_106, "measured", "deposit", "687d928"),
    PeerFigure("Uniswap", "claim from a Merkle distributor, on average", 78_730, "published", "reward_claim", ""),
)
