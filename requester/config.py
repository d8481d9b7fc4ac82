"""A requester's settings: options, then the environment, then the local testnet if one stands in the clone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from protocol.errors import ConfigInvalid

ROOT = Path(__file__).resolve().parents[1]
TESTNET = ROOT / "var" / "testnet"


@dataclass(frozen=True)
class Settings:
    """`home` holds job files and receipts; `deposit_jobs` for how many jobs like the next one a deposit is made;
    `keep_days`: so long answers of jobs, and receipts, stay in `home`."""

    rpc_url: str
    deployment: Path
    keystore: Path
    password_file: Path
    home: Path
    model_cache: Path | None = None
    confirmations: int = 2
    deposit_jobs: int = 10
    keep_days: int = 30

    @classmethod
    def from_env(cls, env: Mapping[str, str], testnet: Path = TESTNET) -> Settings:
        """`env` with MALLA_ names, options of a command line laid over it by `with_options`.

        Errors: ConfigInvalid naming the variable, the option, and what to put into them.
        """
        local = local_testnet(testnet)
        found = {**local, **{name: value for name, value in env.items() if value}}
        cache = found.get("MALLA_MODEL_CACHE")
        return cls(
            rpc_url=_required(found, "MALLA_RPC_URL", "--rpc-url", "the address of a chain node"),
            deployment=find_deployment(found),
            keystore=Path(_required(found, "MALLA_KEYSTORE", "--keystore", "your keystore v3 file")),
            password_file=Path(
                _required(found, "MALLA_PASSWORD_FILE", "--password-file", "the file with the keystore's password")),
            home=Path(found.get("MALLA_HOME") or Path.home() / ".malla" / "requester"),
            model_cache=Path(cache) if cache else None,
            confirmations=_whole(found, "MALLA_CONFIRMATIONS", 2, 0, 1000),
            deposit_jobs=_whole(found, "MALLA_DEPOSIT_JOBS", 10, 1, 100_000),
            keep_days=_whole(found, "MALLA_KEEP_ANSWERS", 30, 0, 100_000),
        )


def with_options(env: Mapping[str, str], **options: object) -> dict[str, str]:
    """The environment with the given options over it: `rpc_url=` becomes MALLA_RPC_URL; None leaves it alone."""
    given = {f"MALLA_{name.upper()}": str(value) for name, value in options.items() if value is not None}
    return {**env, **given}


def find_deployment(env: Mapping[str, str], folder: Path = ROOT / "deployments") -> Path:
    """The named deployment file, or the newest in the clone. Errors: ConfigInvalid."""
    if env.get("MALLA_DEPLOYMENT"):
        return Path(env["MALLA_DEPLOYMENT"])
    files = sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime)
    if not files:
        raise ConfigInvalid("No deployment is named, and the clone has none.",
                            "Start one with `malla testnet up`, or name its file with --deployment.")
    return files[-1]


def local_testnet(folder: Path) -> dict[str, str]:
    """What the supervisor wrote of the network on this machine, for its first requester; empty without one."""
    try:
        state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
        requester = next(iter(state["requesters"].values()))
        return {
            "MALLA_RPC_URL": state["rpc_url"],
            "MALLA_DEPLOYMENT": state["deployment"],
            "MALLA_KEYSTORE": requester["keystore"],
            "MALLA_PASSWORD_FILE": requester["password_file"],
            "MALLA_HOME": str(Path(requester["keystore"]).parent / "home"),
        }
    except (OSError, ValueError, LookupError, TypeError, AttributeError, StopIteration):
        return {}


def _required(env: Mapping[str, str], name: str, option: str, what: str) -> str:
    value = env.get(name, "").strip()
    if not value:
        raise ConfigInvalid(f"{name} is not set and no testnet runs here.",
                            f"Start one with `malla testnet up`, or set {option} or {name} to {what}.")
    return value


def _whole(env: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    text = env.get(name, "").strip()
    if not text:
        return default
    if not (text.isascii() and text.isdigit()) or not least <= int(text) <= most:
        raise ConfigInvalid(f"{name} is '{text[:40]}'.", f"Write a whole number from {least} to {most}.")
    return int(text)
