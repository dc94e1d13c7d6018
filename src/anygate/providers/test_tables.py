import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import anygate.providers
from anygate.canonical.channel import Secret
from anygate.canonical.usage import Usage
from anygate.pricing.compile import compile_price
from anygate.pricing.lookup import find_price
from anygate.providers.auth import auth_header
from anygate.providers.registry import address, all_providers, target
from anygate.providers.speaking import speaks
from anygate.providers.table import COMMON_OPTIONS, DEFAULT_MEDIA_TOKENS, Auth, Endpoint, Provider
from anygate.routing.patterns import best_match, matches

FOLDERS = sorted(path.parent.name for path in Path(anygate.providers.__path__[0]).glob("*/provider.py"))
FIELD = re.compile(r"\{(\w+)(?::[^}]*)?\}")
EXAMPLE = "https://upstream.example"
NEEDED = {"project": "a-project", "region": "us-east-1"}
"""Options that have no default, as a channel would set them."""
SDK_ENDS = {
    "openai.chat": "/chat/completions",
    "openai.responses": "/responses",
    "openai.completions": "/completions",
    "anthropic.messages": "/v1/messages",
    "cohere.chat": "/v2/chat",
}
"""What the official SDK of each protocol adds to its base URL."""


@pytest.fixture(params=FOLDERS)
def table(request: pytest.FixtureRequest) -> Provider:
    """Each provider's table."""
    return all_providers()[request.param]


def endpoints(table: Provider) -> Iterator[Endpoint]:
    """Every endpoint whose address a channel alone makes, those chosen by an option too."""
    for endpoint in table.endpoints.values():
        if "_id}" in endpoint.path:  # of a thing that the request names
            continue
        yield endpoint
        yield from endpoint.by_option.values()


def test_the_registry_finds_every_folder():
    assert list(all_providers()) == FOLDERS


def test_the_providers_of_the_first_issue_are_there():
    assert {
        "openai", "deepseek", "xai", "moonshot", "zhipu", "dashscope", "volcengine", "mistral", "groq", "openrouter",
        "together", "siliconflow", "azure", "ollama", "vllm", "openai_compatible",
    } <= set(FOLDERS)  # fmt: skip


def test_the_slug_is_the_folders_name(table: Provider):
    assert table.slug in FOLDERS
    assert all_providers()[table.slug] is table


def test_a_table_names_its_page_and_the_day_it_was_read(table: Provider):
    assert re.fullmatch(r"https://\S+ \(20\d\d-\d\d-\d\d\)", table.reference)
    assert table.title


def test_a_base_url_is_an_origin_and_prefix_that_can_be_joined(table: Provider):
    assert not table.base_url.endswith("/")
    for endpoint in endpoints(table):
        joined = address(table, endpoint, "" if table.base_url else EXAMPLE, needed(table), "a-model")
        assert joined.target.startswith("/")
    assert all(fold.startswith("/") and not fold.endswith("/") for fold in table.folds)
    for endpoint in endpoints(table):
        assert all(end.startswith("/") and not end.endswith("/") for end in endpoint.replaces)
        if table.folds:
            assert endpoint.replaces or endpoint.path.startswith(table.folds[0] + "/")


def needed(table: Provider) -> dict[str, str]:
    """The options that a channel must set."""
    return {name: value for name, value in NEEDED.items() if name in table.options}


def test_the_options_that_addresses_name_are_declared(table: Provider):
    for endpoint in endpoints(table):
        parts = (endpoint.path, endpoint.query, endpoint.stream_path, endpoint.stream_query, table.base_url)
        assert set(FIELD.findall("".join(parts))) - {"model"} <= table.options.keys()
        for name, value in endpoint.by_option:
            assert value in table.options[name].choices
    assert {name for name, _ in table.base_urls} <= table.options.keys()
    assert not table.options.keys() & COMMON_OPTIONS.keys()


def test_an_options_default_is_of_its_kind_and_among_its_choices(table: Provider):
    for option in table.options.values():
        assert option.help
        if option.default is not None:
            assert isinstance(option.default, {"str": str, "bool": bool, "int": int}[option.kind])
            assert not option.choices or option.default in option.choices


