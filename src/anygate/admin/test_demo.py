"""The demonstration comes and goes."""

from pathlib import Path

import pytest

from anygate.admin.channels import create_channel, list_channels, parse_channel
from anygate.admin.demo import demo_file, end_demo, prepare_demo
from anygate.admin.first_steps import first_steps, program
from anygate.canonical.channel import Secret
from anygate.providers.registry import all_providers
from anygate.settings.values import Settings, Storage
from anygate.storage.bootstrap import OpenStorage, open_storage

ORIGIN = "http://127.0.0.1:8080"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    data_dir = tmp_path / "anygate-data"
    return Settings(config_file=None, data_dir=data_dir, storage=Storage(database=f"sqlite:///{data_dir}/anygate.db"))


@pytest.fixture
def opened(settings: Settings):
    opened = open_storage(settings)
    yield opened
    opened.close()


def names(opened: OpenStorage) -> set[str]:
    return {channel.name for channel, _ in list_channels(opened.database)}


def test_a_demonstration_leaves_no_channel_in_the_way_of_real_ones(settings: Settings, opened: OpenStorage):
    assert not end_demo(opened)
    demo = prepare_demo(settings, opened, "http://127.0.0.1:1", ORIGIN)
    assert {f"demo-{slug}" for slug in all_providers()} == names(opened)
    for name, tags in (("main", ["demo"]), ("demo-main", ["demo"])):
        document = {"name": name, "provider": "openai", "key": "sk-up", "tags": tags}
        create_channel(opened.database, opened.cipher, parse_channel(document, all_providers(), Secret))
    assert end_demo(opened)
    assert names(opened) == {"main", "demo-main"}
    assert prepare_demo(settings, opened, "http://127.0.0.1:2", ORIGIN).api_key == demo.api_key
    assert len(names(opened)) == 2 + len(all_providers())


def test_the_greeting_says_where_the_key_is_and_what_to_install(settings: Settings, opened: OpenStorage):
    demo = prepare_demo(settings, opened, "http://127.0.0.1:1", ORIGIN)
    greeting = demo.greeting(demo_file(settings))
    assert str(settings.data_dir / "demo.json") in greeting
    assert greeting.index("pip install openai") < greeting.index("from openai import OpenAI")


def test_the_first_steps_are_typed_as_the_program_was(settings: Settings, opened: OpenStorage, tmp_path: Path):
    with opened.database.reading() as connection:
        steps = first_steps(connection, settings, tmp_path, [".venv/bin/anygate", "serve"])
    assert steps[0] == ".venv/bin/anygate channel create openai --provider openai --key YOUR_OPENAI_KEY"
    assert len(steps) == 3


def test_a_program_on_the_path_is_called_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    installed = tmp_path / "anygate"
    installed.touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert program([str(installed)], "python3") == "anygate"
    assert program(["/my venv/bin/anygate"], "python3") == "'/my venv/bin/anygate'"
    assert program(["/src/anygate/__main__.py"], "/usr/bin/python3") == "/usr/bin/python3 -m anygate"
