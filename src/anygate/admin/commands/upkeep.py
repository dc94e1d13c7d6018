"""`anygate check`, `migrate`, `audit` and `logs`."""

from collections.abc import Mapping
from typing import Any

from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

from anygate.admin.shell import CommandError, Shell, aligned, counted, shown
from anygate.admin.story import tell
from anygate.canonical.money import usd_text
from anygate.settings import ConfigError


def check(shell: Shell) -> int:
    """`check`: 0 without a problem."""
    from anygate.admin.check import CheckReport
    from anygate.admin.check import check as look_through

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed} looked at"))
    with Progress(*columns, console=shell.err, transient=True, disable=not shell.err.is_terminal) as bar:
        task = bar.add_task("configuration", total=None)

        def advance(step: str) -> None:
            bar.update(task, description=step, advance=1)

        try:
            settings = shell.settings()
        except ConfigError as error:
            report = CheckReport(problems=list(error.problems))
        else:
            from anygate.providers.registry import all_providers

            offline = bool(shell.arguments.offline)
            report = look_through(settings, all_providers(), shell.environ, offline=offline, progress=advance)
    if shell.arguments.json:
        problems = [problem.as_dict() for problem in report.problems]
        shell.json({"ok": not problems, "problems": problems, "notices": report.notices})
    else:
        for notice in report.notices:
            shell.note(f"note: {notice}")
        for problem in report.problems:
            shell.say(str(problem))
        if not report.problems:
            shell.say("No problem was found.")
    return 1 if report.problems else 0


def migrate(shell: Shell) -> None:
    """`migrate`."""
    from anygate.storage.bootstrap import make_data_dir
    from anygate.storage.engine import Database
    from anygate.storage.migrate import prepare_schema

    settings = shell.settings()
    make_data_dir(settings.data_dir)
    database = Database(settings.storage.database)
    try:
        with shell.err.status("Migrating the database ..."):
            done = prepare_schema(database, allow=True)
    finally:
        database.dispose()
    shell.say(done or "the schema is up to date")


def audit(shell: Shell) -> int:
    """`audit [--full]`: 0 if the ledger balances."""
    from anygate.ledger.audit import audit as prove
    from anygate.ledger.audit import problem_lines

    with shell.storage() as storage, shell.err.status("Proving the ledger ..."):
        report = prove(storage.database, full=shell.arguments.full)
    if shell.arguments.json:
        shell.json(report.as_json())
        return 0 if report.ok else 1
    for line in problem_lines(report):
        shell.say(line)
    for lost in report.lost:
        shell.say(
            f"lost: request {lost['request_id']} of {lost['user']}: {usd_text(int(lost['nanos']))} USD given back"
        )
    said = (
        "The ledger balances"
        if report.ok
        else f"The ledger does not balance, {counted(len(report.problems), 'problem')}"
    )
    counts = (report.accounts, "account"), (report.open_holds, "open hold"), (len(report.late), "late settle")
    shell.say(f"{said}: {', '.join(counted(number, kind) for number, kind in counts)}.")
    return 0 if report.ok else 1


def logs(shell: Shell) -> None:
    """`logs`: a table, or all that is known of the request that `--request-id` names."""
    from anygate.observe.rows import listed
    from anygate.observe.store import LogStoreUnavailable, read_records

    given = shell.arguments
    if given.limit < 1:
        raise CommandError("--limit is a number above zero.")
    try:
        documents = read_records(shell.settings(), given.request_id, given.limit)
    except LogStoreUnavailable as error:
        raise CommandError(f"The request log cannot be read: {' '.join(str(error).split())}") from None
    if given.request_id and not documents:
        raise CommandError(f"There is no request {given.request_id} in the log.")
    if given.request_id and not given.json:
        for line in aligned([(title, shown(text)) for title, text in tell(documents[0])]):
            shell.say(line)
        return
    shell.listing(
        [listed(document) if given.json else _row(document) for document in documents], _LOGGED, "The log is empty."
    )


_LOGGED = ("time", "request_id", "user", "token", "model", "channel", "status", "error", "attempts", "ms", "cost_usd")
"""Columns of the table; `evidence`, usage and the bill are in the story of one request."""


def _row(document: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **document,
        "attempts": len(document["attempts"]),
        "ms": round(document["latency_ms"]),
        "cost_usd": usd_text(document["cost_nanos"]),
    }
