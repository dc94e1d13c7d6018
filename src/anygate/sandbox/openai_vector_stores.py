"""OpenAI's vector stores, spoken from the upstream's side, with a real if simple search over uploaded files.

Source: https://platform.openai.com/docs/api-reference/vector-stores and the official OpenAPI document, which tests
validate every answer against (2026-11-22).
"""

from collections.abc import Callable
from typing import Any, Final

import orjson

from anygate.sandbox.answer import Answer, Headers
from anygate.sandbox.json_values import Json, as_list, as_object, as_text, is_list, is_object
from anygate.sandbox.openai_chat import SPEAKER as CHAT
from anygate.sandbox.openai_chat import read
from anygate.sandbox.openai_checks import STRING, check_known, check_metadata, number, wanted
from anygate.sandbox.openai_errors import missing, wrong_type, wrong_value
from anygate.sandbox.refusal import Refused
from anygate.sandbox.responses_pages import page
from anygate.sandbox.speaker import Ask, Memory
from anygate.sandbox.vector_stores_search import check_filter, search
from anygate.sandbox.vector_stores_store import AUTO, Store, Stores, chunks_in, counts

_JSON: Final[Headers] = (
    ("content-type", "application/json"),
    ("openai-version", "2020-10-01"),
    ("openai-processing-ms", "1"),
    ("openai-poll-after-ms", "5"),
)


class OpenaiVectorStores:
    """The speaker of `openai.vector_stores`: the operations that `_OPERATIONS` names."""

    def read(self, body: bytes) -> Json:
        """Body -> request; requests without a body are empty."""
        return read(body) if body else {}

    def model(self, request: Json) -> str:
        """Vector stores belong to no model."""
        return ""

    def answer(self, ask: Ask) -> Answer:
        """The answer to a request."""
        act = _OPERATIONS.get(ask.operation)
        if act is None:
            raise Refused(404, None, f"The sandbox does not know the operation {ask.operation}.")
        return Answer(200, (orjson.dumps(act(ask, Stores(ask))),), _JSON)

    def refuse(self, refusal: Refused, memory: Memory) -> Answer:
        """An error, as OpenAI's other APIs show it."""
        return CHAT.refuse(refusal, memory)


SPEAKER = OpenaiVectorStores()


def _create(ask: Ask, stores: Stores) -> Json:
    request = ask.request
    known = frozenset({"file_ids", "name", "description", "expires_after", "chunking_strategy", "metadata"})
    check_known(request, known)
    strategy = _strategy(request.get("chunking_strategy"))
    expires, ids = _expiry(request.get("expires_after")), _ids(request, "file_ids")
    store = stores.create(_name(request), _metadata(request), expires)
    try:
        for file_id in ids:
            stores.add(store, file_id, strategy, {})
    except Refused:
        stores.delete(store.id)
        raise
    return stores.view(store)


def _modify(ask: Ask, stores: Stores) -> Json:
    store, request = stores.find(ask.values["vector_store_id"]), ask.request
    check_known(request, frozenset({"name", "expires_after", "metadata"}))
    expires, name, metadata = _expiry(request.get("expires_after")), _name(request), _metadata(request)
    if "name" in request:
        store.shown["name"] = name
    if "metadata" in request:
        store.shown["metadata"] = metadata
    if expires is not None:
        store.shown["expires_after"] = expires
    elif "expires_after" in request:
        store.shown.pop("expires_after", None)
    return stores.view(store)


def _delete(ask: Ask, stores: Stores) -> Json:
    name = ask.values["vector_store_id"]
    stores.delete(name)
    return {"id": name, "object": "vector_store.deleted", "deleted": True}


