"""What every command of the command line works with: settings, storage, and how to say things."""

import argparse
import json
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from anygate.canonical.money import Nanos, nanos_from_usd
from anygate.settings import Settings, load_settings

if TYPE_CHECKING:
    from anygate.storage.bootstrap import OpenStorage


LONGEST_LIST = 60
"""Characters of a list in a listing; `--json` shows every item."""


class CommandError(Exception):
    """The command cannot do it; the text says why and what to do. Exit code 1."""


@dataclass(slots=True)
class Shell:
    """One run of the command line. Results go to `out`, everything else that is said to `err`."""

    arguments: argparse.Namespace
    environ: Mapping[str, str]
    cwd: Path
    out: Console
    err: Console

    def settings(self, **flags: str | int | None) -> Settings:
        """The configuration under this command's flags and `flags` (dotted names have `__` for the dot).

        Raises:
            ConfigError: with every problem.
        """
        given = {name.replace("__", "."): value for name, value in flags.items()}
        given |= {"config": self.arguments.config, "data": self.arguments.data}
        return load_settings(given, self.environ, self.cwd)

    @contextmanager
    def storage(self, settings: Settings | None = None) -> "Generator[OpenStorage]":
        """The database, ready; set up if it is empty. Its warnings are shown."""
        from anygate.storage.bootstrap import open_storage

        opened = open_storage(settings or self.settings(), sync="first")
        try:
            for warning in opened.warnings:
                self.note(f"warning: {warning}")
            yield opened
        finally:
            opened.close()

    def say(self, text: str) -> None:
        """A line of the result."""
        self.out.print(printable(text))

    def note(self, text: str) -> None:
        """A line beside the result."""
        self.err.print(printable(text))

    def json(self, value: object) -> None:
        """The result as JSON."""
        plain = not self.out.encoding.startswith("utf")
        self.out.file.write(json.dumps(value, indent=2, ensure_ascii=plain) + "\n")

    def listing(self, rows: Sequence[Mapping[str, Any]], columns: Sequence[str], nothing: str) -> None:
        """Rows as JSON where `--json` is given, else a table of `columns`; `nothing` is said when there are none.

        A row is one line however narrow the terminal is, so that what stands in it can be copied and found by `grep`.
        """
        if self.arguments.json:
            self.json(list(rows))
            return
        if not rows:
            self.note(nothing)
            return
        head, *lines = aligned(
            [
                [column.replace("_", " ") for column in columns],
                *([shown(row.get(column)) for column in columns] for row in rows),
            ]
        )
        self.out.print(Text(head, style="bold"))
        for line in lines:
            self.out.print(line)


def open_shell(arguments: argparse.Namespace, environ: Mapping[str, str], cwd: Path) -> Shell:
    """A shell on the process's standard output and standard error."""
    return Shell(arguments, environ, cwd, _console(sys.stdout), _console(sys.stderr))


def _console(file: IO[str]) -> Console:
    return Console(file=file, soft_wrap=True, highlight=False, markup=False, emoji=False)


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of cells -> lines in which the columns stand below one another."""
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def printable(text: str) -> str:
    """A text in which nothing but line feeds steers a terminal: clients name models, and upstreams write messages."""
    return "".join(char if char.isprintable() or char == "\n" else repr(char)[1:-1] for char in text)


def shown(value: object) -> str:
    """A value of a row for people, on one line."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return _shortened([shown(item) for item in cast(Sequence[object], value)]) or "-"
    return printable(str(value)).replace("\n", "\\n")


def _shortened(items: Sequence[str]) -> str:
    """As many items as fit, and how many more there are."""
    text = ", ".join(items)
    if len(text) <= LONGEST_LIST:
        return text
    kept = next((count for count in range(len(items), 1, -1) if len(", ".join(items[:count])) <= LONGEST_LIST), 1)
    return ", ".join(items[:kept]) + (f" and {len(items) - kept} more" if kept < len(items) else "")


def counted(number: int, kind: str) -> str:
    """`1 account`, `2 accounts`."""
    return f"{number} {kind}{'' if number == 1 else 's'}"


def flag(name: str) -> str:
    """The flag of a setting: `max_concurrency` -> `--max-concurrency`."""
    return f"--{name.replace('_', '-')}"


def read_usd(text: str) -> Nanos:
    """An amount that was typed.

    Raises:
        CommandError: it is none.
    """
    try:
        return nanos_from_usd(text)
    except ValueError as error:
        raise CommandError(f"{error}. Write USD such as 10.00.") from None


def read_names(text: str | None) -> tuple[str, ...]:
    """`a,b` -> ("a", "b"); not given is none.

    Raises:
        CommandError: it was given and names nothing, which would be read as "all".
    """
    if text is None:
        return ()
    names = tuple(part.strip() for part in text.split(",") if part.strip())
    if not names:
        raise CommandError(f"{text!r} names nothing. Leave the option out, or name something.")
    return names
