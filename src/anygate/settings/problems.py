"""What is wrong with a configuration, said so that it can be repaired."""

import errno
import os
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault.

    Attributes:
        where: the file, the environment variable or the flag that holds it; empty when it was asked for directly.
        key: dotted path with indexes, `channels[0].provider`; empty when the whole of `where` is at fault.
        message: what is wrong.
        remedy: what to do.
    """

    where: str
    key: str
    message: str
    remedy: str

    def __str__(self) -> str:
        last = self.key.rpartition(".")[2]
        told = not self.key or self.where == f"--{last.replace('_', '-')}"  # a flag says which key it sets
        place = self.where if told else f"{self.where}: {self.key}" if self.where else self.key
        return f"{place}: {self.message}. {self.remedy}".rstrip()

    def as_dict(self) -> dict[str, str]:
        """For listings in JSON: `where`, `key`, `message`, `remedy`."""
        return {"where": self.where, "key": self.key, "message": self.message, "remedy": self.remedy}


class ConfigError(Exception):
    """The configuration cannot be used. Every problem that could be seen at once is in `problems`."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


def listening_problem(host: str, port: int, error: OSError) -> Problem:
    """An address cannot be listened on."""
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        remedy = "Give --host an address of this machine; 0.0.0.0 is all of them."
    elif error.errno == errno.EACCES:
        remedy = "Choose a port above 1023 with --port."
    else:
        remedy = "Choose another with --port, or stop what listens there."
    # asyncio wraps the words of the system in its own.
    said = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
    return Problem(f"{host}:{port}", "", f"cannot listen here: {said}", remedy)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that looks most like `name`, whatever the case; None when none is near."""
    by_fold = {candidate.casefold(): candidate for candidate in known}
    close = get_close_matches(name.casefold(), by_fold, n=1, cutoff=0.5)
    return by_fold[close[0]] if close else None


def suggestion(name: str, known: Iterable[str]) -> str:
    """A remedy for an unknown name: the nearest one, else all of them."""
    names = sorted(known)
    near = nearest(name, names)
    if near is not None:
        return f'Did you mean "{near}"?'
    return f"Known: {', '.join(names)}." if names else ""
