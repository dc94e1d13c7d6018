"""What the edge uses of uvicorn, name by name: a release that loses or adds one is noticed here, not in production."""

import ast
import inspect
import re
from importlib.metadata import requires, version
from types import ModuleType

from uvicorn.config import Config
from uvicorn.protocols.http import flow_control, httptools_impl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

import anygate.edge.connection
import anygate.edge.protocol
from anygate.edge.connection import Connection
from anygate.edge.exchange import RelayExchange
from anygate.edge.protocol import RelayProtocol

OVERRIDDEN = {
    "__init__",
    "connection_made",
    "connection_lost",
    "data_received",
    "pause_writing",
    "resume_writing",
    "on_message_begin",
    "on_header",
    "on_headers_complete",
    "on_body",
    "on_message_complete",
    "on_response_complete",
    "_start_asgi_task",
}
"""Methods of uvicorn's class that ours replaces or extends."""

USED = {
    "app",
    "app_state",
    "client",
    "config",
    "connections",
    "cycle",
    "expect_100_continue",
    "flow",
    "headers",
    "loop",
    "parser",
    "pipeline",
    "server_state",
    "timeout_keep_alive",
    "transport",
    "url",
    "ws_protocol_class",
}
"""Attributes that uvicorn sets and we read or set."""

INHERITED = {
    "_get_upgrade",
    "_should_upgrade",
    "_should_upgrade_to_ws",
    "_unset_keepalive_if_required",
    "_unsupported_upgrade_warning",
    "eof_received",
    "handle_websocket_upgrade",
    "on_url",
    "send_400_response",
    "shutdown",
    "timeout_keep_alive_handler",
}
"""Methods of uvicorn's class that stay as they are. A new one may be called where we do not expect it."""

OF_A_CYCLE = {"body", "disconnected", "keep_alive", "message_event", "more_body", "response_complete"}
"""What uvicorn's protocol reads and sets of whatever is in `cycle` and `pipeline`; `run_asgi` only of its own."""


def test_uvicorn_is_pinned_to_the_minor_version_that_this_was_written_for():
    assert version("uvicorn").startswith("0.54.")
    (pin,) = [line for line in requires("anygate") or () if re.match(r"uvicorn\b", line)]
    assert set(re.split(r"[,;\s]+", pin.removeprefix("uvicorn"))) == {">=0.54.0", "<0.55"}


def test_uvicorns_protocol_has_the_methods_that_ours_knows():
    theirs = {name for name, value in vars(HttpToolsProtocol).items() if inspect.isfunction(value)}
    assert theirs == OVERRIDDEN | INHERITED


def test_ours_replaces_what_the_list_says():
    ours = {
        name for kind in (Connection, RelayProtocol) for name, value in vars(kind).items() if inspect.isfunction(value)
    }
    assert ours & (OVERRIDDEN | INHERITED) == OVERRIDDEN


def test_the_signatures_are_those_that_ours_repeats():
    for name in OVERRIDDEN - {"_start_asgi_task"}:
        theirs = inspect.signature(getattr(HttpToolsProtocol, name)).parameters
        assert list(inspect.signature(getattr(RelayProtocol, name)).parameters) == list(theirs), name


def test_ours_uses_of_uvicorns_protocol_what_the_list_says():
    set_by_uvicorn = attributes_of("self", httptools_impl, HttpToolsProtocol.__name__)
    ours = attributes_of("self", anygate.edge.connection, Connection.__name__)
    ours |= attributes_of("self", anygate.edge.protocol, RelayProtocol.__name__)
    assert ours & set_by_uvicorn - OVERRIDDEN - INHERITED == USED


def test_an_exchange_has_what_uvicorns_protocol_asks_of_a_cycle():
    source = ast.parse(inspect.getsource(HttpToolsProtocol))
    asked = {
        node.attr
        for node in ast.walk(source)
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("self.cycle", "cycle", "existing_cycle")
    }
    assert asked == OF_A_CYCLE | {"run_asgi"}
    assert set(dir(RelayExchange)) >= OF_A_CYCLE


def test_a_cycle_of_uvicorn_has_what_ours_asks_of_it():
    asked = {"disconnected", "keep_alive", "message_event", "response_complete", "response_started"}
    assert asked <= attributes_of("self", httptools_impl, RequestResponseCycle.__name__)


def test_flow_control_and_server_state_have_what_ours_asks_of_them():
    assert {"read_paused", "write_paused"} <= attributes_of("self", flow_control, "FlowControl")
    assert {"resume_reading", "pause_reading", "pause_writing", "resume_writing"} <= set(vars(flow_control.FlowControl))
    assert {"default_headers", "total_requests", "connections", "tasks"} <= set(vars(ServerState()))


def test_the_server_makes_connections_as_ours_expects():
    assert list(inspect.signature(HttpToolsProtocol).parameters) == ["config", "server_state", "app_state", "_loop"]
    assert {"http", "ws", "timeout_keep_alive", "timeout_graceful_shutdown"} <= set(
        inspect.signature(Config).parameters
    )


def attributes_of(name: str, module: ModuleType, class_name: str) -> set[str]:
    """Every `name.attribute` in the source of a class."""
    (found,) = [
        node
        for node in ast.parse(inspect.getsource(module)).body
        if isinstance(node, ast.ClassDef) and node.name == class_name
    ]
    return {
        node.attr
        for node in ast.walk(found)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == name
    }
