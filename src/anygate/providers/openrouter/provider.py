"""OpenRouter. References as of 2026-11-22: https://openrouter.ai/docs/api/api-reference/chat (path, `stream_options`),
https://openrouter.ai/docs/api/reference/responses/overview, https://openrouter.ai/docs/api/api-reference/anthropic-messages
and https://openrouter.ai/models. The default list is the makers' prefixes: any of their models is passed on and sold where it
has a price. Prices: genai-prices.
"""

from anygate.providers.table import Endpoint, Model, Provider

_FALLBACKS = ("models", "fallbacks")  # https://openrouter.ai/docs/guides/routing/model-fallbacks

PROVIDER = Provider(
    slug="openrouter",
    title="OpenRouter",
    base_url="https://openrouter.ai",
    reference="https://openrouter.ai/docs/api/api-reference/chat (2026-11-22)",
    endpoints={
        "chat": Endpoint("openai.chat", "POST", "/api/v1/chat/completions", other_models=_FALLBACKS),
        "chat.responses": Endpoint("openai.responses", "POST", "/api/v1/responses", other_models=_FALLBACKS),
        "chat.messages": Endpoint(
            "anthropic.messages",
            "POST",
            "/api/v1/messages",
            headers={"anthropic-version": "2023-06-01"},
            other_models=_FALLBACKS,
        ),
        "completions": Endpoint("openai.completions", "POST", "/api/v1/completions", other_models=_FALLBACKS),
    },
    traits=frozenset({"reasoning_object", "cache_control", "tool_images", "top_k", "video_url", "web_plugin"}),
    prices_as="openrouter",
    models=(
        Model("openai/*"),
        Model("anthropic/*"),
        Model("google/*"),
        Model("x-ai/*"),
        Model("meta-llama/*"),
        Model("mistralai/*"),
        Model("deepseek/*"),
        Model("qwen/*"),
        Model("z-ai/*"),
        Model("moonshotai/*"),
        Model("minimax/*"),
        Model("nvidia/*"),
        Model("amazon/*"),
        Model("cohere/*"),
        Model("microsoft/*"),
        Model("nousresearch/*"),
        Model("perplexity/*"),
        Model("xiaomi/*"),
    ),
)
