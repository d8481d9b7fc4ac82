"""Settings: what is missing or wrong is named with its fix, and no secret is repeated."""

from __future__ import annotations

import pytest

from oracle.__main__ import main
from oracle.config import Settings
from protocol.errors import ConfigInvalid

GOOD = {
    "MALLA_RPC_URL": "http://127.0.0.1:1",
    "MALLA_DEPLOYMENT": "deployments/31337.json",
    "MALLA_KEYSTORE": "key.json",
    "MALLA_PASSWORD_FILE": "password",
    "MALLA_DATABASE_URL": "postgresql+psycopg://a:secret-word@h/d",
    "MALLA_BROKER_URL": "redis://:other-word@h:1/0",
}


@pytest.mark.parametrize("name", sorted(GOOD))
def test_settings__one_is_missing__names_it(name: str) -> None:
    with pytest.raises(ConfigInvalid, match=name) as refused:
        Settings.from_env({key: value for key, value in GOOD.items() if key != name})
    assert refused.value.fix


@pytest.mark.parametrize(("name", "value"), [
    ("MALLA_HTTP_PORT", "70000"), ("MALLA_AUDIT_TURN", "soon"), ("MALLA_AUDIT_TURN", "0"),
    ("MALLA_CONFIRMATIONS", "-1"), ("MALLA_LOG_LEVEL", "LOUD"), ("MALLA_DATABASE_URL", "mysql://x:secret-word@h/d"),
    ("MALLA_BROKER_URL", "redis://:secret-word@h:port/0"), ("MALLA_BROKER_URL", "amqp://:secret-word@h/0"),
])  # fmt: skip
def test_settings__one_is_wrong__names_it_without_secrets(name: str, value: str) -> None:
    with pytest.raises(ConfigInvalid, match=name) as refused:
        Settings.from_env({**GOOD, name: value})
    assert "secret-word" not in refused.value.message + refused.value.fix


def test_settings__printed__show_no_password() -> None:
    text = repr(Settings.from_env(GOOD))
    assert "secret-word" not in text and "other-word" not in text


def test_settings__turn_given__is_in_the_rules() -> None:
    assert Settings.from_env({**GOOD, "MALLA_AUDIT_TURN": "7"}).rules.audit_turn == 7


@pytest.mark.parametrize("arguments", [[], ["serve"], ["api", "worker"]])
def test_main__unknown_role__says_how(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert "api|worker|watch|migrate" in capsys.readouterr().err
