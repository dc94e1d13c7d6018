"""What is remembered of one request."""

from typing import TypeVar

import msgspec

from anygate.canonical.usage import NO_USAGE, Evidence, Usage

_Kept = TypeVar("_Kept", bound=msgspec.Struct)


def _stored_to_plainly(kept: type[_Kept]) -> type[_Kept]:
    """Gives a struct the stores of a plain class with slots.

    A struct's own are ten times dearer, because the interpreter cannot specialise them, and a record is stored to some
    thirty times a request. All that they would do besides is to tell the garbage collector, which `gc=False` rules out.
    """
    kept.__setattr__ = object.__setattr__
    kept.__delattr__ = object.__delattr__  # one slot of the type serves both: it stays slow until both are plain
    return kept


@_stored_to_plainly
class Attempt(msgspec.Struct, gc=False):
    """One call to a channel and why it was made. `status` is 0 where no answer came."""

    channel: str
    status: int
    reason: str  # why this channel: "first", "affinity", "failover: 429", ...; with what came of it after "; "
    key_id: int = 0
    milliseconds: int = 0


NO_PRICE = msgspec.Raw(b"null")


@_stored_to_plainly
class Record(msgspec.Struct, gc=False):
    """One request, from the first byte to the settled bill. Filled as it happens, written by the log batcher."""

    request_id: str
    started_ms: int
    method: str = ""
    path: str = ""
    protocol: str = ""
    user_id: int = 0
    user: str = ""
    token_id: int = 0
    token: str = ""
    group: str = ""
    model: str = ""
    upstream_model: str = ""
    channel: str = ""
    provider: str = ""
    stream: bool = False
    status: int = 0  # as the client saw it; 499: the client was gone
    error: str = ""  # stable code
    usage: Usage = NO_USAGE
    cost_nanos: int = 0
    overrun_nanos: int = 0
    price: msgspec.Raw = NO_PRICE  # the snapshot that was paid, as JSON; the bill's lines follow from it and the usage
    evidence: Evidence = "none"
    settled_late: bool = False
    attempts: list[Attempt] = []  # a new one for each record
    client_ip: str = ""
    latency_ms: float = 0
    first_token_ms: float = 0  # 0: no stream
    overhead_ms: float = 0
    request_bytes: int = 0
    response_bytes: int = 0
    warnings: str = ""
