"""xAI. References as of 2026-11-22: https://docs.x.ai/docs/api-reference#chat-completions (path, `stream_options`) and
https://docs.x.ai/docs/models, https://docs.x.ai/developers/model-capabilities/text/comparison (Responses),
https://docs.x.ai/docs/guides/live-search (gone from Chat Completions, which answers 410) and
https://docs.x.ai/docs/guides/tools/search-tools (the tools of Responses in its place). No output limit is published; those
of newer models are their context's. Usage excludes reasoning tokens from `completion_tokens` on some models: the protocol
reads `total_tokens`. Prices: genai-prices; of searches: https://docs.x.ai/developers/pricing.
"""

from decimal import Decimal

from anygate.providers.table import Endpoint, Model, Provider

PROVIDER = Provider(
    slug="xai",
    title="xAI",
    base_url="https://api.x.ai",
    reference="https://docs.x.ai/docs/api-reference#chat-completions (2026-11-22)",
    endpoints={
        "chat": Endpoint(
            "openai.chat", "POST", "/v1/chat/completions", refuses=("search_parameters", "web_search_options")
        ),
        "chat.responses": Endpoint("openai.responses", "POST", "/v1/responses"),
    },
    traits=frozenset({"excluded_domains"}),
    prices_as="x-ai",
    also_asks=(("search", Decimal("0.005")),),
    models=(
        Model("grok-4.7"),
        Model("grok-4.6"),
        Model("grok-4.5"),
        Model("grok-4.3"),
        Model("grok-4.20"),
        Model("grok-4-1-fast-reasoning"),
        Model("grok-4-1-fast-non-reasoning"),
        Model("grok-4-fast"),
        Model("grok-4-fast-reasoning"),
        Model("grok-4-fast-non-reasoning"),
        Model("grok-4"),
        Model("grok-4-0709"),
        Model("grok-code-fast-1"),
        Model("grok-3"),
        Model("grok-3-mini"),
    ),
)
