"""What can be wrong with what an operator asks for. Each door shows it in its own way."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from anygate.settings.problems import Problem, suggestion


class AdminError(Exception):
    """Base: the text says what is wrong and what to do. `status` is what the JSON API answers."""

    status: ClassVar[int] = 400
    code: ClassVar[str] = "invalid_request"


class UnknownName(AdminError):
    """There is nothing of this name; the nearest one is named."""

    status, code = 404, "not_found"

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        super().__init__(f'There is no {kind} "{name}". {suggestion(name, known)}'.rstrip())
        self.kind = kind
        self.name = name


class NameTaken(AdminError):
    """Something has this name already."""

    status, code = 409, "name_taken"

    def __init__(self, kind: str, name: str, remedy: str = "") -> None:
        super().__init__(f'There is a {kind} "{name}" already. {remedy}'.rstrip())


class DeclaredInFile(AdminError):
    """The configuration file declares this, so it is changed there."""

    status, code = 409, "declared_in_file"

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(
            f'The {kind} "{name}" is declared in the configuration file: change it there. '
            "Switching it off and on works here too."
        )


class Ambiguous(AdminError):
    """Several things have this name."""

    status, code = 409, "ambiguous"

    def __init__(self, kind: str, name: str, choices: Sequence[str]) -> None:
        super().__init__(f'There are several {kind}s "{name}". Name one of {", ".join(choices)}.')


class InvalidInput(AdminError):
    """Values that cannot be taken; `problems` names each field."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)

    @classmethod
    def of(cls, field: str, message: str, remedy: str = "") -> "InvalidInput":
        """One field."""
        return cls([Problem("", field, message, remedy)])


LONGEST_NAME = 100


def check_name(field: str, name: str) -> None:
    """Names are printable, not blank at their ends, without "/" and at most LONGEST_NAME characters.

    Raises:
        InvalidInput: it is no such name.
    """
    if not name or len(name) > LONGEST_NAME or not name.isprintable() or name != name.strip() or "/" in name:
        message = f"{name!r} cannot be a name"
        raise InvalidInput.of(field, message, f'Use 1 to {LONGEST_NAME} printable characters without "/".')
