"""Options and arguments that several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

RpcUrl = Annotated[str | None, typer.Option(envvar="MALLA_RPC_URL", help="Chain node; else the testnet of this clone.")]
Deployment = Annotated[Path | None, typer.Option(envvar="MALLA_DEPLOYMENT", help="Deployment file.")]
Keystore = Annotated[Path | None, typer.Option(envvar="MALLA_KEYSTORE", help="The requester's keystore v3 file.")]
PasswordFile = Annotated[Path | None, typer.Option(envvar="MALLA_PASSWORD_FILE", help="File with its password.")]
Home = Annotated[Path | None, typer.Option(envvar="MALLA_HOME", help="Folder of job files and receipts.")]
KeepAnswers = Annotated[int | None, typer.Option("--keep-answers", envvar="MALLA_KEEP_ANSWERS", min=0, metavar="DAYS",
                                                 help="Days that answers of ended jobs, and receipts, stay here: 30.")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of text.")]
Amount = Annotated[str, typer.Argument(metavar="MALLA", help="Tokens, such as 12.5.")]
Timeout = Annotated[float | None, typer.Option(min=0, max=10**9, metavar="SECONDS", help="Stop waiting then.")]
JobId = Annotated[str, typer.Argument(help="0x and 64 hex digits, as `job submit` printed it.")]
