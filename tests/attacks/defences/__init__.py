"""Each attack, what stops it on our contracts, and the defence that its weakened copy lacks.

The attacks are in `exploits/`, one contract each, under the same nouns. A refusal is a part of what Forge reports: the
error's name, or `TheftFailed` when every call went through and the loot is not there.
"""

from __future__ import annotations

from tests.attacks.defences import ends, money, sessions, signatures, stakes, tokens

ATTACKS = (
    *money.ATTACKS,
    *sessions.ATTACKS,
    *ends.ATTACKS,
    *signatures.ATTACKS,
    *stakes.ATTACKS,
    *tokens.ATTACKS,
)
