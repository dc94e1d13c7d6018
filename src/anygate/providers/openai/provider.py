"""OpenAI. References as of 2026-11-22:
https://platform.openai.com/docs/api-reference/chat (path, `stream_options`, `max_completion_tokens`),
https://platform.openai.com/docs/api-reference/responses, https://platform.openai.com/docs/api-reference/completions and
https://platform.openai.com/docs/models (output limits, and which models speak but one of the three).
Prices: genai-prices, but for models that search in Chat Completions.
"""

from decimal import Decimal

from anygate.canonical.price import Price
from anygate.providers.openai.resources import RESOURCES
from anygate.providers.table import Endpoint, Model, Provider

_RESPONSES_ONLY = (
    "o1-pro*",
    "o3-pro*",
    "gpt-5-pro*",
    "gpt-5.*-pro*",
    "*-codex*",
    "codex-*",
    "*deep-research*",
    "computer-use*",
)
_CHAT_ONLY = ("gpt-4o*-search-preview*", "gpt-5-search-api*", "gpt-4o*-audio-preview*", "gpt-audio*")
_COMPLETIONS_ONLY = ("gpt-3.5-turbo-instruct*", "davinci-002", "babbage-002")


def _searching(given: str, made: str, request: str, **others: str) -> Price:
    """Of a model that searches for each answer, which tells nothing of it: the fee is a request's."""
    texts = {"input": given, "output": made, "request": request, **others}
    rates = {name: Decimal(text) for name, text in texts.items()}
    return Price(rates, source="https://platform.openai.com/docs/pricing (2026-11-22)")


PROVIDER = Provider(
    slug="openai",
    title="OpenAI",
    base_url="https://api.openai.com",
    reference="https://platform.openai.com/docs/api-reference/chat (2026-11-22)",
    endpoints={
        "chat": Endpoint(
            "openai.chat", "POST", "/v1/chat/completions", not_models=(*_RESPONSES_ONLY, *_COMPLETIONS_ONLY)
        ),
        "chat.responses": Endpoint(
            "openai.responses", "POST", "/v1/responses", not_models=(*_CHAT_ONLY, *_COMPLETIONS_ONLY)
        ),
        "completions": Endpoint("openai.completions", "POST", "/v1/completions", models=_COMPLETIONS_ONLY),
        **RESOURCES,
    },
    traits=frozenset({"developer_role", "openai_models"}),
    limit_field="max_completion_tokens",
    prices_as="openai",
    models=(
        Model("gpt-6.1-sol"),
        Model("gpt-6.1-terra"),
        Model("gpt-6-astra"),
        Model("gpt-6-sol"),
        Model("gpt-6-luna"),
        Model("gpt-5.6-sol"),
        Model("gpt-5.6-terra"),
        Model("gpt-5.6-luna"),
        Model("gpt-5.5", 128_000),
        Model("gpt-5.5-pro", 128_000),
        Model("gpt-5.4-pro", 128_000),
        Model("gpt-5.3-codex", 128_000),
        Model("gpt-5.2-codex", 128_000),
        Model("gpt-5.2-pro", 128_000),
        Model("gpt-5.1-codex", 128_000),
        Model("gpt-5.1-codex-max", 128_000),
        Model("gpt-5.1-codex-mini", 128_000),
        Model("gpt-5-codex", 128_000),
        Model("gpt-5-pro", 272_000),
        Model("gpt-5.4", 128_000),
        Model("gpt-5.4-mini", 128_000),
        Model("gpt-5.4-nano", 128_000),
        Model("gpt-5.2", 128_000),
        Model("gpt-5.1", 128_000),
        Model("gpt-5", 128_000),
        Model("gpt-5-2025-08-07", 128_000),
        Model("gpt-5-mini", 128_000),
        Model("gpt-5-mini-2025-08-07", 128_000),
        Model("gpt-5-nano", 128_000),
        Model("gpt-5-nano-2025-08-07", 128_000),
        Model("gpt-5-chat-latest", 16_384),
        Model("gpt-4.1", 32_768),
        Model("gpt-4.1-2025-04-14", 32_768),
        Model("gpt-4.1-mini", 32_768),
        Model("gpt-4.1-mini-2025-04-14", 32_768),
        Model("gpt-4.1-nano", 32_768),
        Model("gpt-4.1-nano-2025-04-14", 32_768),
        Model("gpt-4o", 16_384),
        Model("gpt-4o-2024-11-20", 16_384),
        Model("gpt-4o-2024-08-06", 16_384),
        Model("gpt-4o-2024-05-13", 4_096),
        Model("gpt-4o-mini", 16_384),
        Model("gpt-4o-mini-2024-07-18", 16_384),
        Model("chatgpt-4o-latest", 16_384),
        Model("gpt-4o-search-preview", 16_384, _searching("2.5", "10", "0.025")),
        Model("gpt-4o-mini-search-preview", 16_384, _searching("0.15", "0.6", "0.025")),
        Model("gpt-4o-search-preview-*", 16_384, _searching("2.5", "10", "0.025")),
        Model("gpt-4o-mini-search-preview-*", 16_384, _searching("0.15", "0.6", "0.025")),
        Model("gpt-5-search-api*", 128_000, _searching("1.25", "10", "0.01", cached_input="0.125")),
        Model("gpt-4o-audio-preview", 16_384),
        Model("gpt-4o-mini-audio-preview", 16_384),
        Model("gpt-audio", 16_384),
        Model("gpt-audio-mini", 16_384),
        Model("o4-mini", 100_000),
        Model("o4-mini-2025-04-16", 100_000),
        Model("o3", 100_000),
        Model("o3-2025-04-16", 100_000),
        Model("o3-mini", 100_000),
        Model("o3-pro", 100_000),
        Model("o1-pro", 100_000),
        Model("o3-deep-research", 100_000),
        Model("o4-mini-deep-research", 100_000),
        Model("computer-use-preview", 1_024),
        Model("codex-mini-latest", 100_000),
        Model("o1", 100_000),
        Model("gpt-4-turbo", 4_096),
        Model("gpt-4", 8_192),
        Model("gpt-3.5-turbo", 4_096),
        Model("gpt-3.5-turbo-instruct", 4_096),
        Model("davinci-002", 16_384),
        Model("babbage-002", 16_384),
    ),
)
