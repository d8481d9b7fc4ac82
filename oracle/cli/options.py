"""The options that the oracle's commands share, and what they stand for together."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from protocol.errors import ConfigInvalid

DEPLOYMENTS = Path(__file__).resolve().parents[2] / "deployments"
Rpc = Annotated[str, typer.Option("--rpc-url", envvar="MALLA_RPC_URL", help="The chain's node.")]
DeploymentFile = Annotated[
    Path | None,
    typer.Option("--deployment", envvar="MALLA_DEPLOYMENT", help="deployments/<chain id>.json; default: the newest."),
]
Keystore = Annotated[
    Path | None, typer.Option("--keystore", envvar="MALLA_KEYSTORE", help="The oracle's keystore v3 file.")
]
PasswordFile = Annotated[
    Path | None,
    typer.Option("--password-file", envvar="MALLA_PASSWORD_FILE", help="Its password; without it you are asked."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Send without asking.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Simulate the call and send nothing.")]


@dataclass(frozen=True)
class Place:
    """Where chain and key are. Nothing is opened before it is asked for."""

    rpc_url: str
    deployment: Path | None
    keystore: Path | None = None
    password_file: Path | None = None

    def chain(self) -> Any:
        """Errors: ConfigInvalid, ChainUnreachable."""
        from protocol.chain.connect import connect
        from protocol.chain.deployment import load_deployment, newest_deployment

        if not self.rpc_url:
            raise ConfigInvalid("No chain node is named.", "Add --rpc-url, or set MALLA_RPC_URL.")
        return connect(self.rpc_url, load_deployment(self.deployment or newest_deployment(DEPLOYMENTS)))

    def address(self) -> str:
        """The oracle's address, without its password. Errors: ConfigInvalid."""
        from protocol.chain.keystore import keystore_address

        return keystore_address(self._keystore())

    def own_api(self) -> str:
        """The URL that the oracle's seat names. Errors: as of `chain` and `address`; ConfigInvalid without a seat."""
        chain, address = self.chain(), self.address()
        url = str(chain.oracle(address).url)
        if not url:
            raise ConfigInvalid(f"{address} has no seat in this deployment, so that no api of it is known.",
                                "Give an oracle's keystore by --keystore (or MALLA_KEYSTORE).")
        return url

    def key(self) -> bytes:
        """The private key. Errors: ConfigInvalid."""
        from protocol.chain.keystore import open_keystore, read_password

        keystore = self._keystore()
        if self.password_file is not None:
            return open_keystore(keystore, read_password(self.password_file))
        if not sys.stdin.isatty():
            raise ConfigInvalid("There is no password and no terminal to ask for it.", "Give --password-file FILE.")
        return open_keystore(keystore, typer.prompt(f"Password of {keystore}", hide_input=True, err=True))

    def _keystore(self) -> Path:
        if self.keystore is None:
            raise ConfigInvalid("No keystore is named.", "Add --keystore, or set MALLA_KEYSTORE.")
        return self.keystore