def _search(ask: Ask, stores: Stores) -> Json:
    request = ask.request
    store = stores.searchable(ask.values["vector_store_id"])
    given = request.get("query")
    if given is None:
        raise missing("query")
    queries = as_list(given) if is_list(given) else [given]
    for index, query in enumerate(queries):
        STRING(f"query[{index}]" if is_list(given) else "query", query)
    known = frozenset({"query", "rewrite_query", "max_num_results", "filters", "ranking_options"})
    check_known(request, known)
    most = request.get("max_num_results", 10)
    number(1, 50, whole=True)("max_num_results", most)
    if (condition := request.get("filters")) is not None:
        check_filter("filters", condition)
    threshold = as_object(request.get("ranking_options")).get("score_threshold", 0)
    number(0, 1, whole=False)("ranking_options.score_threshold", threshold)
    found = search(list(chunks_in(store, condition)), queries, most, threshold)
    data = [
        {
            "file_id": one.chunk.file_id,
            "filename": one.chunk.filename,
            "score": one.score,
            "attributes": one.chunk.attributes,
            "content": [{"type": "text", "text": one.chunk.text}],
        }
        for one in found
    ]
    name = "vector_store.search_results.page"
    return {"object": name, "search_query": queries, "data": data, "has_more": False, "next_page": None}


def _add_file(ask: Ask, stores: Stores) -> Json:
    store, request = stores.find(ask.values["vector_store_id"]), ask.request
    check_known(request, frozenset({"file_id", "chunking_strategy", "attributes"}))
    return _added(stores, store, request, "").copy()


def _added(stores: Stores, store: Store, request: Json, place: str) -> Json:
    file_id = wanted(request, "file_id", place, str, "a string")
    strategy = _strategy(request.get("chunking_strategy"))
    return stores.add(store, file_id, strategy, _attributes(request.get("attributes"))).shown


def _file(ask: Ask, store: Store) -> Json:
    name = ask.values["file_id"]
    if name not in store.files:
        raise Refused(404, None, f"No file found with id '{name}' in vector store '{store.id}'.", param="file_id")
    return store.files[name].shown


def _delete_file(ask: Ask, stores: Stores) -> Json:
    store = stores.find(ask.values["vector_store_id"])
    name = _file(ask, store)["id"]
    del store.files[name]
    return {"id": name, "object": "vector_store.file.deleted", "deleted": True}


def _list_files(ask: Ask, stores: Stores) -> Json:
    store = stores.find(ask.values["vector_store_id"])
    status = ask.query.get("filter", "")
    shown = [stored.shown for stored in store.files.values() if status in ("", stored.shown["status"])]
    return page(shown, ask.query)


def _modify_file(ask: Ask, stores: Stores) -> Json:
    shown = _file(ask, stores.find(ask.values["vector_store_id"]))
    check_known(ask.request, frozenset({"attributes"}))
    shown["attributes"] = _attributes(ask.request.get("attributes"))
    return shown


def _file_content(ask: Ask, stores: Stores) -> Json:
    store = stores.find(ask.values["vector_store_id"])
    stored = store.files[_file(ask, store)["id"]]
    data = [{"type": "text", "text": chunk} for chunk in stored.chunks]
    return {"object": "vector_store.file_content.page", "data": data, "has_more": False, "next_page": None}


def _create_batch(ask: Ask, stores: Stores) -> Json:
    store, request = stores.find(ask.values["vector_store_id"]), ask.request
    check_known(request, frozenset({"file_ids", "files", "chunking_strategy", "attributes"}))
    if ("file_ids" in request) == ("files" in request):
        raise Refused(400, None, "Exactly one of 'file_ids' and 'files' must be given.", param="file_ids")
    shared = {name: request[name] for name in ("chunking_strategy", "attributes") if name in request}
    files = [{**shared, "file_id": file_id} for file_id in _ids(request, "file_ids")]
    for index, one in enumerate(as_list(request.get("files"))):
        if not is_object(one):
            raise wrong_type(f"files[{index}]", "an object", one)
        files.append(one)
    if not files:
        raise missing("file_ids")
    added = [_added(stores, store, one, f"files[{index}]") for index, one in enumerate(files)]
    batch: Json = {
        "id": ask.memory.new_id("vsfb_"),
        "object": "vector_store.files_batch",
        "created_at": int(ask.memory.clock()),
        "vector_store_id": store.id,
    }
    store.batches[batch["id"]] = {**batch, "files": [one["id"] for one in added]}
    return {**batch, "status": "in_progress", "file_counts": counts(added)}


def _batch_files(ask: Ask, store: Store) -> list[Json]:
    if (name := ask.values["batch_id"]) not in store.batches:
        raise Refused(404, None, f"No file batch found with id '{name}'.", param="batch_id")
    return [store.files[one].shown for one in store.batches[name]["files"] if one in store.files]


