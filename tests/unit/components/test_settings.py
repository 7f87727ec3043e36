import json
from dataclasses import replace
from pathlib import Path

import pulumi
import pytest
import yaml

from components.settings import SCHEMA, Settings, SettingsError, read_settings

PROJECT = yaml.safe_load((Path(__file__).parents[3] / "Pulumi.yaml").read_text())


def read(**config: str) -> Settings:
    pulumi.runtime.set_all_config({f"signalbox:{key.replace('_', '-')}": value for key, value in config.items()})
    return read_settings(pulumi.Config("signalbox"), "signalbox-dev")


def test_every_key_is_typed_described_and_has_the_programs_default():
    declared = {key.removeprefix("signalbox:"): value for key, value in PROJECT["config"].items()}
    assert set(declared) == set(SCHEMA)
    for value in declared.values():
        assert value["type"]
        assert value["description"]
    defaults = {
        key: value["default"] if isinstance(value["default"], str) else json.dumps(value["default"])
        for key, value in declared.items()
    }
    assert read(**{key: text for key, text in defaults.items() if text}) == replace(
        Settings("signalbox-dev"), alarm_actions=[]
    )


def test_a_stack_without_configuration_gets_the_defaults():
    assert read() == Settings("signalbox-dev")


def test_an_empty_name_is_project_and_stack():
    assert read(name="").name == "signalbox-dev"
    assert read(name="park").name == "park"


def test_all_faults_are_said_at_once_with_the_command_that_mends_them():
    with pytest.raises(SettingsError) as error:
        read(
            name="no spaces please",
            architecture="mips",
            archive_days="soon",
            log_retention_days="8",
            subscriptions='{"mail": ["nobody"]}',
            api_auth='{"type": "none"}',
            conflicts='{"outage/call-maintenance": "edit", "outage": "store"}',
        )
    text = str(error.value)
    for key in ("name", "architecture", "archive-days", "log-retention-days", "subscriptions.mail[0]", "api-auth"):
        assert f"signalbox:{key}" in text
    assert "pulumi config set signalbox:architecture" in text
    assert 'signalbox:conflicts["outage/call-maintenance"]: no such choice' in text
    assert "no route's id; got: 'outage'" in text


def test_the_api_is_never_open():
    with pytest.raises(SettingsError):
        read(api_auth='{"type": "none"}')
    assert read(api_auth='{"type": "iam"}').jwt is None
    jwt = read(api_auth='{"type": "jwt", "issuer": "https://id.example", "audience": ["park"]}').jwt
    assert jwt is not None and jwt.issuer == "https://id.example"
