"""`anygate serve`: the parent makes the database ready, then runs one server, or several worker processes."""

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn
from rich.console import Console
from sqlalchemy.exc import DBAPIError
from uvicorn.supervisors.multiprocess import Multiprocess

from anygate.admin.demo import demo_file, end_demo, prepare_demo
from anygate.admin.first_steps import first_steps
from anygate.app import Application, Ports
from anygate.edge.listening import listen
from anygate.edge.protocol import RelayProtocol
from anygate.observe.logging import configure_logging
from anygate.observe.node_tallies import clean_tallies
from anygate.settings.problems import ConfigError, Problem, listening_problem
from anygate.settings.values import Settings
from anygate.storage.bootstrap import open_storage
from anygate.storage.crypto import SecretKeyError
from anygate.storage.migrate import SchemaError

logger = logging.getLogger("anygate.serve")


def serve(
    settings: Settings,
    *,
    demo: bool = False,
    migrate: bool = False,
    reload: Callable[[], Settings] | None = None,
    ports: Ports | None = None,
) -> None:
    """Run the gateway until SIGTERM or SIGINT.

    Args:
        settings: as read.
        demo: run the sandbox beside it, with a channel for every provider, a user and a token.
        migrate: bring a PostgreSQL schema up to date first.
        reload: reads the settings again (SIGHUP).
        ports: the world, for tests.

    Raises:
        anygate.storage.migrate.SchemaError, anygate.storage.crypto.SecretKeyError, ConfigError: cannot start.
    """
    configure_logging()
    console = Console(markup=False, highlight=False, soft_wrap=True)
    signal.signal(signal.SIGTERM, _leave)
    with ExitStack() as stack:
        listeners = _listen(settings)
        for listener in listeners:
            stack.callback(listener.close)
        origin = _origin(settings, listeners[0])
        sandbox_url = _start_sandbox(stack) if demo else ""
        opened = open_storage(settings, migrate=migrate)
        try:
            for line in opened.notices:
                console.print(line)
            for line in opened.warnings:
                console.print(f"warning: {line}")
            prepared = prepare_demo(settings, opened, sandbox_url, origin) if demo else None
            if not demo and end_demo(opened):
                console.print("the channels of the demonstration are removed; `serve --demo` makes them again")
            with opened.database.reading() as connection:
                steps = first_steps(connection, settings, Path.cwd())
        finally:
            opened.close()
        clean_tallies(settings.data_dir / "run" / "metrics")
        _greet(console, origin, prepared.greeting(_nearby(demo_file(settings))) if prepared else "", steps)
        _run(settings, listeners, ports, reload)


def _leave(_number: int, _frame: FrameType | None) -> None:
    """SIGTERM before and after uvicorn's own handling of it (it raises the signal again): leave, and clean up."""
    sys.exit(0)


def _run(
    settings: Settings, listeners: list[socket.socket], ports: Ports | None, reload: Callable[[], Settings] | None
) -> None:
    server = settings.server
    config = uvicorn.Config(
        Application(settings, ports),
        http=RelayProtocol,
        loop="uvloop",
        ws="websockets-sansio",
        ws_max_size=server.max_body_mb << 20,
        lifespan="on",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=2048,
        workers=server.workers,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=int(server.shutdown_timeout) or None,
    )
    resync = _Resync(settings, reload)
    if server.workers > 1:
        _Supervisor(config, listeners, resync).run()
        return
    signal.signal(signal.SIGHUP, resync.on_signal)
    uvicorn.Server(config).run(sockets=listeners)


class _Resync:
    """SIGHUP: read the file again and write down what it declares; every process notices by the revision."""

    def __init__(self, settings: Settings, reload: Callable[[], Settings] | None) -> None:
        self._settings = settings
        self._reload = reload

    def __call__(self) -> None:
        if self._reload is not None:
            threading.Thread(target=self._work, name="anygate-reload", daemon=True).start()

    def on_signal(self, _number: int, _frame: FrameType | None) -> None:
        """As a signal handler."""
        self()

    def _work(self) -> None:
        assert self._reload is not None  # noqa: S101
        try:
            opened = open_storage(self._reload())
        except (ConfigError, SchemaError, SecretKeyError, DBAPIError) as error:
            logger.error("the file was not taken; the configuration stays as it was: %s", error)
            return
        opened.close()
        for line in opened.warnings:
            logger.warning("%s", line)
        logger.info("the file was read again: %s", "; ".join(opened.notices) or "nothing has changed")


class _Supervisor(Multiprocess):
    """uvicorn's supervisor, whose SIGHUP reads the file again instead of restarting everyone."""

    def __init__(self, config: uvicorn.Config, sockets: list[socket.socket], resync: _Resync) -> None:
        super().__init__(config, sockets)
        self._resync = resync

    def handle_hup(self) -> None:
        """Read the file again."""
        self._resync()


def _listen(settings: Settings) -> list[socket.socket]:
    server = settings.server
    try:
        return listen(server.host, server.port)
    except OSError as error:
        raise ConfigError([listening_problem(server.host, server.port, error)]) from None


def _origin(settings: Settings, listener: socket.socket) -> str:
    if settings.server.public_url:
        return settings.server.public_url
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{host}:{port}"


def _start_sandbox(stack: ExitStack) -> str:
    """The simulated upstreams, on a free loopback port, in a process that ends with this one."""
    process = subprocess.Popen(
        [sys.executable, "-m", "anygate", "sandbox", "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
    )
    stack.callback(_end, process)
    assert process.stdout is not None  # noqa: S101
    base_url = process.stdout.readline().strip()
    if not base_url:
        raise ConfigError([Problem("--demo", "", "the sandbox did not start", "Try `anygate sandbox` to see why.")])
    return base_url


def _end(process: subprocess.Popen[Any]) -> None:
    process.terminate()
    process.wait(10)


def _nearby(path: Path) -> Path:
    """A path as one types it here."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _greet(console: Console, origin: str, greeting: str, steps: list[str]) -> None:
    console.print(f"Anygate serves {origin}")
    if greeting:
        console.print(greeting)
    elif steps:
        console.print("There is no channel yet. Type next:")
        for step in steps:
            console.print(f"  {step}")
    console.file.flush()
