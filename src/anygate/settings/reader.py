"""Reads tables of settings with types. A fault is noted and reading goes on, so that all are shown at once."""

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TypeVar, cast

from anygate.canonical.money import Nanos, nanos_from_usd
from anygate.settings.problems import Problem, suggestion

Network = IPv4Network | IPv6Network
Value = TypeVar("Value")

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


class Given(str):
    """A value that was written as text outside the file; `source` names the variable or the flag."""

    source: str

    def __new__(cls, text: str, source: str) -> "Given":
        """Text of `source`."""
        given = super().__new__(cls, text)
        given.source = source
        return given


class Table:
    """One table being read. Asking for a name makes it known; `finish` reports what nobody asked for.

    Each getter returns the default when the key is absent or wrong; what is wrong is in `problems`.
    """

    def __init__(
        self, values: Mapping[str, object], where: str, problems: list[Problem], path: str = "", named: str = ""
    ) -> None:
        self.values = values
        self.where = where
        self.problems = problems
        self.path = path
        self.named = named  # the source of a table that was given as text
        self._known: list[str] = []

    def key(self, name: str) -> str:
        """The dotted path of a key of this table."""
        part = name if _BARE_KEY.fullmatch(name) else '"' + name.replace('"', '\\"') + '"'
        return f"{self.path}.{part}" if self.path else part

    def note(self, name: str, message: str, remedy: str = "") -> None:
        """Note a problem of a key ("" for the table itself)."""
        value = self.values.get(name)
        where = value.source if isinstance(value, Given) else self.named or self.where
        self.problems.append(Problem(where, self.key(name) if name else self.path, message, remedy))

    @property
    def faulty(self) -> bool:
        """Has a problem been noted in this table or one inside it?"""
        return any(problem.key.startswith(self.path) for problem in self.problems)

    def has(self, name: str) -> bool:
        """Is the key there?"""
        self._known.append(name)
        return self.values.get(name) is not None

    def finish(self, extra: Iterable[str] = ()) -> None:
        """Report the keys that nobody asked for, each with the nearest known one."""
        known = {*self._known, *extra}
        for name in self.values:
            if name not in known:
                self.note(name, "unknown key", suggestion(name, known))

    def _take(self, name: str) -> object | None:
        self._known.append(name)
        return self.values.get(name)

    def _wrong(self, name: str, wanted: str, value: object) -> None:
        self.note(name, f"{wanted} is wanted here, not {_shown(value)}", f"Write {self.key(name)} = {_sample(wanted)}.")

    def text(self, name: str, default: str = "", *, choices: Sequence[str] = (), required: bool = False) -> str:
        """A string; one of `choices` if any are named; not empty where `required`."""
        value = self._take(name)
        if value is None:
            if required:
                self.note(name, "this key is missing", f'Add {name} = "...".')
            return default
        if not isinstance(value, str):
            self._wrong(name, "text", value)
            return default
        if required and not value:
            self.note(name, "this must not be empty", f'Write {name} = "...".')
        if choices and value not in choices:
            self.note(name, f'"{value}" is not one of {", ".join(choices)}', suggestion(value, choices))
            return default
        return str(value)

    def integer(self, name: str, default: int, *, least: int = 0, most: int = 2**63 - 1) -> int:
        """A whole number between `least` and `most`."""
        value = self._take(name)
        if value is None:
            return default
        if isinstance(value, Given):
            try:
                value = int(value)
            except ValueError:
                self._wrong(name, "a whole number", value)
                return default
        if isinstance(value, bool) or not isinstance(value, int):
            self._wrong(name, "a whole number", value)
            return default
        if not least <= value <= most:
            open_ended = value < least and most >= 2**31  # where the limit is only that of the storage
            remedy = f"Use {least} or more." if open_ended else f"Use a number from {least} to {most}."
            self.note(name, f"{value} is out of range", remedy)
            return default
        return value

    def number(self, name: str, default: float, *, most: float | None = None) -> float:
        """A number of zero or more, as seconds are."""
        value = self.decimal(name, None)
        if value is None:
            return default
        if value < 0 or (most is not None and value > Decimal(str(most))):
            self.note(
                name, f"{value} is out of range", f"Use a number from 0 to {most if most is not None else '...'}."
            )
            return default
        return float(value)

    def boolean(self, name: str, default: bool) -> bool:
        """True or false."""
        value = self._take(name)
        if isinstance(value, Given) and value.lower() in _TRUE + _FALSE:
            return value.lower() in _TRUE
        if value is None or isinstance(value, bool):
            return default if value is None else value
        self._wrong(name, "true or false", value)
        return default

    def decimal(self, name: str, default: Value) -> Decimal | Value:
        """An exact number, written as text, integer or float."""
        value = self._take(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
            self._wrong(name, "a decimal number", value)
            return default
        try:
            exact = Decimal(str(value).strip())
        except InvalidOperation:
            exact = Decimal("nan")
        if not exact.is_finite():
            self._wrong(name, "a decimal number", value)
            return default
        return exact

    def usd(self, name: str) -> Nanos | None:
        """An amount of zero or more USD in nanos; None when absent or an empty text."""
        value = self.values.get(name)
        if isinstance(value, str) and not value.strip():
            self._known.append(name)
            return None
        exact = self.decimal(name, None)
        if exact is None:
            return None
        try:
            nanos = nanos_from_usd(str(exact))
        except ValueError as error:
            self.note(name, str(error), 'Write an amount in USD such as "10.00".')
            return None
        if nanos < 0:
            self.note(name, f"{exact} is below zero", 'Write an amount in USD such as "10.00".')
            return None
        return nanos

    def moment_ms(self, name: str) -> int | None:
        """An RFC 3339 time with its offset, in milliseconds since the epoch; None when absent or empty."""
        value = self._take(name)
        if value is None or value == "":
            return None
        moment: datetime | None = value if isinstance(value, datetime) else None
        if isinstance(value, str):
            try:
                moment = datetime.fromisoformat(value)
            except ValueError:
                moment = None
        if moment is None or moment.tzinfo is None:
            message = f"{_shown(value)} is not an RFC 3339 time with an offset"
            self.note(name, message, 'Write a time such as "2027-01-31T23:59:59Z".')
            return None
        return int(moment.timestamp() * 1000)

    def texts(self, name: str, default: tuple[str, ...] = (), *, choices: Sequence[str] = ()) -> tuple[str, ...]:
        """A list of strings, none of them empty."""
        value = self._take(name)
        if value is None:
            return default
        items = _split(value) if isinstance(value, Given) else value
        if not isinstance(items, list) or not all(isinstance(item, str) and item for item in cast(list[object], items)):
            self._wrong(name, "a list of texts", value)
            return default
        texts = tuple(cast(list[str], items))
        for text in texts:
            if choices and text not in choices:
                self.note(name, f'"{text}" is not one of {", ".join(choices)}', suggestion(text, choices))
                return default
        return texts

    def networks(self, name: str) -> tuple[Network, ...]:
        """Addresses and CIDR blocks."""
        found: list[Network] = []
        for text in self.texts(name):
            try:
                found.append(ip_network(text))
            except ValueError as error:
                self.note(name, f"{error}", 'Write addresses or blocks such as "192.0.2.7" or "10.0.0.0/8".')
        return tuple(found)

    def text_map(self, name: str) -> dict[str, str]:
        """A table of strings."""
        inner = self.table(name)
        return {key: inner.text(key) for key in inner.values}

    def table(self, name: str) -> "Table":
        """A table inside this one; empty when absent. Call its `finish`."""
        value = self._take(name)
        named = value.source if isinstance(value, Given) else self.named
        if isinstance(value, Given):
            value = _parsed(value)
        if value is not None and not isinstance(value, Mapping):
            self._wrong(name, "a table", value)
            value = None
        values = cast(Mapping[str, object], value or {})
        return Table(values, self.where, self.problems, self.key(name), named)

    def tables(self, name: str) -> "list[Table]":
        """An array of tables."""
        value = self._take(name)
        if value is None:
            return []
        items = cast(list[object], value) if isinstance(value, list) else [value]
        if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in items):
            self.note(name, "an array of tables is wanted here", f"Write [[{self.key(name)}]] above each of them.")
            return []
        rows = cast(list[Mapping[str, object]], items)
        return [Table(row, self.where, self.problems, f"{self.key(name)}[{at}]") for at, row in enumerate(rows)]


def refuse_repeated(tables: Sequence[Table], message: str, *names: str) -> None:
    """Note a problem of the first of `names` for each table whose `names` hold what an earlier table's did."""
    seen: set[str] = set()
    for table in tables:
        identity = repr([table.values.get(name) for name in names])
        if identity in seen:
            table.note(names[0], message, "Rename or remove one of them.")
        seen.add(identity)


def _shown(value: object) -> str:
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value}"' if isinstance(value, str) else str(value)


def _sample(wanted: str) -> str:
    return {
        "text": '"..."',
        "a whole number": "10",
        "true or false": "true",
        "a decimal number": '"0.50"',
        "a list of texts": '["...", "..."]',
        "a table": "{ ... }",
    }[wanted]


def _parsed(text: str) -> object:
    """Text as a TOML value; the text itself where it is none."""
    try:
        return cast(object, tomllib.loads(f"value = {text}", parse_float=Decimal)["value"])
    except (tomllib.TOMLDecodeError, KeyError):
        return str(text)


def _split(text: str) -> object:
    """A list given as text: `["a", "b"]` or `a,b`."""
    if text.lstrip().startswith("["):
        return _parsed(text)
    return [item.strip() for item in text.split(",") if item.strip()]
