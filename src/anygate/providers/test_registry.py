import pytest

from anygate.providers.registry import (
    all_providers,
    endpoint,
    maker,
    model,
    option_value,
    provider,
    takes_stream_usage,
    target,
)
from anygate.providers.table import Model, Option, Provider

AURORA = Provider(
    slug="aurora",
    title="Aurora",
    base_url="https://api.aurora.example",
    reference="https://docs.aurora.example (2026-11-22)",
    models=(Model("aurora-2", 100), Model("aurora-*", 50), Model("*", 7)),
    options={"region": Option("str", "eu", ("eu", "us")), "tries": Option("int", 3)},
)


def test_an_unknown_provider_is_answered_with_the_nearest():
    with pytest.raises(KeyError, match="did you mean 'openai'"):
        provider("opnai")
    with pytest.raises(KeyError, match="unknown provider 'zzzz'"):
        provider("zzzz")


def test_tables_cannot_be_replaced_at_run_time():
    with pytest.raises(TypeError):
        all_providers()["openai"] = AURORA  # pyright: ignore[reportIndexIssue] -- that is the point


def test_a_models_row_is_its_own_or_that_of_the_longest_wildcard():
    assert model(AURORA, "aurora-2") == Model("aurora-2", 100)
    assert model(AURORA, "aurora-3") == Model("aurora-*", 50)
    assert model(AURORA, "borealis") == Model("*", 7)
    assert model(provider("vllm"), "borealis") is None


def test_an_option_chooses_the_endpoint():
    azure = provider("azure")
    paths = [getattr(endpoint(azure, "chat", options), "path", None) for options in ({}, {"api": "v1"})]
    assert paths == ["/openai/deployments/{model}/chat/completions", "/openai/v1/chat/completions"]
    assert endpoint(azure, "video.create", {}) is None
    with pytest.raises(LookupError, match=r"azure does not serve video\.create"):
        target(azure, "video.create", "https://x.example", {}, "m")


def test_a_channel_overrides_what_the_table_says_of_stream_usage():
    assert takes_stream_usage(provider("openai"), {})
    assert not takes_stream_usage(provider("openai"), {"stream_usage": False})
    assert not takes_stream_usage(provider("mistral"), {})
    assert takes_stream_usage(provider("mistral"), {"stream_usage": True})
    assert option_value(AURORA, "region", {}) == "eu"


def test_a_channel_without_a_base_url_takes_the_tables_or_is_told_to_name_one():
    assert target(provider("openai"), "chat", "", {}, "m").host == "api.openai.com"
    with pytest.raises(ValueError, match="needs a base_url"):
        target(provider("azure"), "chat", "", {}, "m")


@pytest.mark.parametrize(
    ("location", "host"),
    [
        ("global", "aiplatform.googleapis.com"),
        ("europe-west1", "europe-west1-aiplatform.googleapis.com"),
        ("eu", "aiplatform.eu.rep.googleapis.com"),
    ],
)
def test_the_location_chooses_the_host(location: str, host: str):
    options = {"project": "p", "location": location}
    found = target(provider("vertex"), "chat", "", options, "gemini-2.5-pro")
    assert found.host == host
    path = f"/v1/projects/p/locations/{location}/publishers/google/models/gemini-2.5-pro"
    assert found.target == f"{path}:generateContent"
    stream = target(provider("vertex"), "chat", "", options, "gemini-2.5-pro", stream=True)
    assert stream.target == f"{path}:streamGenerateContent?alt=sse"
    declared = target(provider("vertex"), "chat", "http://127.0.0.1:9/x", options, "gemini-2.5-pro")
    assert (declared.authority, declared.target) == ("127.0.0.1:9", f"/x{path}:generateContent")


def test_an_option_that_the_host_names_must_be_set_and_be_part_of_a_host():
    bedrock = provider("bedrock")
    with pytest.raises(ValueError, match="needs the option 'region'"):
        target(bedrock, "chat", "", {}, "m")
    for region in ("evil.example/", "us-east-1.evil", "-", "US", "a@b", "us east"):
        with pytest.raises(ValueError, match="letters, digits and hyphens"):
            target(bedrock, "chat", "", {"region": region}, "m")
    found = target(
        bedrock, "chat", "", {"region": "us-east-1"}, "us.anthropic.claude-haiku-4-5-20251001-v1:0", stream=True
    )
    assert found.host == "bedrock-runtime.us-east-1.amazonaws.com"
    assert found.target == "/model/us.anthropic.claude-haiku-4-5-20251001-v1%3A0/invoke-with-response-stream"


def test_a_stream_goes_to_the_same_place_where_the_table_names_no_other():
    for stream in (False, True):
        assert target(provider("openai"), "chat.responses", "", {}, "m", stream=stream).target == "/v1/responses"


def test_signatures_belong_to_the_maker_of_the_model():
    vertex = provider("vertex")
    assert maker(vertex, vertex.endpoints["chat"]) == "google"
    assert maker(vertex, vertex.endpoints["chat.messages"]) == "anthropic"
    assert maker(provider("bedrock"), provider("bedrock").endpoints["chat"]) == "anthropic"
    assert maker(provider("openai"), provider("openai").endpoints["chat"]) == "openai"
