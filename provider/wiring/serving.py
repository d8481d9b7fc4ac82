"""Builds what serves the calls of sessions, for the worker and for the api. Nothing is connected before it is asked."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from protocol.messages import Domain
from provider.config import Settings
from provider.flow.admission import Admission
from provider.flow.calling import Calling
from provider.flow.inference import Inference
from provider.flow.patience import Patience
from provider.ports.replies import Inlet
from provider.ports.work import Log

if TYPE_CHECKING:
    from provider.edges.journal import PostgresJournal
    from provider.edges.session_rows import SqlSessions

CONNECTIONS = 4
"""To the database, of a process in which many threads ask at once; as many more when they are all taken."""


def build_calling(settings: Settings, inference: Inference, stopping: Callable[[], bool]) -> Calling:
    """What the worker's process runs calls with, beside jobs. Errors: ConfigInvalid, Unavailable."""
    from provider.edges.leaver_rows import SqlLeavers
    from provider.edges.streams import RedisOutlet

    journal = open_call_journal(settings)
    return Calling(build_sessions(settings, journal), inference.backends, inference.gpu,
                   RedisOutlet(settings.broker_url), time.time, time.sleep, inference.log, inference.holder,
                   SqlLeavers(journal.engine), stopping)


def build_admission(settings: Settings, journal: PostgresJournal, log: Log) -> Admission:
    """What the api admits calls with. Errors: ConfigInvalid, Refused(UNKNOWN_PROFILE)."""
    from provider.edges.broker import CeleryBroker
    from provider.edges.keys import open_node_keys
    from provider.edges.leaver_rows import SqlLeavers
    from provider.edges.models import find_shelf
    from provider.edges.tokenizer import load_counters

    return Admission(
        settings.owner, read_domain(settings), find_shelf(settings), build_sessions(settings, journal), journal,
        load_counters(settings), open_node_keys(settings.keystore, settings.password_file),
        CeleryBroker(settings.broker_url), time.time, log, Patience(SqlLeavers(journal.engine), time.time),
        settings.streams,
    )


def build_inlet(settings: Settings) -> Inlet:
    from provider.edges.stream_reader import RedisInlet

    return RedisInlet(settings.broker_url)


def open_call_journal(settings: Settings) -> PostgresJournal:
    """The journal, with connections for many threads. Errors: Unavailable."""
    from provider.edges.migrate import open_journal

    return open_journal(settings.database_url, CONNECTIONS)


def build_sessions(settings: Settings, journal: PostgresJournal) -> SqlSessions:
    """Errors: ConfigInvalid."""
    from provider.edges.session_rows import SqlSessions

    return SqlSessions(journal.engine, read_domain(settings))


def read_domain(settings: Settings) -> Domain:
    """Errors: ConfigInvalid."""
    from protocol.chain.deployment import load_deployment

    deployment = load_deployment(settings.deployment)
    return Domain(deployment.chain_id, deployment.escrow)