def _batch(ask: Ask, store: Store) -> Json:
    counted = counts(_batch_files(ask, store))
    batch = {name: value for name, value in store.batches[ask.values["batch_id"]].items() if name != "files"}
    return {"status": "in_progress" if counted["in_progress"] else "completed", **batch, "file_counts": counted}


def _cancel_batch(ask: Ask, stores: Stores) -> Json:
    """Files that are in progress are not added any more; nothing else changes."""
    store = stores.peek(ask.values["vector_store_id"])
    waiting = [file for file in _batch_files(ask, store) if file["status"] == "in_progress"]
    for file in waiting:
        file["status"] = "cancelled"
    if waiting:
        store.batches[ask.values["batch_id"]]["status"] = "cancelled"
    return _batch(ask, store)


_OPERATIONS: Final[dict[str, Callable[[Ask, Stores], Json]]] = {
    "vector_stores.create": _create,
    "vector_stores.list": lambda ask, stores: page(stores.listed(), ask.query),
    "vector_stores.retrieve": lambda ask, stores: stores.view(stores.find(ask.values["vector_store_id"])),
    "vector_stores.modify": _modify,
    "vector_stores.delete": _delete,
    "vector_stores.search": _search,
    "vector_stores.files.create": _add_file,
    "vector_stores.files.list": _list_files,
    "vector_stores.files.retrieve": lambda ask, stores: _file(ask, stores.find(ask.values["vector_store_id"])),
    "vector_stores.files.modify": _modify_file,
    "vector_stores.files.delete": _delete_file,
    "vector_stores.files.content": _file_content,
    "vector_stores.file_batches.create": _create_batch,
    "vector_stores.file_batches.retrieve": lambda ask, stores: _batch(ask, stores.find(ask.values["vector_store_id"])),
    "vector_stores.file_batches.cancel": _cancel_batch,
    "vector_stores.file_batches.list_files": lambda ask, stores: page(
        _batch_files(ask, stores.find(ask.values["vector_store_id"])), ask.query
    ),
}


def _name(request: Json) -> str:
    if (name := request.get("name")) is not None:
        STRING("name", name)
    return as_text(name)


def _metadata(request: Json) -> Json:
    given = request.get("metadata")
    if given is not None:
        check_metadata("metadata", given)
    return as_object(given)


def _ids(request: Json, name: str) -> list[str]:
    given = request.get(name)
    if given is None:
        return []
    if not is_list(given):
        raise wrong_type(name, "an array of strings", given)
    for index, one in enumerate(given):
        STRING(f"{name}[{index}]", one)
    return given


def _attributes(given: Any) -> Json:
    if given is None:
        return {}
    if not is_object(given) or len(given) > 16:
        raise wrong_type("attributes", "an object with at most 16 properties", given)
    for name, value in given.items():
        if not isinstance(value, str | int | float):
            raise wrong_type(f"attributes.{name}", "a string, number or boolean", value)
    return given


def _expiry(given: Any) -> Json | None:
    if given is None:
        return None
    if not is_object(given):
        raise wrong_type("expires_after", "an object", given)
    if given.get("anchor") != "last_active_at":
        raise wrong_value("expires_after.anchor", given.get("anchor"), ("last_active_at",))
    number(1, 365, whole=True)("expires_after.days", given.get("days"))
    return {"anchor": "last_active_at", "days": given["days"]}


def _strategy(given: Any) -> Json:
    """The chunking strategy as it is shown: `auto` in its figures."""
    if given is None:
        return AUTO
    if not is_object(given):
        raise wrong_type("chunking_strategy", "an object", given)
    if given.get("type") == "auto":
        return AUTO
    if given.get("type") != "static":
        raise wrong_value("chunking_strategy.type", given.get("type"), ("auto", "static"))
    static = as_object(given.get("static"))
    most, overlap = static.get("max_chunk_size_tokens"), static.get("chunk_overlap_tokens")
    number(100, 4096, whole=True)("chunking_strategy.static.max_chunk_size_tokens", most)
    number(0, (most or 0) // 2, whole=True)("chunking_strategy.static.chunk_overlap_tokens", overlap)
    return {"type": "static", "static": {"max_chunk_size_tokens": most, "chunk_overlap_tokens": overlap}}
