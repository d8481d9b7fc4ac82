"""The one tree of errors that cross a boundary.

MallaError
├── BadInput            what a caller sent is malformed, oversized or out of bounds
│   ├── Malformed       not decodable, a missing or unknown field, a wrong type
│   ├── TooLarge        over a limit of `protocol.limits`
│   └── SignatureInvalid
├── Refused             well-formed, but a rule says no; carries a `Reason`
├── ProviderFault       a transcript that is wrong by itself: evidence, never a verifier's error
├── ChainRefused        a contract's custom error, decoded
├── ChainUnreachable    the node does not answer, or answers for another chain
├── Unavailable         a peer, a broker or a database does not answer: try again
└── ConfigInvalid       a setting, a keystore, a model file or a deployment that cannot be used

Each says what happened with its operands; `fix` is the sentence that tells what to do.
"""

from __future__ import annotations

from enum import StrEnum


class MallaError(Exception):
    """`code` is a stable word for programs, the message a sentence for people, `fix` what to do about it."""

    code = "error"

    def __init__(self, message: str, fix: str = "") -> None:
        # A message may quote what a stranger sent, and PostgreSQL takes no NUL in a text: a quote must not stop a loop.
        message = message.replace("\0", "\N{REPLACEMENT CHARACTER}")
        super().__init__(message)
        self.message = message
        self.fix = fix.replace("\0", "\N{REPLACEMENT CHARACTER}")

    def as_json(self) -> dict[str, object]:
        """The body of every error answer: `{"error": {"code", "message", "fix"}}`."""
        return {"error": {"code": self.code, "message": self.message, "fix": self.fix}}


class BadInput(MallaError):
    code = "bad_input"


class Malformed(BadInput):
    code = "malformed"


class TooLarge(BadInput):
    code = "too_large"

    def __init__(self, what: str, size: int, limit: int) -> None:
        super().__init__(f"{what} has {size} bytes, the limit is {limit}.", "Send less at once.")
        self.size, self.limit = size, limit


class SignatureInvalid(BadInput):
    code = "signature_invalid"


class Reason(StrEnum):
    """Why a rule said no. The same words in REST, CLI and logs."""

    WRONG_SIGNER = "wrong_signer"
    WRONG_JOB = "wrong_job"
    WRONG_CHAIN = "wrong_chain"
    REPLAY = "replay"
    TAMPERED = "tampered"
    STALE = "stale"
    UNKNOWN_MODEL = "unknown_model"
    UNKNOWN_PROFILE = "unknown_profile"
    UNKNOWN_SAMPLER = "unknown_sampler"
    UNKNOWN_AUDIT = "unknown_audit"
    UNKNOWN_PROVIDER = "unknown_provider"
    STAKE_TOO_LOW = "stake_too_low"
    OFFER_EXPIRED = "offer_expired"
    OFFER_REVOKED = "offer_revoked"
    PRICE_OVER_CAP = "price_over_cap"
    NO_PROVIDER = "no_provider"
    TOO_MANY_TOKENS = "too_many_tokens"
    PROMPT_UNREADABLE = "prompt_unreadable"
    NOT_DRAWN = "not_drawn"
    NOT_FOUND = "not_found"
    NOT_MEMBER = "not_member"
    NOT_READY = "not_ready"
    BUSY = "busy"
    QUOTA = "quota"


class Refused(MallaError):
    """A well-formed request that a rule refuses."""

    def __init__(self, reason: Reason, message: str, fix: str = "") -> None:
        super().__init__(message, fix)
        self.reason = reason

    @property
    def code(self) -> str:  # type: ignore[override]
        return self.reason.value


class ProviderFault(MallaError):
    """The opened transcript contradicts itself, its leaf, its spec or its limits. `check` names the failed check."""

    code = "provider_fault"

    def __init__(self, check: str, message: str) -> None:
        super().__init__(message)
        self.check = check


class ChainRefused(MallaError):
    """A contract reverted. `error` is the custom error's name, `operands` its decoded arguments by name."""

    code = "chain_refused"

    def __init__(self, error: str, operands: dict[str, object], message: str, fix: str = "") -> None:
        super().__init__(message, fix)
        self.error, self.operands = error, operands


class ChainUnreachable(MallaError):
    code = "chain_unreachable"


class Unavailable(MallaError):
    code = "unavailable"


class ConfigInvalid(MallaError):
    code = "config_invalid"


def file_error(error: OSError) -> ConfigInvalid:
    """What the system said of a file, as a sentence: a full disk, a folder that may not be written, a path that is
    none."""
    where = f"{error.filename} cannot be used" if error.filename else "The system refuses"
    return ConfigInvalid(f"{where}: {error.strerror or type(error).__name__}.",
                         "Check that the path is right, that you may write there, and that the disk has room.")
