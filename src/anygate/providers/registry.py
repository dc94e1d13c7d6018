"""All providers' tables, discovered by looking at the folders, and questions to one table."""

from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache, lru_cache
from importlib import import_module
from pkgutil import iter_modules
from types import MappingProxyType
from typing import Any

import anygate.providers
from anygate.providers.table import COMMON_OPTIONS, Endpoint, Model, Provider
from anygate.providers.urls import Target, fill_host, join, without_end
from anygate.routing.patterns import best_match


@cache
def all_providers() -> Mapping[str, Provider]:
    """Slug -> table, in the order of slugs: every folder here that holds a `provider.py`."""
    tables: dict[str, Provider] = {}
    for module in sorted(iter_modules(anygate.providers.__path__), key=lambda module: module.name):
        if module.ispkg:
            table: Provider = import_module(f"anygate.providers.{module.name}.provider").PROVIDER
            tables[table.slug] = table
    return MappingProxyType(tables)


def provider(slug: str) -> Provider:
    """The table of a provider.

    Raises:
        KeyError: there is none; the message names the nearest.
    """
    tables = all_providers()
    if slug not in tables:
        near = get_close_matches(slug, tables, 1)
        raise KeyError(f"unknown provider {slug!r}" + (f": did you mean {near[0]!r}?" if near else ""))
    return tables[slug]


def endpoint(table: Provider, operation: str, options: Mapping[str, Any]) -> Endpoint | None:
    """How the provider serves an operation on a channel with these options; None: it does not."""
    found = table.endpoints.get(operation)
    if found is None:
        return None
    for (name, value), other in found.by_option.items():
        if option_value(table, name, options) == value:
            return other
    return found


def model(table: Provider, upstream_model: str) -> Model | None:
    """The table's row for a model: its own, else that of the longest wildcard."""
    named = best_match((row.name for row in table.models), upstream_model)
    return next((row for row in table.models if row.name == named), None)


def option_value(table: Provider, name: str, options: Mapping[str, Any]) -> Any:
    """The value of an option on a channel: as set there, else the table's default (None where it has none)."""
    if name in options:
        return options[name]
    declared = table.options.get(name) or COMMON_OPTIONS.get(name)
    return declared.default if declared else None


def takes_stream_usage(table: Provider, options: Mapping[str, Any]) -> bool:
    """May the gateway add `stream_options.include_usage` on this channel?"""
    chosen = option_value(table, "stream_usage", options)
    return table.usage_stream_options if chosen is None else bool(chosen)


def maker(table: Provider, found: Endpoint) -> str:
    """Whose signatures over thoughts an endpoint's models make and take."""
    return found.maker or table.maker or table.slug


def base_url(table: Provider, options: Mapping[str, Any]) -> str:
    """The table's own base URL for a channel with these options; "" where the channel must name one.

    Raises:
        ValueError: an option that the base URL names is not set, or cannot stand in a host name.
    """
    for (name, value), other in table.base_urls.items():
        if option_value(table, name, options) == value:
            return other
    if "{" not in table.base_url:
        return table.base_url
    return fill_host(table.base_url, {name: option_value(table, name, options) for name in table.options})


def target(
    table: Provider,
    operation: str,
    base_url: str,
    options: Mapping[str, Any],
    upstream_model: str,
    *,
    stream: bool = False,
) -> Target:
    """Where a channel's request for an operation goes; kept for the same arguments.

    Args:
        table: the channel's provider.
        operation: one that the provider serves.
        base_url: the channel's; empty: the table's.
        options: the channel's.
        upstream_model: the name after `model_map`.
        stream: a streamed answer is asked for.

    Raises:
        ValueError: the base URL or an option cannot be used, or there is no base URL.
        LookupError: the provider does not serve the operation.
    """
    found = endpoint(table, operation, options)
    if found is None:
        raise LookupError(f"{table.slug} does not serve {operation}")
    return address(table, found, base_url, options, upstream_model, stream=stream)


def address(
    table: Provider,
    found: Endpoint,
    declared: str,
    options: Mapping[str, Any],
    upstream_model: str,
    *,
    stream: bool = False,
) -> Target:
    """As `target`, where the endpoint is known already; `declared` is the channel's base URL.

    Raises:
        ValueError: the base URL or an option cannot be used, or there is no base URL.
    """
    origin = declared or base_url(table, options)
    if not origin:
        raise ValueError("the channel needs a base_url")
    path = (stream and found.stream_path) or found.path
    query = (stream and found.stream_query) or found.query
    values = tuple((name, option_value(table, name, options)) for name in table.options)
    named = upstream_model if "{model}" in path or "{model}" in query else ""
    return _joined(without_end(origin, found.replaces), table.folds, path, query, values, named)


@lru_cache(maxsize=4096)
def _joined(
    base_url: str, folds: tuple[str, ...], path: str, query: str, values: tuple[tuple[str, Any], ...], named: str
) -> Target:
    return join(base_url, folds, path, dict(values), named, query)
