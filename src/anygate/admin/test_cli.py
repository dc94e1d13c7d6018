"""The command line, mostly in this process; a few times as a process of its own."""

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.records import finished

import anygate
from anygate.admin.cli import main
from anygate.observe.rows import document_of, listed, row_of
from anygate.observe.store import open_store
from anygate.providers.registry import all_providers
from anygate.sandbox.run import running_sandbox
from anygate.sandbox.server import Sandbox


class Terminal:
    """Types commands in a folder of its own."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.environ: dict[str, str] = {}
        self._capsys = capsys
        self.out = self.err = ""

    def type(self, command: str) -> int:
        code = main(command.split(), self.environ, self.folder)
        self.out, self.err = self._capsys.readouterr()
        return code

    def ok(self, command: str) -> str:
        assert self.type(command) == 0, self.err
        return self.out

    def fails(self, command: str) -> str:
        assert self.type(command) == 1
        return self.err

    def json(self, command: str) -> Any:
        return json.loads(self.ok(f"{command} --json"))


@pytest.fixture
def terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(tmp_path, capsys)


def test_a_newcomer_makes_a_user_a_token_and_a_channel(terminal: Terminal):
    terminal.ok("user create alice")
    terminal.ok("user grant alice 10.5")
    assert "names nothing" in terminal.fails("token create alice ci --models ,")
    key = terminal.ok("token create alice ci --quota-usd 3 --models gpt-4o,b-*").strip()
    assert re.fullmatch(r"sk-[0-9A-Za-z]{48}", key)
    terminal.ok("channel create main --provider openai --base-url http://127.0.0.1:9 --key sk-up --models gpt-4o")
    assert terminal.json("user list") == [
        {
            "id": 1,
            "name": "alice",
            "role": "user",
            "group": "default",
            "balance_nanos": 10_500_000_000,
            "spent_nanos": 0,
        }
    ]
    [token] = terminal.json("token list")
    assert (token["user"], token["name"], token["models"], token["quota_nanos"]) == (
        *("alice", "ci", ["gpt-4o", "b-*"]),
        3_000_000_000,
    )
    [channel] = terminal.json("channel list")
    assert (channel["provider"], channel["models"], channel["allow_private_network"]) == ("openai", ["gpt-4o"], True)
    terminal.ok("channel create other --provider openai --key sk-up")
    assert terminal.ok("channel list").splitlines()[-1].count("the provider's") == 2
    for listing in ("user list", "token list", "channel list", "group list"):
        assert key not in terminal.ok(listing)
        assert "sk-up" not in terminal.out


def test_the_database_can_be_postgresql(terminal: Terminal, postgres_url: str):
    terminal.environ["ANYGATE_STORAGE__DATABASE"] = postgres_url
    terminal.ok("user create alice --balance-usd 1")
    assert terminal.json("user list")[0]["balance_nanos"] == 1_000_000_000
    assert terminal.json("audit")["ok"]
    assert not (terminal.folder / "anygate-data" / "anygate.db").exists()


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("user grant alise 1", 'Did you mean "alice"?'),
        ("user disable bob", "There is no user"),
        ("user create alice", "already"),
        ("user grant alice ten", "10.00"),
        ("user create bob --role king", "user or admin"),
        ("token create alice ci --expires tomorrow", "RFC 3339"),
        ("token create alice x --rpm -5", "--rpm: -5 is out of range. Use 0 or more."),
        ("token create alice x --usd-per-day ten", "--usd-per-day: a decimal number is wanted here"),
        ("channel create x --provider openai --key k --max-concurrency -1", "--max-concurrency: -1 is out of range"),
        ("user create bob --balance-usd -1", "usd: an amount above zero is wanted"),
        ("token disable c1", 'Did you mean "ci"?'),
        ("token create nobody x", "There is no user"),
        ("channel test nope", "There is no channel"),
        ("channel create x --provider opnai --key k", 'Did you mean "openai"?'),
        ("channel create x --provider openai --key env:NOPE", "NOPE is missing or empty. Set it"),
        ("channel create x --provider openai --key k --option a", "NAME=VALUE"),
        ("group disable vip", "There is no group"),
        ("group set vip much", "0.8"),
        ("logs --request-id nope", "There is no request"),
        ("--config gone.toml user list", "anygate init"),
        ("--config . user list", "this is no file"),
    ],
)
def test_what_cannot_be_done_says_why_and_exits_1(terminal: Terminal, command: str, said: str):
    terminal.ok("user create alice")
    terminal.ok("token create alice ci")
    assert said in terminal.fails(command)
    assert "Traceback" not in terminal.err


@pytest.mark.parametrize("command", ["", "user", "user create", "serv", "serve --port x", "user list --nope"])
def test_a_mistyped_command_exits_2(terminal: Terminal, command: str):
    assert terminal.type(command) == 2


def test_config_and_data_stand_before_or_after_the_command(terminal: Terminal):
    (terminal.folder / "c.toml").write_text('[[users]]\nname = "alice"\n')
    for place, command in (("a", "--config c.toml --data a user list"), ("b", "user list --config c.toml --data b")):
        assert [user["name"] for user in terminal.json(command)] == ["alice"]
        assert (terminal.folder / place / "anygate.db").exists()
    terminal.environ = {"ANYGATE_CONFIG": "c.toml", "ANYGATE_DATA": "c"}
    assert len(terminal.json("user list")) == 1
    assert terminal.json("user list --data d --config c.toml")


def test_switches_work_on_everything(terminal: Terminal):
    terminal.ok("user create alice --group vip")
    terminal.ok("token create alice ci")
    terminal.ok("channel create main --provider openai --key k")
    terminal.ok("group create vip 0.8")
    for kind, name in (("user", "alice"), ("token", "ci"), ("channel", "main"), ("group", "vip")):
        terminal.ok(f"{kind} disable {name}")
        terminal.ok(f"{kind} enable {name}")
    terminal.ok("token quota ci 2")
    terminal.ok("token delete ci")
    terminal.ok("channel delete main")
    assert terminal.json("token list") == terminal.json("channel list") == []
    assert len(terminal.ok("user access-token alice").strip()) == 43


def test_init_writes_a_commented_file_and_never_over_one(terminal: Terminal):
    terminal.ok("init")
    text = (terminal.folder / "anygate.toml").read_text()
    assert "[[channels]]" in text
    (terminal.folder / "anygate.toml").write_text("# mine\n")
    assert "stays as it is" in terminal.fails("init")
    assert (terminal.folder / "anygate.toml").read_text() == "# mine\n"
    assert "anygate check --config other.toml" in terminal.ok("init other.toml")
    assert "init FILE" in terminal.fails("init nowhere/other.toml")
    terminal.ok("init --config third.toml")
    assert (terminal.folder / "other.toml").read_text() == (terminal.folder / "third.toml").read_text() == text


def test_the_limits_of_a_token_are_taken(terminal: Terminal):
    terminal.ok("user create alice")
    terminal.ok("token create alice ci --rpm 60 --tpm 100000 --concurrency 4 --usd-per-day 2.5")
    [token] = terminal.json("token list")
    assert token["limits"] == {"rpm": 60, "tpm": 100_000, "concurrency": 4, "nanos_per_day": 2_500_000_000}


def test_every_problem_of_the_file_is_shown(terminal: Terminal):
    (terminal.folder / "anygate.toml").write_text("[server]\nprot = 1\n[limits]\nx = 2\n")
    said = terminal.fails("user list")
    assert "anygate.toml: server.prot: unknown key. Did you mean" in said
    assert "limits.x" in said
    assert terminal.type("check --json") == 1
    assert [problem["key"] for problem in json.loads(terminal.out)["problems"]] == ["server.prot", "limits.x"]


def test_check_finds_what_is_not_priced_and_what_does_not_answer(terminal: Terminal):
    with running_sandbox(Sandbox(tuple(all_providers().values()))) as sandbox:
        (terminal.folder / "anygate.toml").write_text(
            f"""
            [[channels]]
            name = "good"
            provider = "openai"
            base_url = "{sandbox.base_url}/openai"
            key = "sk-good"
            models = ["gpt-4o"]
            [[channels]]
            name = "bad"
            provider = "openai"
            base_url = "{sandbox.base_url}/openai"
            key = "sk-bad"
            models = ["gpt-4o", "nobody-sells-this"]
            """
        )
        assert terminal.type("check --json") == 1
        problems = json.loads(terminal.out)["problems"]
        assert [(problem["key"], problem["where"]) for problem in problems] == [
            ("channels[1].models", str(terminal.folder / "anygate.toml")),
            ("channels[1]", str(terminal.folder / "anygate.toml")),
        ]
        assert '[prices."nobody-sells-this"]' in problems[0]["remedy"]
        assert "401" in problems[1]["message"]
        assert not (terminal.folder / "anygate-data").exists()  # nothing is made by looking
        terminal.ok("user list")
        assert terminal.json("channel test good")[0]["ok"]
        assert terminal.type("channel test bad --json") == 1
        assert "sk-bad" not in terminal.out
        assert terminal.type("check --offline") == 1


def test_check_is_content_with_a_sound_installation(terminal: Terminal):
    assert "No problem" in terminal.ok("check")
    terminal.ok("user create alice")
    assert "No problem" in terminal.ok("check")
    (terminal.folder / "anygate-data" / "secret.key").unlink()
    assert terminal.type("check") == 1
    assert "Restore the key" in terminal.out
    assert ".." not in terminal.out


@pytest.mark.parametrize("command", ["serve", "sandbox"])
def test_an_address_that_cannot_be_listened_on_is_named_with_its_remedy(tmp_path: Path, command: str):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused = run_process(tmp_path, command, "--port", port)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == (
        f"127.0.0.1:{port}: cannot listen here: Address already in use. "
        "Choose another with --port, or stop what listens there.\n"
    )
    elsewhere = run_process(tmp_path, command, "--host", "192.0.2.7", "--port", "0")
    assert "Give --host an address of this machine" in elsewhere.stderr
    assert "from 0 to 65535" in run_process(tmp_path, command, "--port", "99999").stderr


def test_a_place_that_cannot_hold_the_data_is_named_by_every_command(terminal: Terminal):
    (terminal.folder / "taken").write_text("no folder")
    for command in ("user list", "audit", "migrate"):
        assert "taken: this cannot be the data directory" in terminal.fails(f"{command} --data taken")
        assert "--data" in terminal.err
    assert terminal.type("check --data taken/inside") == 1
    assert "this cannot be the data directory" in terminal.out
    assert "channel" not in terminal.err  # what cannot be read has no channels to count


def test_a_database_that_cannot_be_used_is_named_with_its_remedy(terminal: Terminal):
    (terminal.folder / "anygate-data").mkdir()
    database = terminal.folder / "anygate-data" / "anygate.db"
    database.write_bytes(b"this is no database at all" * 100)
    said = f"the database {database} cannot be used: file is not a database. Restore a backup"
    assert said in terminal.fails("user list")
    assert terminal.type("check") == 1
    assert said in terminal.out
    database.unlink()
    terminal.environ["ANYGATE_STORAGE__DATABASE"] = "postgresql://anygate:a-password@127.0.0.1:1/db"
    assert "Start it" in terminal.fails("user list")
    assert "a-password" not in terminal.err
    assert "\n" not in terminal.fails("logs").rstrip()


def test_check_refuses_a_token_of_nobody_as_serve_does(terminal: Terminal):
    (terminal.folder / "anygate.toml").write_text('[[tokens]]\nuser = "bob"\nname = "ci"\nkey = "sk-ci"\n')
    assert terminal.type("check") == 1
    assert 'tokens[0].user: there is no user "bob"' in terminal.out
    assert 'there is no user "bob"' in terminal.fails("user list")
    (terminal.folder / "none.toml").touch()
    terminal.ok("user create bob --config none.toml")
    assert "No problem" in terminal.ok("check")


def test_migrate_audit_logs_and_endpoints_answer(terminal: Terminal):
    assert "set up" in terminal.ok("migrate")
    assert (terminal.folder / "anygate-data").stat().st_mode & 0o077 == 0
    assert "up to date" in terminal.ok("migrate")
    assert terminal.json("audit") == {
        **{"ok": True, "accounts": 0, "open_holds": 0},
        **{"problems": [], "lost": [], "late": []},
    }
    assert "The ledger balances" in terminal.ok("audit --full")
    assert terminal.json("logs") == []
    routes = terminal.json("endpoints")
    assert {"id", "method", "path", "provider", "operation", "kind", "catalogue"} == set(routes[0])
    assert any(route["path"] == "/v1/chat/completions" for route in routes)


def test_logs_lists_requests_and_tells_all_of_one(terminal: Terminal):
    request = finished(user="alice", status=429, error="rate_limit_exceeded")
    store = open_store("sqlite:///anygate.db", terminal.folder / "anygate-data", 0)
    store.write([row_of(request), row_of(finished(1))])
    store.close()
    [head, row] = terminal.ok("logs --limit 1").splitlines()
    assert head.split()[-4:] == ["attempts", "ms", "cost", "usd"]
    assert row.split()[-4:] == ["-", "1", "312", "0.000012345"]
    story = terminal.ok(f"logs --request-id {request.request_id}")
    assert "attempts  openai-main: 200 after 300 ms; why: first\n" in story
    assert "status    429 rate_limit_exceeded\n" in story
    [entry] = terminal.json(f"logs --request-id {request.request_id}")
    assert entry == listed(document_of(row_of(request).document))


def test_the_module_runs_as_a_process(tmp_path: Path):
    assert run_process(tmp_path, "--version").stdout.startswith("anygate ")
    assert run_process(tmp_path, "user", "create", "alice").returncode == 0
    missing = run_process(tmp_path, "user", "disable", "bob")
    assert (missing.returncode, missing.stdout) == (1, "")
    assert run_process(tmp_path, "nonsense").returncode == 2


def test_names_beyond_the_terminal_are_escaped(tmp_path: Path):
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    assert run_process(tmp_path, "user", "create", "张伟😀").returncode == 0
    assert "\\u5f20\\u4f1f" in run_process(tmp_path, "user", "list", **ascii_only).stdout
    [user] = json.loads(run_process(tmp_path, "user", "list", "--json", **ascii_only).stdout)
    assert user["name"] == "张伟😀"
    unreadable = run_process(tmp_path, "user", "disable", "张三", **ascii_only)
    assert (unreadable.returncode, "UTF-8" in unreadable.stderr, len(unreadable.stderr.splitlines())) == (2, True, 1)


def run_process(folder: Path, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "anygate", *words]
    environ = {**os.environ, "PYTHONPATH": str(Path(anygate.__file__).parents[1]), **environment}
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)  # noqa: S603