def test_every_kind_of_credential_fills_its_header(table: Provider):
    for auth in ways(table):
        values = {name: Secret(f"secret-{name}") for name in auth.required}
        if auth.scheme != "header":
            with pytest.raises(ValueError, match="no header of its own"):
                auth_header(auth, values)
            continue
        header = auth_header(auth, values)
        assert header is not None
        name, value = header
        assert re.fullmatch(r"[A-Za-z-]+", name)
        assert all(secret.reveal() in value.reveal() for secret in values.values())


def test_a_signed_request_names_service_and_region(table: Provider):
    signed = [auth for auth in ways(table) if auth.scheme == "aws.sigv4"]
    assert all(auth.service and "region" in table.options for auth in signed)


def test_a_chat_operation_is_named_for_its_protocol(table: Provider):
    for operation, endpoint in table.endpoints.items():
        if operation.startswith("chat."):
            assert operation.removeprefix("chat.") == endpoint.protocol.rpartition(".")[2]
            assert "chat" in table.endpoints
    spoken = [endpoint.protocol for name, endpoint in table.endpoints.items() if name.partition(".")[0] == "chat"]
    assert len(spoken) == len(set(spoken))


def test_what_an_option_changes_serves_the_same_models(table: Provider):
    for endpoint in table.endpoints.values():
        for other in endpoint.by_option.values():
            assert (other.protocol, other.models, other.not_models) == (
                endpoint.protocol,
                endpoint.models,
                endpoint.not_models,
            )


def test_every_listed_model_is_served_and_no_rule_about_models_is_idle(table: Provider):
    served = dict.fromkeys(table.endpoints)
    names = [model.name for model in table.models]
    for name in names:
        assert any(speaks(table, operation, {}, (), name) for operation in served), name
    rules = {rule for endpoint in table.endpoints.values() for rule in (*endpoint.models, *endpoint.not_models)}
    if not table.wildcard_models:
        assert all(any(matches(rule, name) for name in names) for rule in rules - FOR_OTHERS), table.slug


FOR_OTHERS = {
    "qwen3-coder-plus*",
    "qwen3-coder-flash*",
    "gpt-5-search-api*",
    "o1-pro*",
    "o3-pro*",
    "gpt-5*-pro*",
    "codex-*",
    "*deep-research*",
    "computer-use*",
}
"""Rules for models that operators add; a default list need not hold them."""


def ways(table: Provider) -> list[Auth]:
    """Every way in which a credential is sent."""
    found = [table.auth]
    for endpoint in endpoints(table):
        found += [endpoint.auth] if endpoint.auth else []
        found += endpoint.by_credential.values()
    return found


def test_every_listed_model_is_priced_or_the_table_says_why_not(table: Provider):
    assert table.models or table.wildcard_models
    for model in table.models:
        if "*" in model.name:
            assert table.prices_as or model.price, model.name
            continue
        price = find_price(model.name, model.name, {}, table)
        assert price is not None, model.name
        assert price.source, model.name
        cost = compile_price(price).cost(Usage(input=1_000_000, output=1_000_000))
        assert cost > 0 or price.free, model.name


def test_models_are_listed_once_and_their_limits_are_plausible(table: Provider):
    names = [model.name for model in table.models]
    assert len(names) == len(set(names))
    assert all(0 <= model.max_output <= 2_000_000 for model in table.models)
    assert all(best_match(names, name) == name for name in names)


def test_limits_and_media_can_be_held(table: Provider):
    assert table.limit_field in {"max_tokens", "max_completion_tokens"}
    assert table.media_tokens.keys() >= DEFAULT_MEDIA_TOKENS.keys()
    assert all(tokens > 0 for tokens in table.media_tokens.values())


def test_a_pasted_sdk_base_url_reaches_the_documented_path_in_every_protocol(table: Provider):
    options = needed(table)
    for endpoint in table.endpoints.values():
        sdk_end = SDK_ENDS.get(endpoint.protocol, "?")
        if not endpoint.path.endswith(sdk_end) or "{" in endpoint.path:
            continue
        base = endpoint.path.removesuffix(sdk_end)
        for operation, other in table.endpoints.items():
            if "_id}" in other.path:
                continue
            plain = target(table, operation, EXAMPLE, options, "m")
            for end in (base, base + "/", ""):
                assert target(table, operation, EXAMPLE + end, options, "m") == plain, (operation, end)
