"""Size limits of everything that crosses a boundary, in bytes unless said: one place, so both sides refuse alike."""

MAX_BLOB = 256 * 1024
MAX_JSON_BODY = 512 * 1024
MAX_JSON_DEPTH = 32
MAX_PROMPT = 64 * 1024
MAX_MESSAGES = 256
"""Chat messages in a prompt."""
MAX_TRANSCRIPT = 112 * 1024
"""Sealed, it must fit a transaction: that is a provider's last chance to open it."""
MAX_BATCH = 128
"""Entries of a work batch; the contract's limit."""
MAX_POSTED_OPENINGS = 120 * 1024
"""Openings of a batch posted on-chain, all together. The contract takes 128 KiB, but nodes relay no transaction that is
longer than that as a whole."""
MAX_DECISIONS = 64
"""Batches in one settlement."""
MAX_URL = 200
MAX_OFFERS_PER_PROVIDER = 32
MAX_TELEMETRY = 16 * 1024
MAX_CHALLENGE_OPENING = 5 * 2**20
"""A GPU challenge's opening: two times 64 rows of width 8,192, and the roots of every product."""
