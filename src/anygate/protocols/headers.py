"""Headers that several protocols have in common: those of an answer that reach a client, and those of a refusal."""

from anygate.canonical.errors import GatewayError

COMMON_HEADERS = frozenset(
    {
        b"content-type",
        b"content-encoding",
        b"content-language",
        b"cache-control",
        b"retry-after",
        b"retry-after-ms",
        b"x-should-retry",
    }
)
"""No cookies, no ids of the operator's organisation, no limits of its account."""

OPENAI_HEADERS = COMMON_HEADERS | {b"openai-processing-ms", b"openai-version"}


def error_headers(error: GatewayError) -> list[tuple[bytes, bytes]]:
    """A refusal's type, when to come again, and whether that is worth it."""
    headers = [(b"content-type", b"application/json")]
    if error.retry_after is not None:
        headers.append((b"retry-after", b"%d" % error.retry_after))
    if error.retry is not None:
        headers.append((b"x-should-retry", b"true" if error.retry else b"false"))
    return headers
