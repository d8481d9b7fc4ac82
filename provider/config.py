"""The settings of a provider's processes, read from the environment once, at their start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from eth_utils import is_hex_address, to_checksum_address

from protocol.challenge import ChallengeTerms
from protocol.draw import REVEAL_WAIT
from protocol.errors import ConfigInvalid
from protocol.limits import MAX_BATCH
from protocol.units import Address

DEFAULT_MODEL = "SmolLM2-135M-Instruct"
TORCH_CLASS, SERVER_CLASS = "torch-f32-cpu", "llamacpp-q4_1-cpu"
"""Classes by whose profiles work is judged, as backend-dtype-device: of our own engine, and of a model server unless
another one is named."""
QUEUE, TASK, CHALLENGE_TASK = "infer", "provider.infer", "provider.challenge"
"""The worker's queue for what can wait, its task for a job, and the one for a GPU challenge."""
CALL_QUEUE, CALL_TASK = "calls", "provider.call"
"""The queue that is looked into first, and its task: a call of a session, for which somebody waits."""
DEFAULT_STREAMS = 8
SOCKET_SECONDS = 5
TRANSPORT_OPTIONS: Mapping[str, int | str] = {
    "socket_timeout": SOCKET_SECONDS,
    "socket_connect_timeout": SOCKET_SECONDS,
    "visibility_timeout": 3600,
    "queue_order_strategy": "priority",
}
"""For Redis and Valkey. What the broker loses comes back by the journal's sweep, not by redelivery."""
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


@dataclass(frozen=True)
class Settings:
    """`home` holds the signed offers; `keystore` is the node key's; times are seconds."""

    rpc_url: str
    deployment: Path
    keystore: Path
    password_file: Path
    database_url: str = field(repr=False)
    broker_url: str = field(repr=False)
    owner: Address
    home: Path
    http_host: str = "127.0.0.1"
    http_port: int = 0
    models: tuple[str, ...] = (DEFAULT_MODEL,)
    model_cache: Path | None = None
    backend_url: str = ""
    backend_key_file: Path | None = None
    backend_model: str = ""
    backend_class: str = TORCH_CLASS
    confirmations: int = 2
    max_batch: int = 16
    batch_wait: float = 2.0
    streams: int = DEFAULT_STREAMS
    public_url: str = ""
    region: str = ""
    voucher_wait: float = 5.0
    reveal_wait: int = REVEAL_WAIT
    challenges: ChallengeTerms = ChallengeTerms()
    log_level: str = "INFO"

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Settings:
        """Errors: ConfigInvalid naming the variable and what to put into it."""
        keystore = Path(_required(env, "MALLA_KEYSTORE", "the node key's keystore file"))
        cache, server_key = env.get("MALLA_MODEL_CACHE"), env.get("MALLA_BACKEND_KEY_FILE")
        backend_url = _backend_url(env)
        return cls(
            rpc_url=_required(env, "MALLA_RPC_URL", "the chain node's address, such as http://127.0.0.1:8599"),
            deployment=Path(_required(env, "MALLA_DEPLOYMENT", "the file deployments/<chain id>.json")),
            keystore=keystore,
            password_file=Path(_required(env, "MALLA_PASSWORD_FILE", "the file with the keystore's password")),
            database_url=_url(env, "MALLA_DATABASE_URL", "postgresql+psycopg://", "user:password@host:port/database"),
            broker_url=_broker(env),
            owner=_owner(env),
            home=Path(env.get("MALLA_HOME") or keystore.parent),
            http_host=env.get("MALLA_HTTP_HOST") or "127.0.0.1",
            http_port=_whole(env, "MALLA_HTTP_PORT", 0, 0, 65535),
            models=models_of(env.get("MALLA_MODEL", "")),
            model_cache=Path(cache) if cache else None,
            backend_url=backend_url,
            backend_key_file=Path(server_key) if server_key else None,
            backend_model=env.get("MALLA_BACKEND_MODEL", "").strip(),
            backend_class=_class(env, SERVER_CLASS if backend_url else TORCH_CLASS),
            confirmations=_whole(env, "MALLA_CONFIRMATIONS", 2, 0, 1000),
            max_batch=_whole(env, "MALLA_MAX_BATCH", 16, 1, MAX_BATCH),
            batch_wait=_seconds(env, "MALLA_BATCH_WAIT", 2.0),
            streams=_whole(env, "MALLA_STREAMS", DEFAULT_STREAMS, 1, 256),
            public_url=_public_url(env),
            region=env.get("MALLA_REGION", "").strip(),
            voucher_wait=_seconds(env, "MALLA_VOUCHER_WAIT", 5.0),
            reveal_wait=_whole(env, "MALLA_REVEAL_WAIT", REVEAL_WAIT, 1, 86_400),
            challenges=ChallengeTerms.from_env(env),
            log_level=_level(env),
        )


