"""Vercel AI Gateway. References as of 2026-11-22: https://vercel.com/docs/ai-gateway/sdks-and-apis/openai-chat-completions
(path, `stream_options`; beside it
openai-responses and anthropic-messages-api) and https://vercel.com/docs/ai-gateway/pricing (2026-09-13: the makers' list prices without a
markup). The prices below are those list prices in USD; tiers as the makers publish them.
"""

from decimal import Decimal

from anygate.canonical.price import Price, Tier
from anygate.providers.table import Endpoint, Model, Provider

_SOURCE = "makers' list prices, https://vercel.com/docs/ai-gateway/pricing (2026-11-22)"


def _price(*tiers: Tier, **rates: str) -> Price:
    return Price(_rates(**rates), tiers=tiers, source=_SOURCE)


def _rates(**rates: str) -> dict[str, Decimal]:
    return {name: Decimal(usd) for name, usd in rates.items()}


_CLAUDE_LONG = Tier(200_000, _rates(input="6", output="22.5", cached_input="0.6", cache_write_5m="7.5"))
_GEMINI_25_LONG = Tier(200_000, _rates(input="2.5", output="15", cached_input="0.25"))
_GEMINI_3_LONG = Tier(200_000, _rates(input="4", output="18", cached_input="0.4"))

_FALLBACKS = ("models", "providerOptions.gateway.models")

PROVIDER = Provider(
    slug="vercel_gateway",
    title="Vercel AI Gateway",
    base_url="https://ai-gateway.vercel.sh",
    reference="https://vercel.com/docs/ai-gateway/sdks-and-apis/openai-chat-completions (2026-11-22)",
    endpoints={
        "chat": Endpoint("openai.chat", "POST", "/v1/chat/completions", other_models=_FALLBACKS),
        "chat.responses": Endpoint("openai.responses", "POST", "/v1/responses", other_models=_FALLBACKS),
        "chat.messages": Endpoint(
            "anthropic.messages",
            "POST",
            "/v1/messages",
            headers={"anthropic-version": "2023-06-01"},
            other_models=_FALLBACKS,
        ),
    },
    traits=frozenset({"reasoning_object", "cache_control"}),
    models=(
        Model("openai/gpt-5", 128_000, _price(input="1.25", output="10", cached_input="0.125")),
        Model("openai/gpt-5-mini", 128_000, _price(input="0.25", output="2", cached_input="0.025")),
        Model("openai/gpt-5-nano", 128_000, _price(input="0.05", output="0.4", cached_input="0.005")),
        Model("openai/gpt-4.1", 32_768, _price(input="2", output="8", cached_input="0.5")),
        Model("openai/gpt-4.1-mini", 32_768, _price(input="0.4", output="1.6", cached_input="0.1")),
        Model("openai/gpt-4.1-nano", 32_768, _price(input="0.1", output="0.4", cached_input="0.025")),
        Model("openai/gpt-4o", 16_384, _price(input="2.5", output="10", cached_input="1.25")),
        Model("openai/gpt-4o-mini", 16_384, _price(input="0.15", output="0.6", cached_input="0.075")),
        Model("openai/o3", 100_000, _price(input="2", output="8", cached_input="0.5")),
        Model("openai/o4-mini", 100_000, _price(input="1.1", output="4.4", cached_input="0.275")),
        Model(
            "anthropic/claude-opus-4.5",
            64_000,
            _price(input="5", output="25", cached_input="0.5", cache_write_5m="6.25", cache_write_1h="10"),
        ),
        Model(
            "anthropic/claude-sonnet-4.5",
            64_000,
            _price(_CLAUDE_LONG, input="3", output="15", cached_input="0.3", cache_write_5m="3.75", cache_write_1h="6"),
        ),
        Model(
            "anthropic/claude-sonnet-4",
            64_000,
            _price(_CLAUDE_LONG, input="3", output="15", cached_input="0.3", cache_write_5m="3.75", cache_write_1h="6"),
        ),
        Model(
            "anthropic/claude-haiku-4.5",
            64_000,
            _price(input="1", output="5", cached_input="0.1", cache_write_5m="1.25", cache_write_1h="2"),
        ),
        Model(
            "google/gemini-3-pro-preview",
            65_536,
            _price(_GEMINI_3_LONG, input="2", output="12", cached_input="0.2"),
        ),
        Model(
            "google/gemini-2.5-pro",
            65_536,
            _price(_GEMINI_25_LONG, input="1.25", output="10", cached_input="0.125"),
        ),
        Model(
            "google/gemini-2.5-flash",
            65_536,
            _price(input="0.3", output="2.5", cached_input="0.03", audio_input="1"),
        ),
        Model(
            "google/gemini-2.5-flash-lite",
            65_536,
            _price(input="0.1", output="0.4", cached_input="0.01", audio_input="0.3"),
        ),
        Model("xai/grok-4", 0, _price(input="3", output="15", cached_input="0.75")),
        Model("xai/grok-code-fast-1", 0, _price(input="0.2", output="1.5", cached_input="0.02")),
    ),
)
