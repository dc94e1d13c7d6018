"""The request log and the audit over the JSON API."""

from typing import Any

from anygate.admin.api.call import Administration, Call, Input, Operation, Page, nothing_more
from anygate.admin.errors import UnknownName
from anygate.observe.rows import listed
from anygate.settings.reader import Given

LARGEST_PAGE = 500
_USUAL_PAGE = 50


def _list_logs(to: Administration, call: Call) -> Any:
    given = _query(call)
    limit = given.integer("limit", _USUAL_PAGE, least=1, most=LARGEST_PAGE)
    before = _place(given)
    given.done()
    documents = to.logs.read(limit=limit, before=before)
    last = documents[-1] if len(documents) == limit else None
    return Page(
        [listed(document) for document in documents],
        None if last is None else f"{last['started_ms']}.{last['request_id']}",
    )


def _place(given: Input) -> tuple[int, str] | None:
    text = given.text("before")
    if not text:
        return None
    started, _, request_id = text.partition(".")
    if not (started.isascii() and started.isdecimal() and len(started) <= 15 and request_id):
        given.note("before", "this is no place in the log", "Send what the page before named as `before`.")
        return None
    return int(started), request_id


def _get_log(to: Administration, call: Call) -> Any:
    nothing_more(call)
    request_id = call.path["request_id"]
    found = to.logs.read(request_id, limit=1)
    if not found:
        raise UnknownName("request", request_id, ())
    return found[0]


def _audit(to: Administration, call: Call) -> Any:
    given = _query(call)
    full = given.boolean("full", False)
    given.done()
    return to.audit(full)


def _query(call: Call) -> Input:
    # A query is text: `Given` tells the reader to take "10" as a number.
    texts = {name: Given(str(value), "query") for name, value in call.values.items()}
    return Input(Call(call.path, texts))


OPERATIONS = (
    Operation("GET", "/logs", _list_logs),
    Operation("GET", "/logs/{request_id}", _get_log),
    Operation("GET", "/audit", _audit),
)