def threads_of(streams: int) -> int:
    """Threads of the worker, each with a slot in the engine: calls fill at most half, so that jobs go on beside them,
    and a call finds all of them taken by jobs only until the first of these ends."""
    return 2 * streams


def models_of(text: str) -> tuple[str, ...]:
    """Names between commas; the default where there is none. Which go together, `provider.edges.models` says."""
    return tuple(name for part in text.split(",") if (name := part.strip())) or (DEFAULT_MODEL,)


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


def _owner(env: Mapping[str, str]) -> Address:
    value = _required(env, "MALLA_OWNER", "the provider's owner address")
    if not is_hex_address(value):
        raise ConfigInvalid(f"MALLA_OWNER is '{value[:60]}', which is no address.", "Write 0x and 40 hex digits.")
    return Address(to_checksum_address(value))


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


def _backend_url(env: Mapping[str, str]) -> str:
    """Of a model server; empty for our own engine."""
    name, value = "MALLA_BACKEND_URL", env.get("MALLA_BACKEND_URL", "").strip()
    if not value:
        return ""
    try:
        parts = urlsplit(value)
        whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        if whole and (parts.username or parts.password):
            # A URL is shown in errors; a key is not.
            raise ConfigInvalid(f"{name} holds a user or a password.", "Put the key into MALLA_BACKEND_KEY_FILE.")
    except ValueError:  # a port that is no number
        whole = False
    if not whole:
        raise ConfigInvalid(f"{name} cannot be read.", "Write it as http://host:port, such as http://127.0.0.1:8080.")
    return value.rstrip("/")


def _public_url(env: Mapping[str, str]) -> str:
    """Where requesters reach the api; empty for a provider that takes jobs only."""
    value = env.get("MALLA_PUBLIC_URL", "").strip()
    try:
        parts = urlsplit(value)
        whole = parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.username and parts.port != 0
    except ValueError:  # a port that is no number
        whole = False
    if value and not whole:
        raise ConfigInvalid("MALLA_PUBLIC_URL cannot be read.", "Write it as https://host:port, without credentials.")
    return value.rstrip("/")


def _class(env: Mapping[str, str], default: str) -> str:
    value = env.get("MALLA_BACKEND_CLASS", "").strip() or default
    if len(value.split("-")) != 3 or not all(value.split("-")):
        raise ConfigInvalid(f"MALLA_BACKEND_CLASS is '{value[:60]}'.",
                            f"Write backend-dtype-device, such as {SERVER_CLASS}.")
    return value


def _whole(env: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    text = env.get(name, "").strip()
    if not text:
        return default
    if not (text.isascii() and text.isdigit()) or not least <= int(text) <= most:
        raise ConfigInvalid(f"{name} is '{text[:40]}'.", f"Write a whole number from {least} to {most}.")
    return int(text)


def _seconds(env: Mapping[str, str], name: str, default: float) -> float:
    text = env.get(name, "").strip()
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 3600:
        raise ConfigInvalid(f"{name} is '{text[:40]}'.", "Write seconds, from 0 to 3600.")
    return value


def _level(env: Mapping[str, str]) -> str:
    level = (env.get("MALLA_LOG_LEVEL") or "INFO").upper()
    if level not in LOG_LEVELS:
        raise ConfigInvalid(f"MALLA_LOG_LEVEL is '{level[:40]}'.", f"Use one of {', '.join(LOG_LEVELS)}.")
    return level
