"""Settings: each missing or wrong variable is named with its fix, and no secret is repeated."""

from __future__ import annotations

from pathlib import Path

import pytest

from protocol.errors import ConfigInvalid
from provider.config import SERVER_CLASS, TORCH_CLASS, Settings

GOOD = {
    "MALLA_RPC_URL": "http://127.0.0.1:8599",
    "MALLA_DEPLOYMENT": "deployments/31337.json",
    "MALLA_KEYSTORE": "keys/node.json",
    "MALLA_PASSWORD_FILE": "keys/password",
    "MALLA_DATABASE_URL": "postgresql+psycopg://p:secret@127.0.0.1/p",
    "MALLA_BROKER_URL": "redis://:secret@127.0.0.1:6400/0",
    "MALLA_OWNER": "0x000000000000000000000000000000000000dead",
}


@pytest.mark.parametrize("name", sorted(GOOD))
def test_settings__variable_missing__named_with_its_fix(name: str) -> None:
    with pytest.raises(ConfigInvalid, match=f"{name} is not set") as caught:
        Settings.from_env({key: value for key, value in GOOD.items() if key != name})
    assert caught.value.fix.startswith("Set it to")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MALLA_OWNER", "0x12"),
        ("MALLA_HTTP_PORT", "65536"),
        ("MALLA_HTTP_PORT", "-1"),
        ("MALLA_CONFIRMATIONS", "two"),
        ("MALLA_MAX_BATCH", "0"),
        ("MALLA_MAX_BATCH", "129"),
        ("MALLA_BATCH_WAIT", "soon"),
        ("MALLA_BATCH_WAIT", "nan"),
        ("MALLA_REVEAL_WAIT", "0"),
        ("MALLA_LOG_LEVEL", "LOUD"),
        ("MALLA_BACKEND_URL", "127.0.0.1:8080"),
        ("MALLA_BACKEND_URL", "ftp://host"),
        ("MALLA_BACKEND_URL", "http://host:99999"),
        ("MALLA_BACKEND_URL", "http://"),
        ("MALLA_BACKEND_CLASS", "llamacpp"),
        ("MALLA_BACKEND_CLASS", "llamacpp--cpu"),
        ("MALLA_PUBLIC_URL", "127.0.0.1:8600"),
        ("MALLA_PUBLIC_URL", "http://user:word@host"),
        ("MALLA_PUBLIC_URL", "http://host:port"),
        ("MALLA_VOUCHER_WAIT", "-1"),
    ],
)
def test_settings__variable_out_of_bounds__named(name: str, value: str) -> None:
    with pytest.raises(ConfigInvalid, match=name) as caught:
        Settings.from_env(GOOD | {name: value})
    assert caught.value.fix


@pytest.mark.parametrize("name", ["MALLA_DATABASE_URL", "MALLA_BROKER_URL"])
def test_settings__url_of_another_kind__refused_without_repeating_its_password(name: str) -> None:
    with pytest.raises(ConfigInvalid, match=name) as caught:
        Settings.from_env(GOOD | {name: "mysql://user:secret@host/db"})
    assert "secret" not in str(caught.value) + caught.value.fix


@pytest.mark.parametrize("value", ["redis://:secret@h:port/0", "redis://:sec/secret@h:1/0", "redis://:secret@h:99999/0"])
def test_settings__broker_that_cannot_be_parsed__refused_without_a_part_of_its_password(value: str) -> None:
    with pytest.raises(ConfigInvalid, match="MALLA_BROKER_URL cannot be read") as caught:
        Settings.from_env(GOOD | {"MALLA_BROKER_URL": value})
    assert "sec" not in str(caught.value) + caught.value.fix


def test_settings__complete__defaults_and_no_secret_in_its_text() -> None:
    settings = Settings.from_env(GOOD)
    assert (settings.home, settings.max_batch, settings.batch_wait) == (Path("keys"), 16, 2.0)
    assert settings.owner == "0x000000000000000000000000000000000000dEaD"
    assert "secret" not in repr(settings)


def test_settings__key_in_the_url_of_the_model_server__refused_without_repeating_it() -> None:
    with pytest.raises(ConfigInvalid, match="MALLA_BACKEND_URL") as caught:
        Settings.from_env(GOOD | {"MALLA_BACKEND_URL": "http://user:secret@127.0.0.1:8080"})
    assert "secret" not in str(caught.value) + caught.value.fix and "MALLA_BACKEND_KEY_FILE" in caught.value.fix


def test_settings__model_server__has_a_class_of_its_own() -> None:
    assert (Settings.from_env(GOOD).backend_url, Settings.from_env(GOOD).backend_class) == ("", TORCH_CLASS)
    one = Settings.from_env(GOOD | {"MALLA_BACKEND_URL": "http://127.0.0.1:8080/v1/"})
    assert (one.backend_url, one.backend_class) == ("http://127.0.0.1:8080/v1", SERVER_CLASS)
    other = Settings.from_env(GOOD | {"MALLA_BACKEND_URL": "http://h", "MALLA_BACKEND_CLASS": "vllm-bf16-cuda"})
    assert other.backend_class == "vllm-bf16-cuda"
