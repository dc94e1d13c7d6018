"""The one place that catches everything: a defect of ours costs one request, never the process."""

from collections.abc import Awaitable, Callable
from typing import Any, ParamSpec

P = ParamSpec("P")

Failed = Callable[[Exception], Any]
"""Told of whatever was raised."""


def guarded(failed: Failed, step: Callable[P, Any], *args: P.args, **kwargs: P.kwargs) -> None:
    """Take a step of a request."""
    try:
        step(*args, **kwargs)
    except Exception as error:  # noqa: BLE001 - it is told, and becomes an answer
        failed(error)


async def awaited(failed: Failed, rest: Awaitable[None]) -> None:
    """Wait for the rest of it."""
    try:
        await rest
    except Exception as error:  # noqa: BLE001 - it is told, and becomes an answer
        failed(error)
