"""The settings of an oracle's processes, read from the environment once, at their start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from oracle.ports import Rules
from protocol.challenge import ChallengeTerms
from protocol.errors import ConfigInvalid

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


@dataclass(frozen=True)
class Settings:
    """`keystore` is the oracle's one key; `canary_wallets` the folder of its canaries' wallets; `rules` are its own
    patience and limits, times in seconds."""

    rpc_url: str
    deployment: Path
    keystore: Path
    password_file: Path
    database_url: str = field(repr=False)
    broker_url: str = field(repr=False)
    http_host: str = "127.0.0.1"
    http_port: int = 0
    public_url: str = ""
    model_cache: Path | None = None
    canary_wallets: Path | None = None
    confirmations: int = 2
    log_level: str = "INFO"
    rules: Rules = Rules()

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Settings:
        """Errors: ConfigInvalid naming the variable and what to put into it."""
        usual, cache, canaries = Rules(), env.get("MALLA_MODEL_CACHE"), env.get("MALLA_CANARY_WALLETS")
        return cls(
            rpc_url=_required(env, "MALLA_RPC_URL", "the chain node's address, such as http://127.0.0.1:8599"),
            deployment=Path(_required(env, "MALLA_DEPLOYMENT", "the file deployments/<chain id>.json")),
            keystore=Path(_required(env, "MALLA_KEYSTORE", "the oracle's keystore file")),
            password_file=Path(_required(env, "MALLA_PASSWORD_FILE", "the file with the keystore's password")),
            database_url=_url(env, "MALLA_DATABASE_URL", "postgresql+psycopg://", "user:password@host:port/database"),
            broker_url=_broker(env),
            http_host=env.get("MALLA_HTTP_HOST") or "127.0.0.1",
            http_port=_whole(env, "MALLA_HTTP_PORT", 0, 0, 65535),
            public_url=env.get("MALLA_PUBLIC_URL", "").rstrip("/"),
            model_cache=Path(cache) if cache else None,
            canary_wallets=Path(canaries) if canaries else None,
            confirmations=_whole(env, "MALLA_CONFIRMATIONS", 2, 0, 1000),
            log_level=_level(env),
            rules=Rules(
                audit_turn=_whole(env, "MALLA_AUDIT_TURN", usual.audit_turn, 1, 86_400),
                reveal_wait=_whole(env, "MALLA_REVEAL_WAIT", usual.reveal_wait, 1, 86_400),
                blob_quota=_whole(env, "MALLA_BLOB_QUOTA", usual.blob_quota, 1024, 2**50),
                canary_share_bps=_whole(env, "MALLA_CANARY_SHARE_BPS", 0, 0, 10_000) if canaries else 0,
                canary_period=_whole(env, "MALLA_CANARY_PERIOD", usual.canary_period, 60, 30 * 86_400),
                challenges=ChallengeTerms.from_env(env),
                blob_patience=_whole(env, "MALLA_BLOB_PATIENCE", usual.blob_patience, 1, 10**8),
            ),
        )


def _required(env: Mapping[str, str], name: str, what: str) -> str:
    value = env.get(name, "").strip()
    if not value:
        raise ConfigInvalid(f"{name} is not set.", f"Set it to {what}.")
    return value


def _url(env: Mapping[str, str], name: str, scheme: str, rest: str) -> str:
    value = _required(env, name, f"{scheme}{rest}")
    if not value.startswith(scheme):
        # The value itself may hold a password and is not repeated.
        raise ConfigInvalid(f"{name} does not begin with {scheme}.", f"Write it as {scheme}{rest}.")
    return value


def _broker(env: Mapping[str, str]) -> str:
    name, fix = "MALLA_BROKER_URL", "redis://:password@host:port/0"
    value = _required(env, name, fix)
    try:
        whole = value.startswith(("redis://", "rediss://")) and urlsplit(value).port != 0
    except ValueError:  # a port that is no number
        whole = False
    if not whole:
        # Neither the value nor the parser's error is repeated: either may show the password.
        raise ConfigInvalid(f"{name} cannot be read.", f"Write it as {fix}, the password percent-encoded.")
    return value


def _whole(env: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    text = env.get(name, "").strip()
    if not text:
        return default
    if not (text.isascii() and text.isdigit()) or not least <= int(text) <= most:
        raise ConfigInvalid(f"{name} is '{text[:40]}'.", f"Write a whole number from {least} to {most}.")
    return int(text)


def _level(env: Mapping[str, str]) -> str:
    level = (env.get("MALLA_LOG_LEVEL") or "INFO").upper()
    if level not in LOG_LEVELS:
        raise ConfigInvalid(f"MALLA_LOG_LEVEL is '{level[:40]}'.", f"Use one of {', '.join(LOG_LEVELS)}.")
    return level
