"""OpenAI's files and vector stores, as far as `file_search` needs them.

Sources: https://platform.openai.com/docs/api-reference/files and .../vector-stores (2026-11-22).
"""

from anygate.protocols.headers import OPENAI_HEADERS
from anygate.protocols.openai_errors import encode_error, encode_stream_error
from anygate.protocols.table import ClientRoute, Protocol

_STORE = "/v1/vector_stores/{vector_store_id}"
_STORES = ("companion.openai.vector_stores",)


def _route(operation: str, method: str, path: str, catalogue: tuple[str, ...] = ()) -> ClientRoute:
    return ClientRoute(f"openai.{operation}", method, path, operation, "sync", catalogue)


PROTOCOL = Protocol(
    name="openai.resources",
    title="OpenAI files and vector stores",
    routes=(
        _route("files.create", "POST", "/v1/files"),
        _route("files.list", "GET", "/v1/files"),
        _route("files.retrieve", "GET", "/v1/files/{file_id}"),
        _route("files.delete", "DELETE", "/v1/files/{file_id}"),
        _route("files.content", "GET", "/v1/files/{file_id}/content"),
        _route("vector_stores.create", "POST", "/v1/vector_stores", _STORES),
        _route("vector_stores.list", "GET", "/v1/vector_stores"),
        _route("vector_stores.retrieve", "GET", _STORE),
        _route("vector_stores.modify", "POST", _STORE),
        _route("vector_stores.delete", "DELETE", _STORE),
        _route("vector_stores.search", "POST", f"{_STORE}/search"),
        _route("vector_stores.files.create", "POST", f"{_STORE}/files"),
        _route("vector_stores.files.list", "GET", f"{_STORE}/files"),
        _route("vector_stores.files.retrieve", "GET", f"{_STORE}/files/{{file_id}}"),
        _route("vector_stores.files.modify", "POST", f"{_STORE}/files/{{file_id}}"),
        _route("vector_stores.files.delete", "DELETE", f"{_STORE}/files/{{file_id}}"),
        _route("vector_stores.files.content", "GET", f"{_STORE}/files/{{file_id}}/content"),
        _route("vector_stores.file_batches.create", "POST", f"{_STORE}/file_batches"),
        _route("vector_stores.file_batches.retrieve", "GET", f"{_STORE}/file_batches/{{batch_id}}"),
        _route("vector_stores.file_batches.cancel", "POST", f"{_STORE}/file_batches/{{batch_id}}/cancel"),
        _route("vector_stores.file_batches.list_files", "GET", f"{_STORE}/file_batches/{{batch_id}}/files"),
    ),
    encode_error=encode_error,
    encode_stream_error=encode_stream_error,
    response_headers=OPENAI_HEADERS | {b"accept-ranges", b"content-disposition", b"content-range"},
    content_types={"json": "application/json"},
)
