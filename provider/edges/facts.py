"""Finding out what `doctor` judges: each question is asked, and a failure becomes a fact."""

from __future__ import annotations

import shutil
import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import httpx
import psutil
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from protocol.chain.chain import Chain
from protocol.chain.keystore import keystore_address
from protocol.engine.catalogue import find_model, find_profile
from protocol.engine.vector_catalogue import find_vector_profile
from protocol.engine.weights import check_weights_file, locate_weights_file
from protocol.errors import ConfigInvalid, MallaError
from provider.edges.broker import CeleryBroker
from provider.edges.chain import ChainView
from provider.edges.gpu import NvmlGpu
from provider.edges.journal import open_engine
from provider.edges.models import find_vector_manifest, require_servable
from provider.edges.vector_backend import load_vector_counter


def attempt(question: Callable[[], object]) -> str:
    """Empty when it works, else the error's sentence."""
    try:
        question()
    except MallaError as error:
        return error.message
    return ""


def ask_machine(folder: Path) -> tuple[dict[str, object], int, int]:
    """Telemetry of the GPU, bytes of memory and of disk that are free."""
    while not folder.exists():
        folder = folder.parent
    return NvmlGpu().start().stop(), psutil.virtual_memory().available, shutil.disk_usage(folder).free


def ask_models(names: Sequence[str]) -> tuple[dict[str, tuple[str, str]], str]:
    """Of each model what is wrong with its file and with its profile; and why they cannot be served, all together."""
    try:
        require_servable(names)
    except ConfigInvalid as error:
        return {}, error.message
    return {name: ask_model(name) for name in names}, ""


def ask_model(name: str) -> tuple[str, str]:
    """What is wrong with the model's file and with its profile."""
    vector = find_vector_manifest(name)
    if vector is not None:
        return attempt(lambda: load_vector_counter(vector)), attempt(lambda: find_vector_profile(vector))

    def check_file() -> None:
        manifest = find_model(name)
        check_weights_file(manifest, locate_weights_file(manifest))

    return attempt(check_file), attempt(lambda: find_profile(find_model(name)))


def ask_database(url: str) -> str:
    if not url:
        return "MALLA_DATABASE_URL is not set."
    try:
        engine = open_engine(url)
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
        engine.dispose()
    except ConfigInvalid as error:
        return error.message
    except SQLAlchemyError as error:
        # Its text may name the URL with the password.
        return f"The database does not answer ({type(error).__name__})."
    return ""


def ask_broker(url: str) -> str:
    if not url:
        return "MALLA_BROKER_URL is not set."
    broker = CeleryBroker(url)
    try:
        return attempt(broker.ping)
    except (ValueError, LookupError):
        # The parser's text may hold a part of the password.
        return "MALLA_BROKER_URL cannot be read."
    finally:
        broker.close()


def ask_port(port: int, owner: str | None) -> tuple[str, bool]:
    """What is wrong with the port, and whether the node of this owner listens there already."""
    if not port:
        return "", False
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return ("", True) if owner and _node_at(port) == owner else (f"The port {port} is in use.", False)
    return "", False


def _node_at(port: int) -> str | None:
    """Owner of the provider's node that answers on a port of this machine."""
    try:
        said = httpx.get(f"http://127.0.0.1:{port}/v1/health", timeout=4.0, trust_env=False).json()
    except (httpx.HTTPError, ValueError):
        return None
    return str(said.get("address")) if isinstance(said, dict) and said.get("role") == "provider" else None


def ask_keystores(owner: Path, node: Path) -> tuple[str | None, str | None, str]:
    """Addresses of owner and node key, and what is wrong with their files."""
    try:
        return keystore_address(owner), keystore_address(node), ""
    except MallaError as error:
        return None, None, error.message


def ask_oracles(chain: Chain) -> dict[str, str]:
    """Each member's URL → "" when it is ready, else why not."""
    found = {}
    for oracle in ChainView(chain).oracles():
        try:
            answer = httpx.get(f"{oracle.url.rstrip('/')}/v1/health", timeout=4.0, trust_env=False)
            found[oracle.url] = "" if answer.status_code == 200 else f"status {answer.status_code}"
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            found[oracle.url] = type(error).__name__
    return found


def block_age(chain: Chain) -> int:
    return int(time.time()) - chain.head().timestamp
