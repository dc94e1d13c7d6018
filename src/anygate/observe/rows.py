"""A record as it is stored, printed and shown. Encoded once, then only copied."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from anygate.canonical.money import LARGEST_NANOS
from anygate.canonical.usage import USAGE_CLASSES, Usage
from anygate.observe.record import Attempt, Record
from anygate.observe.redaction import may_hold_secret, redact_text
from anygate.pricing.snapshot import bill_lines

HOUR_MS = 3_600_000
LARGEST_COUNT = 10**15
"""Tokens beyond this are an upstream's nonsense; clamped, so that no sum of them leaves 64 bits."""

_THOUSANDTHS = tuple(f'{number:03d}Z",' for number in range(1000))

_REMEMBERED = 4096
_sound: set[tuple[str, str, str]] = set()

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder()


class Row(msgspec.Struct, frozen=True, gc=False):
    """One stored request: the record, and the same as a JSON document."""

    record: Record
    document: str


class HourKey(NamedTuple):
    """What one roll-up row sums over. `hour_ms` is the hour's beginning."""

    hour_ms: int
    user_id: int
    token_id: int
    channel: str
    model: str


class Hour(NamedTuple):
    """The sums of one hour. `failed` counts answers that the client saw as 400 or more."""

    requests: int
    failed: int
    input_tokens: int
    output_tokens: int
    cost_nanos: int


def rows_of(records: Iterable[Record]) -> list[Row]:
    """The stored form of finished records; what cannot be stored in every database is made storable."""
    rows: list[Row] = []
    buffer = bytearray()  # one for all: it has grown after the first
    encode = _encoder.encode_into
    for record in records:
        texts = (record.path, record.model, record.warnings)
        if texts in _sound or _is_sound(texts):
            try:
                encode(record, buffer)
            except (UnicodeEncodeError, OverflowError):
                rows.append(_cleaned(record))
            else:
                rows.append(Row(record, buffer.decode()))
        else:
            rows.append(_cleaned(record))
    return rows


def row_of(record: Record) -> Row:
    """The stored form of one finished record."""
    return rows_of((record,))[0]


def _cleaned(record: Record) -> Row:
    """The row of a record in which something may have to be cleaned away."""
    try:
        document = _encoder.encode(record).decode()
    except (UnicodeEncodeError, OverflowError):  # half a surrogate pair, or a number beyond 64 bits
        record = _storable(record)
        document = _encoder.encode(record).decode()
    if "\\u0000" in document or "?" in record.path:  # PostgreSQL has no NUL; a query may hold a key
        record = _storable(record)
        document = _encoder.encode(record).decode()
    if _may_hold_secret(record):
        document = redact_text(document)
        record = msgspec.structs.replace(record, model=redact_text(record.model))
    return Row(record, document)


def log_lines(rows: Iterable[Row]) -> str:
    """The requests' lines in the process log: a JSON object and a line feed each."""
    parts: list[str] = []
    second_ms, begins = -1000, ""
    for row in rows:
        started_ms = row.record.started_ms
        past_ms = started_ms - second_ms
        if not 0 <= past_ms < 1000:  # of another second than the one before, which is rare
            second_ms = started_ms // 1000 * 1000
            past_ms = started_ms - second_ms
            begins = f'{{"event":"request","level":"info","time":"{_second_text(second_ms // 1000)}.'
        parts += (begins, _THOUSANDTHS[past_ms], row.document[1:], "\n")
    return "".join(parts)


def time_text(epoch_ms: int) -> str:
    """RFC 3339 in UTC with milliseconds: `2026-11-22T04:16:39.123Z`."""
    seconds, milliseconds = divmod(epoch_ms, 1000)
    return f"{_second_text(seconds)}.{milliseconds:03d}Z"


