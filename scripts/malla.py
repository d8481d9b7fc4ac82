"""The `malla` command: mounts the groups of every side, and imports a group only when one of its commands runs.

`malla --help` reads the table below and nothing else, so it answers in a moment although the groups behind it need
web3 or a database. A group whose module is not in this clone is left out.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Mount:
    """Where a group comes from: a Typer application, or the named group inside of it."""

    name: str
    module: str
    help: str
    inside: str | None = None

    def is_there(self) -> bool:
        # By its file: asking the import system for a.b would already import a.
        place = ROOT.joinpath(*self.module.split("."))
        return place.with_suffix(".py").exists() or (place / "__init__.py").exists()

    def load(self) -> Any:
        """Imports the module and returns its group as a command that Typer can run."""
        app = importlib.import_module(self.module).app
        command: Any = typer.main.get_command(app)
        return command if self.inside is None else command.commands[self.inside]


MOUNTS = (
    Mount("provider", "provider.cli", "Serve models: keys, stake, offers, the node."),
    Mount("oracle", "oracle.cli", "Verify work and settle it: the oracle's node."),
    Mount("request", "requester.cli", "Ask for work: deposit, open jobs, read answers.", inside="request"),
    Mount("receipt", "requester.cli", "Check receipts offline.", inside="receipt"),
    Mount("verify", "scripts.verify", "Recompute an audit's verdict from its evidence bundle."),
    Mount("testnet", "scripts.testnet", "A whole network on this machine: up, status, logs, down, reset."),
)


class Deferred(TyperGroup):
    """Stands for a group in the help; becomes the real one when a command line names it."""

    def __init__(self, mount: Mount) -> None:
        super().__init__(name=mount.name, help=mount.help)
        self.mount = mount

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        return self.mount.load().make_context(info_name, args, parent=parent, **extra)


class Root(TyperGroup):
    """Typer's root group, with the mounts beside commands of its own."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [mount.name for mount in MOUNTS if mount.is_there()]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        mount = next((mount for mount in MOUNTS if mount.name == cmd_name), None)
        return Deferred(mount) if mount and mount.is_there() else super().get_command(ctx, cmd_name)


app = typer.Typer(cls=Root, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback(help="Malla: a market for AI inference that pays only for answers computed as promised.")
def root() -> None:
    return None


def main() -> None:
    app()


if __name__ == "__main__":
    main()
