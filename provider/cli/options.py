"""The options that the provider's commands share, and what they stand for together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from protocol.errors import ConfigInvalid

Home = Annotated[Path, typer.Option("--home", envvar="MALLA_HOME", help="Folder of keystores and offers.")]
Rpc = Annotated[str, typer.Option("--rpc-url", envvar="MALLA_RPC_URL", help="The chain's node.")]
DeploymentFile = Annotated[
    Path | None,
    typer.Option("--deployment", envvar="MALLA_DEPLOYMENT", help="deployments/<chain id>.json; default: the newest."),
]
PasswordFile = Annotated[
    Path | None,
    typer.Option("--password-file", envvar="MALLA_PASSWORD_FILE",
                 help="Password of the keystores; default: <home>/password, else you are asked."),
]
OwnerKeystore = Annotated[
    Path | None, typer.Option("--keystore", help="The owner's keystore; default: <home>/owner.json.")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before sending.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Simulate, say what would change, send nothing.")]
Database = Annotated[
    str, typer.Option("--database-url", envvar="MALLA_DATABASE_URL", help="postgresql+psycopg://…", show_default=False)
]
BackendClass = Annotated[
    str, typer.Option("--backend-class", envvar="MALLA_BACKEND_CLASS",
                      help="whose profile judges the work: llamacpp-q4_1-cpu for a llama.cpp server")
]

DEFAULT_HOME = Path.home() / ".malla"
DEPLOYMENTS = Path(__file__).resolve().parents[2] / "deployments"


@dataclass(frozen=True)
class Place:
    """Where keys, contracts and chain are."""

    home: Path = DEFAULT_HOME
    rpc_url: str = ""
    deployment: Path | None = None
    password_file: Path | None = None
    keystore: Path | None = None

    @property
    def owner_keystore(self) -> Path:
        return self.keystore or self.home / "owner.json"

    @property
    def node_keystore(self) -> Path:
        return self.home / "node.json"

    def deployment_file(self) -> Path:
        """Errors: ConfigInvalid when there is none."""
        from protocol.chain.deployment import newest_deployment

        return self.deployment or newest_deployment(DEPLOYMENTS)

    def require_rpc(self) -> str:
        if not self.rpc_url:
            raise ConfigInvalid("No chain node is named.", "Give --rpc-url URL, or set MALLA_RPC_URL.")
        return self.rpc_url

    def password(self) -> str:
        """From the file, else from the terminal. Errors: ConfigInvalid without either."""
        from protocol.chain.keystore import read_password

        path = self.password_file or self.home / "password"
        if self.password_file is not None or path.is_file():
            return read_password(path)
        return ask_password("Password of the keystores")


def ask_password(prompt: str, confirm: bool = False) -> str:
    """Ask without showing it. Errors: ConfigInvalid when nobody can be asked."""
    import sys

    if not sys.stdin.isatty():
        raise ConfigInvalid("There is no password and no terminal to ask for it.", "Give --password-file FILE.")
    return str(typer.prompt(prompt, hide_input=True, confirmation_prompt=confirm))