def document_of(stored: str | bytes | Mapping[str, Any]) -> dict[str, Any]:
    """A stored document -> the full record for the trace page: `time` added, every usage class named, the bill's
    lines worked out from the price that was paid.
    """
    document: dict[str, Any] = dict(stored) if isinstance(stored, Mapping) else _decoder.decode(stored)
    used: Mapping[str, int] = document.get("usage") or {}
    usage = {name: used.get(name, 0) for name in USAGE_CLASSES}
    usage |= {name: used[name] for name in ("image_output", "searches") if used.get(name)}
    price: Mapping[str, Any] | None = document.get("price")
    charged = document.get("cost_nanos") or document.get("overrun_nanos")
    lines = bill_lines(price, Usage(**used)) if price and charged else []
    return {**document, "time": time_text(document["started_ms"]), "usage": usage, "price_lines": lines}


def listed(document: Mapping[str, Any]) -> dict[str, Any]:
    """A full record -> one object of `anygate logs --json`; exactly its keys, in its order, and searches if there were any."""
    used = document["usage"]
    return {
        "request_id": document["request_id"],
        "time": document["time"],
        "user": document["user"],
        "token": document["token"],
        "model": document["model"],
        "channel": document["channel"],
        "status": document["status"],
        "usage": {name: used[name] for name in (*USAGE_CLASSES, "searches") if name in used},
        "cost_nanos": document["cost_nanos"],
        "evidence": document["evidence"],
        "attempts": [
            {"channel": attempt["channel"], "status": attempt["status"], "reason": attempt["reason"]}
            for attempt in document["attempts"]
        ],
    }


def fold_hours(rows: Iterable[Row]) -> list[tuple[HourKey, Hour]]:
    """The roll-up of a batch, in key order (so that two writers lock rows alike).

    A request that no channel served is summed without its model: a client may name any text there.
    """
    alike: defaultdict[tuple[int, int, int, str, str], list[Record]] = defaultdict(list)
    hour_ms = -HOUR_MS
    for row in rows:
        record = row.record
        if not 0 <= record.started_ms - hour_ms < HOUR_MS:  # of another hour than the one before, which is rare
            hour_ms = record.started_ms // HOUR_MS * HOUR_MS
        channel = record.channel
        alike[hour_ms, record.user_id, record.token_id, channel, record.model if channel else ""].append(record)
    return [(HourKey(*key), _hour(alike[key])) for key in sorted(alike)]


def _hour(records: Sequence[Record]) -> Hour:
    failed = given = made = cost = 0
    for record in records:
        if record.status >= 400:
            failed += 1
        used = record.usage
        given += used.input + used.cached_input + used.cache_write_5m + used.cache_write_1h + used.audio_input
        made += used.output + used.audio_output + used.image_output
        cost += record.cost_nanos
    return Hour(len(records), failed, min(given, LARGEST_COUNT), min(made, LARGEST_COUNT), min(cost, LARGEST_NANOS))


def _is_sound(texts: tuple[str, str, str]) -> bool:
    """Does nothing in the client's texts, its path, model and warnings, need cleaning? What does not is remembered."""
    path, text = texts[0], " ".join(texts)
    if "\0" in text or "?" in path or may_hold_secret(text):
        return False
    if len(_sound) >= _REMEMBERED:
        _sound.clear()
    _sound.add(texts)
    return True


def _may_hold_secret(record: Record) -> bool:
    """Only the texts that are neither ours nor the operator's are asked."""
    return may_hold_secret(f"{record.path} {record.model} {record.warnings}")


def _storable(record: Record) -> Record:
    cleaned: dict[str, Any] = {}
    for item in msgspec.structs.fields(record):
        value = getattr(record, item.name)
        if isinstance(value, str):
            cleaned[item.name] = _text(value)
    usage = Usage(*(min(count, LARGEST_COUNT) for count in msgspec.structs.astuple(record.usage)))
    return msgspec.structs.replace(
        record,
        **cleaned | {"path": _text(record.path.partition("?")[0])},
        usage=usage,
        cost_nanos=min(record.cost_nanos, LARGEST_NANOS),
        overrun_nanos=min(record.overrun_nanos, LARGEST_NANOS),
        attempts=[
            Attempt(_text(made.channel), made.status, _text(made.reason), made.key_id, made.milliseconds)
            for made in record.attempts
        ],
    )


def _text(value: str) -> str:
    return value.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


@lru_cache(maxsize=8)
def _second_text(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
