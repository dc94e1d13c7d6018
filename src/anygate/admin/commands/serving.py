"""`anygate serve`, `init`, `sandbox` and `endpoints`."""

import shlex
from importlib.resources import files

from anygate.admin.shell import CommandError, Shell
from anygate.settings import Settings
from anygate.settings.load import DEFAULT_FILE
from anygate.settings.problems import listening_problem


def serve(shell: Shell) -> None:
    """`serve`: runs until it is told to stop."""
    from anygate.serving import serve as run

    given = shell.arguments

    def read() -> Settings:
        return shell.settings(server__host=given.host, server__port=given.port, server__workers=given.workers)

    run(read(), demo=given.demo, migrate=given.migrate, reload=read)


def init(shell: Shell) -> None:
    """`init [FILE]`."""
    named = shell.arguments.file or shell.arguments.config or shell.environ.get("ANYGATE_CONFIG") or DEFAULT_FILE
    path = shell.cwd / named
    template = (files("anygate.admin") / "anygate.toml").read_text(encoding="utf-8")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(template)
    except FileExistsError:
        raise CommandError(f"{path} is there already and stays as it is.") from None
    except OSError as error:
        raise CommandError(
            f"{path} cannot be written: {error.strerror}. Name another file: anygate init FILE"
        ) from None
    place = "" if path == shell.cwd / DEFAULT_FILE else f" --config {shlex.quote(named)}"
    shell.say(f"{path} is written. Uncomment what you need, then: anygate check{place}, anygate serve{place}")


def sandbox(shell: Shell) -> None:
    """`sandbox`: runs until it is told to stop."""
    from anygate.sandbox.run import run_sandbox

    host, port = shell.arguments.host, shell.arguments.port
    if not 0 <= port <= 65535:
        raise CommandError("--port takes a number from 0 to 65535.")
    try:
        run_sandbox(host, port)
    except OSError as error:
        raise CommandError(str(listening_problem(host, port, error))) from None


def endpoints(shell: Shell) -> None:
    """`endpoints`."""
    from anygate.relay.endpoints import list_endpoints

    columns = ("method", "path", "provider", "operation", "kind")
    shell.listing(list_endpoints(), columns, "No route is served.")
