"""All that the sandbox says in OpenAI's Responses, files and vector stores satisfies the official document."""

import base64
import json
from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from anygate.providers.table import Endpoint, Provider
from anygate.sandbox.faults import faults_asked, refusal_of
from anygate.sandbox.openai_files import SPEAKER as FILES
from anygate.sandbox.openai_responses import SPEAKER
from anygate.sandbox.openai_vector_stores import SPEAKER as STORES
from anygate.sandbox.refusal import Refused
from anygate.sandbox.responses_request import check_request
from anygate.sandbox.speaker import Ask, Memory
from tests.specs.answers import body_of
from tests.specs.documents import shared_file
from tests.specs.openai import validate_error
from tests.specs.responses import response_events, validate_event, validate_openai, validate_response

OPENAI = Provider(
    "openai", "OpenAI", "", "", endpoints={"chat": Endpoint("openai.responses", "POST", "/v1/responses")},
    traits=frozenset({"openai_models"}),
)  # fmt: skip
NOW = 1_790_000_000
CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
WEATHER = {"type": "function", "name": "get_weather", "parameters": CITY, "strict": True}
CLOCK = {"type": "function", "name": "get_time", "parameters": CITY, "strict": False}
NOTE = {"type": "custom", "name": "note"}
PNG = "data:image/png;base64,iVBORw0KGgo="
ENCRYPTED = ["reasoning.encrypted_content"]


def user(*parts: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"type": "input_text", "text": "Look"}, *parts]}]


REQUESTS: dict[str, dict[str, Any]] = {
    "text": {},
    "items": {"input": [{"role": "developer", "content": "Be terse."}, {"role": "user", "content": "Grüße, 世界"}]},
    "history": {
        "input": [
            {"role": "user", "content": "One"},
            {"type": "message", "role": "assistant", "id": "msg_x", "status": "completed",
             "content": [{"type": "output_text", "text": "Two", "annotations": [], "logprobs": []}]},
            {"role": "user", "content": "Three"},
        ]
    },
    "instructions": {"instructions": "Be terse.", "metadata": {"a": "b"}, "user": "u", "service_tier": "flex"},
    "limit": {"input": "A rather long text that is cut somewhere in the middle of its words, or so it is hoped by all "
              "who read it", "max_output_tokens": 16},
    "one function": {"input": "Weather in Paris?", "tools": [WEATHER, CLOCK]},
    "two functions": {"input": "get_weather and get_time in Rome", "tools": [WEATHER, CLOCK]},
    "not in parallel": {"input": "get_weather and get_time", "tools": [WEATHER, CLOCK], "parallel_tool_calls": False},
    "a named function": {"tools": [WEATHER, CLOCK], "tool_choice": {"type": "function", "name": "get_time"}},
    "allowed functions": {
        "tools": [WEATHER, CLOCK],
        "tool_choice": {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "get_time"}]},
    },
    "no function": {"tools": [WEATHER], "tool_choice": "none"},
    "custom tool": {"tools": [NOTE], "tool_choice": "required"},
    "output": {
        "input": [
            {"role": "user", "content": "Weather in Paris?"},
            {"type": "function_call", "call_id": "c1", "name": "get_weather", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1", "output": "18C"},
        ],
        "tools": [WEATHER],
    },
    "reasoner": {"model": "gpt-5", "reasoning": {"effort": "high", "summary": "auto"}},
    "encrypted": {"model": "o4-mini", "include": ENCRYPTED, "store": False},
    "reasoner with functions": {"model": "gpt-5", "tools": [WEATHER], "include": ENCRYPTED},
    "cut reasoner": {"model": "gpt-5", "max_output_tokens": 16},
    "schema": {"text": {"format": {"type": "json_schema", "name": "c", "schema": CITY, "strict": True}}},
    "json": {"input": "As JSON", "text": {"format": {"type": "json_object"}, "verbosity": "low"}},
    "logprobs": {"include": ["message.output_text.logprobs"], "top_logprobs": 2},
    "web search": {"tools": [{"type": "web_search"}], "include": ["web_search_call.action.sources"]},
    "picture": {"input": "A cat", "tools": [{"type": "image_generation", "size": "1536x1024", "partial_images": 2}]},
    "image": {"input": user({"type": "input_image", "image_url": PNG, "detail": "low"})},
    "file": {"input": user({"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="})},
    "refusal": {"input": "sandbox: refuse this"},
    "filter": {"input": "sandbox: filter this"},
    "words": {"model": "sandbox-words-30"},
    "empty": {"model": "sandbox-empty"},
    "ignored limit": {"model": "sandbox-ignores-limit", "max_output_tokens": 16},
    "no usage": {"model": "sandbox-no-usage"},
    "background": {"background": True},
}  # fmt: skip


class Account:
    """One account at one upstream; `now` may be moved."""

    def __init__(self, key: str = "sk-test", memory: Memory | None = None) -> None:
        self.key = key
        self.now = NOW
        self.memory = memory or Memory(3, lambda: self.now)

    def ask(self, operation: str, request: dict[str, Any], **options: Any) -> Ask:
        model = request.get("model", "")
        faults = faults_asked(model, self.key, "")
        return Ask(OPENAI, model, request, self.key, faults, self.memory, operation, **options)

    def create(self, **fields: Any) -> Any:
        """A response, whole and valid."""
        request: dict[str, Any] = {"model": "gpt-4o", "input": "Hello there, 世界", **fields}
        # A message with parts is two of the document's alternatives at once, so what is listed is judged by the sandbox.
        validate_openai("CreateResponse", {**request, "input": "x"} if isinstance(request["input"], list) else request)
        body = body_of(SPEAKER.answer(self.ask("chat.responses", request)))
        validate_response(body)
        return orjson.loads(body)

    def stream(self, **fields: Any) -> list[dict[str, Any]]:
        """The events of a stream, each valid."""
        request: dict[str, Any] = {"model": "gpt-4o", "input": "Hello there, 世界", **fields, "stream": True}
        return list(response_events(body_of(SPEAKER.answer(self.ask("chat.responses", request)))))

    def on(self, operation: str, name: str, **query: str) -> Any:
        """An operation on a stored response."""
        answer = SPEAKER.answer(self.ask(operation, {}, values={"response_id": name}, query=query))
        return orjson.loads(body_of(answer))

    def upload(self, name: str, data: bytes, purpose: str = "assistants", extra: str = "") -> Any:
        """A file."""
        head = f'--b\r\ncontent-disposition: form-data; name="purpose"\r\n\r\n{purpose}\r\n{extra}--b\r\n'
        head += f'content-disposition: form-data; name="file"; filename="{name}"\r\ncontent-type: text/plain\r\n\r\n'
        body = head.encode() + data + b"\r\n--b--\r\n"
        headers = {"content-type": "multipart/form-data; boundary=b"}
        made = body_of(FILES.answer(self.ask("files.create", {"body": body}, headers=headers)))
        validate_openai("OpenAIFile", made)
        return orjson.loads(made)

    def file(self, operation: str, name: str = "", **query: str) -> bytes:
        """An operation on files."""
        return body_of(FILES.answer(self.ask(operation, {}, values={"file_id": name}, query=query)))

    def store(self, operation: str, schema: str, request: dict[str, Any] | None = None, **values: str) -> Any:
        """An operation on vector stores, its answer valid."""
        query = values.pop("query", "")
        asked = self.ask(
            operation, request or {}, values=values, query=dict(p.split("=") for p in query.split("&") if p)
        )
        body = body_of(STORES.answer(asked))
        validate_openai(schema, body)
        return orjson.loads(body)


@pytest.fixture
def account() -> Account:
    return Account()


def refused(act: Any, *arguments: Any, **fields: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        act(*arguments, **fields)
    body = body_of(SPEAKER.refuse(caught.value, Memory(0, lambda: NOW)))
    validate_error(body)
    return caught.value


IDS = ("id", "call_id", "encrypted_content", "created_at", "completed_at")


def same(value: Any) -> Any:
    """A value without what is new in every answer."""
    if isinstance(value, dict):
        return {name: same(inner) for name, inner in value.items() if name not in IDS}  # pyright: ignore[reportUnknownVariableType]
    return [same(inner) for inner in value] if isinstance(value, list) else value  # pyright: ignore[reportUnknownVariableType]


@pytest.mark.parametrize("name", REQUESTS)
def test_stream_and_plain_answer_are_valid_and_say_the_same(name: str, account: Account):
    answer, events = account.create(**REQUESTS[name]), account.stream(**REQUESTS[name])
    if REQUESTS[name].get("background"):
        assert (answer["status"], answer["output"], answer["usage"]) == ("queued", [], None)
        answer = account.on("responses.retrieve", answer["id"])
    last = events[-1]["response"]
    assert same(last) == same(answer)
    assert events[-1]["type"] == f"response.{answer['status']}"
    done = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    assert done == last["output"]
    for index, item in enumerate(last["output"]):
        mine = [event for event in events if event.get("output_index") == index]
        assert mine[0]["type"] == "response.output_item.added"
        assert {event["item_id"] for event in mine[1:-1]} <= {item["id"]}
        said = "".join([event["delta"] for event in mine if event["type"].endswith(".delta")])
        assert said == written(item)


def written(item: dict[str, Any]) -> str:
    match item["type"]:
        case "message":
            return "".join([part.get("text", part.get("refusal")) for part in item["content"]])
        case "reasoning":
            return "".join([part["text"] for part in item["summary"]])
        case _:
            return item.get("arguments") or item.get("input") or ""


def test_status_and_usage_follow_from_the_request(account: Account):
    first = account.create()
    assert first["output"][0]["content"][0]["text"] == "Hello there, 世界"
    assert (first["usage"]["input_tokens"], first["usage"]["output_tokens"], first["usage"]["total_tokens"]) == (
        5,
        5,
        10,
    )
    cut = account.create(**REQUESTS["limit"])
    assert (cut["status"], cut["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})
    assert cut["usage"]["output_tokens"] == 16
    assert cut["output"][0]["status"] == "incomplete"
    thought = account.create(**REQUESTS["reasoner"])
    assert thought["usage"]["output_tokens_details"] == {"reasoning_tokens": 32}
    assert [item["type"] for item in thought["output"]] == ["reasoning", "message"]
    assert [item["type"] for item in account.create(**REQUESTS["cut reasoner"])["output"]] == ["reasoning"]
    assert account.create(**REQUESTS["words"])["usage"]["output_tokens"] == 30
    assert account.create(**REQUESTS["ignored limit"])["usage"]["output_tokens"] == 32
    (call,) = account.create(**REQUESTS["one function"])["output"]
    assert (call["name"], call["arguments"]) == ("get_weather", '{"city":"Paris"}')
    assert len(account.create(**REQUESTS["two functions"])["output"]) == 2
    assert len(account.create(**REQUESTS["not in parallel"])["output"]) == 1
    assert account.create(**REQUESTS["output"])["output"][0]["content"][0]["text"] == "The tool answered: 18C"
    assert "image/png, 8 bytes" in account.create(**REQUESTS["image"])["output"][0]["content"][0]["text"]
    picture = base64.b64decode(account.create(**REQUESTS["picture"])["output"][0]["result"])
    assert picture[16:24] == (1536).to_bytes(4) + (1024).to_bytes(4)
    cached = [account.create(prompt_cache_key="k")["usage"]["input_tokens_details"]["cached_tokens"] for _ in range(2)]
    assert cached == [0, 5]


def test_a_citation_points_at_its_link(account: Account):
    part = account.create(**REQUESTS["web search"])["output"][1]["content"][0]
    (note,) = part["annotations"]
    assert part["text"][note["start_index"] : note["end_index"]] == f"([example.com]({note['url']}))"


def test_a_conversation_is_continued_by_the_id_of_its_last_response(account: Account):
    first = account.create(input="Weather in Paris?", tools=[WEATHER])
    output = {"type": "function_call_output", "call_id": first["output"][0]["call_id"], "output": "18C"}
    second = account.create(previous_response_id=first["id"], input=[output], tools=[WEATHER])
    assert second["output"][0]["content"][0]["text"] == "The tool answered: 18C"
    third = account.create(previous_response_id=second["id"], input="And now?")
    assert third["usage"]["input_tokens"] > second["usage"]["output_tokens"]
    unknown = refused(account.create, previous_response_id="resp_none")
    assert (unknown.status, unknown.code) == (400, "previous_response_not_found")
    unstored = account.create(store=False)
    assert refused(account.create, previous_response_id=unstored["id"]).code == "previous_response_not_found"
    other = Account("sk-other", account.memory)
    assert refused(other.create, previous_response_id=first["id"]).code == "previous_response_not_found"


def test_stored_responses_are_retrieved_listed_and_deleted(account: Account):
    made = account.create(input=user({"type": "input_image", "image_url": PNG}))
    shown = account.on("responses.retrieve", made["id"])
    assert shown == made
    items = account.on("responses.input_items", made["id"])
    validate_openai("ResponseItemList", items)
    assert items["data"][0]["content"][0]["text"] == "Look"
    name = {"values": {"response_id": made["id"]}}
    streamed = SPEAKER.answer(account.ask("responses.retrieve", {}, query={"stream": "true"}, **name))
    events = list(response_events(body_of(streamed)))
    assert events[-1]["response"] == made
    after = {"stream": "true", "starting_after": str(len(events) - 3)}
    rest = body_of(SPEAKER.answer(account.ask("responses.retrieve", {}, query=after, **name)))
    assert rest.count(b"event: ") == 2
    assert account.on("responses.delete", made["id"])["deleted"] is True
    assert refused(account.on, "responses.retrieve", made["id"]).status == 404


def test_background_work_is_queued_until_it_is_looked_at_and_can_be_cancelled(account: Account):
    first, second = account.create(background=True), account.create(background=True)
    cancelled = account.on("responses.cancel", first["id"])
    validate_response(cancelled)
    assert cancelled["status"] == account.on("responses.cancel", first["id"])["status"] == "cancelled"
    assert account.on("responses.retrieve", first["id"])["output"] == []
    assert account.on("responses.retrieve", second["id"])["status"] == "completed"
    assert "completed response" in refused(account.on, "responses.cancel", second["id"]).message
    assert "synchronous" in refused(account.on, "responses.cancel", account.create()["id"]).message
    kinds = [event["type"] for event in account.stream(background=True)[:3]]
    assert kinds == ["response.created", "response.queued", "response.in_progress"]


def test_a_list_comes_in_pages_both_ways(account: Account):
    name = account.create(input=[{"role": "user", "content": str(number)} for number in range(5)])["id"]

    def texts(**query: str) -> list[str]:
        shown = account.on("responses.input_items", name, **query)
        return [item["content"][0]["text"] for item in shown["data"]] + ["more"] * shown["has_more"]

    assert texts() == ["4", "3", "2", "1", "0"]
    assert texts(order="asc", limit="2") == ["0", "1", "more"]
    ids = [item["id"] for item in account.on("responses.input_items", name, order="asc")["data"]]
    assert texts(order="asc", limit="2", after=ids[2]) == ["3", "4"]
    assert texts(order="asc", limit="2", before=ids[3]) == ["1", "2", "more"]
    for wrong in ({"limit": "0"}, {"limit": "x"}, {"order": "up"}, {"after": "nobody"}):
        assert refused(account.on, "responses.input_items", name, **wrong).status == 400


def test_encrypted_reasoning_comes_back_or_is_refused(account: Account):
    turn: dict[str, Any] = {"model": "gpt-5", "include": ENCRYPTED, "store": False, "tools": [WEATHER]}
    asked = {"role": "user", "content": "Weather in Paris?"}
    thought, call = account.create(**turn, input=[asked])["output"]
    output = {"type": "function_call_output", "call_id": call["call_id"], "output": "18C"}
    second = account.create(**turn, input=[asked, thought, call, output])
    assert second["output"][-1]["content"][0]["text"] == "The tool answered: 18C"
    raw = bytearray(base64.b64decode(thought["encrypted_content"]))
    raw[-1] ^= 1
    altered = {**thought, "encrypted_content": base64.b64encode(raw).decode()}
    for wrong in (altered, {**thought, "encrypted_content": "gAAAAABqPVW8"}):
        caught = refused(account.create, **turn, input=[asked, wrong, call, output])
        assert (caught.status, caught.code) == (400, "invalid_encrypted_content")
    other = Account("sk-other", account.memory)
    assert refused(other.create, **turn, input=[asked, thought, call, output]).code == "invalid_encrypted_content"
    bare = {name: thought[name] for name in ("id", "type", "summary")}
    assert "not found" in refused(account.create, **turn, input=[asked, bare, call, output]).message


def test_a_stored_call_wants_its_reasoning(account: Account):
    asked = {"role": "user", "content": "Weather in Paris?"}
    thought, call = account.create(model="gpt-5", tools=[WEATHER], input=[asked])["output"]
    output = {"type": "function_call_output", "call_id": call["call_id"], "output": "18C"}
    caught = refused(account.create, model="gpt-5", input=[asked, call, output])
    assert "without its required 'reasoning' item" in caught.message
    referred = {"type": "item_reference", "id": thought["id"]}
    assert account.create(model="gpt-5", input=[asked, referred, call, output])["status"] == "completed"


def test_a_conversation_is_compacted_and_goes_on(account: Account):
    first = account.create(input="Remember the number 7")
    request = {"model": "gpt-5", "previous_response_id": first["id"], "input": "And 8"}
    body = body_of(SPEAKER.answer(account.ask("responses.compact", request)))
    validate_openai("CompactResource", body)
    output = orjson.loads(body)["output"]
    assert [item["type"] for item in output] == ["message", "message", "compaction"]
    assert account.create(input=[*output, {"role": "user", "content": "Go on"}])["status"] == "completed"
    altered = {**output[-1], "encrypted_content": "AAAA"}
    assert refused(account.create, input=[altered]).code == "invalid_encrypted_content"
    counted = body_of(SPEAKER.answer(account.ask("responses.input_tokens", {"model": "m", "input": "12345678"})))
    validate_openai("TokenCountsResource", counted)
    assert orjson.loads(counted)["input_tokens"] == 2


REFUSED: dict[str, tuple[dict[str, Any], str | None, str | None]] = {
    "no input": ({"model": "m"}, "missing_required_parameter", "input"),
    "no model": ({"input": "x"}, "missing_required_parameter", "model"),
    "unknown": ({"messages": []}, "unknown_parameter", "messages"),
    "type": ({"input": 7}, "invalid_type", "input"),
    "limit": ({"max_output_tokens": 1}, "integer_below_min_value", "max_output_tokens"),
    "temperature": ({"temperature": 3}, "decimal_above_max_value", "temperature"),
    "role": ({"input": [{"role": "robot", "content": "x"}]}, "invalid_value", "input[0].role"),
    "part": ({"input": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]}, "invalid_value", "input[0].content[0].type"),
    "item": ({"input": [{"type": "telepathy"}]}, "invalid_value", "input[0].type"),
    "output without call": ({"input": [{"type": "function_call_output", "call_id": "c", "output": "x"}]}, None, "input"),
    "call without output": (
        {"input": [{"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}]}, None, "input"
    ),
    "tool": ({"tools": [{"type": "telepathy"}]}, "invalid_value", "tools[0].type"),
    "strict": (
        {"tools": [{"type": "function", "name": "f", "strict": True, "parameters": {"type": "object"}}]},
        "invalid_function_parameters", "tools[0].parameters",
    ),
    "choice": ({"tools": [WEATHER], "tool_choice": {"type": "function", "name": "x"}}, None, "tool_choice"),
    "include": ({"include": ["everything"]}, "invalid_value", "include[0]"),
    "effort": ({"model": "gpt-4o", "reasoning": {"effort": "high"}}, "unsupported_parameter", "reasoning.effort"),
    "warm reasoner": ({"model": "gpt-5", "temperature": 0.5}, None, "temperature"),
    "json": ({"text": {"format": {"type": "json_object"}}}, None, "input"),
    "conversation": ({"conversation": "conv_x"}, None, "conversation"),
    "store": ({"tools": [{"type": "file_search", "vector_store_ids": ["vs_x"]}]}, None, "tools"),
    "file": ({"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "file-x"}]}]}, None, "id"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_wrong_request_is_refused_in_openais_words(name: str, account: Account):
    fields, code, param = REFUSED[name]
    request = fields if name.startswith("no ") else {"model": "gpt-4o", "input": "x", **fields}
    caught = refused(SPEAKER.answer, account.ask("chat.responses", request))
    assert (caught.code, caught.param) == (code, param)


@pytest.mark.parametrize("status", ["400", "401", "403", "404-model", "429", "500", "503", "529"])
def test_a_refusal_on_demand_is_a_valid_error(status: str):
    refusal = refusal_of({status: 1}, "m")
    assert refusal is not None
    validate_error(body_of(SPEAKER.refuse(refusal, Memory(0, lambda: NOW))))


def test_an_error_in_the_middle_of_a_stream_fails_the_response(account: Account):
    events = account.stream(model="sandbox-error-event")
    assert [event["type"] for event in events[-2:]] == ["error", "response.failed"]
    assert account.create(model="sandbox-error-event")["status"] == "failed"
    assert account.stream(model="sandbox-no-done")[-1]["type"] == "response.output_item.done"


PARIS = b"Paris is the capital of France. The river Seine runs through it.\n" + b"More about it follows here. " * 150
ROME = "Rome is the capital of Italy. Über alles: the Tiber.".encode()


def test_files_are_kept_listed_and_deleted(account: Account):
    life = "".join(
        f'--b\r\ncontent-disposition: form-data; name="expires_after[{name}]"\r\n\r\n{value}\r\n'
        for name, value in (("anchor", "created_at"), ("seconds", "3600"))
    )
    kept = account.upload("a.jsonl", b'{"a": 1}\r\n', "batch", life)
    assert (kept["bytes"], kept["filename"], kept["expires_at"]) == (10, "a.jsonl", NOW + 3600)
    other = account.upload("b.txt", bytes(range(256)) * 9)
    listed = account.file("files.list", purpose="batch")
    validate_openai("ListFilesResponse", listed)
    assert [one["id"] for one in orjson.loads(listed)["data"]] == [kept["id"]]
    assert account.file("files.content", kept["id"]) == b'{"a": 1}\r\n'
    assert "purpose: assistants" in refused(account.file, "files.content", other["id"]).message
    deleted = account.file("files.delete", other["id"])
    validate_openai("DeleteFileResponse", deleted)
    assert refused(account.file, "files.retrieve", other["id"]).status == 404
    account.now += 3600
    assert refused(account.file, "files.retrieve", kept["id"]).message == f"No such File object: {kept['id']}"
    assert refused(account.upload, "a.txt", b"", "batch").code == "invalid_file_format"
    assert refused(account.upload, "a.txt", b"", "fun").param == "purpose"
    broken = account.ask(
        "files.create", {"body": b"--b\r\n"}, headers={"content-type": "multipart/form-data; boundary=b"}
    )
    assert refused(FILES.answer, broken).status == 400
    assert refused(FILES.answer, account.ask("files.create", {"body": b""})).status == 400


def test_a_vector_store_is_in_progress_then_completed_and_found_by_words(account: Account):
    paris, rome = account.upload("paris.txt", PARIS), account.upload("rome.txt", ROME)
    binary = account.upload("x.bin", b"\0\1\2")
    request = {"name": "cities", "file_ids": [paris["id"]], "expires_after": {"anchor": "last_active_at", "days": 2}}
    store = account.store("vector_stores.create", "VectorStoreObject", request)
    assert (store["status"], store["file_counts"]["in_progress"]) == ("in_progress", 1)
    place = {"vector_store_id": store["id"]}
    added = {"file_id": rome["id"], "attributes": {"country": "it"}}
    assert (
        account.store("vector_stores.files.create", "VectorStoreFileObject", added, **place)["status"] == "in_progress"
    )
    batch = account.store(
        "vector_stores.file_batches.create", "VectorStoreFileBatchObject", {"file_ids": [binary["id"]]}, **place
    )
    assert batch["status"] == "in_progress"
    done = account.store(
        "vector_stores.file_batches.retrieve", "VectorStoreFileBatchObject", batch_id=batch["id"], **place
    )
    assert (done["status"], done["file_counts"]["failed"]) == ("completed", 1)
    failed = account.store("vector_stores.files.retrieve", "VectorStoreFileObject", file_id=binary["id"], **place)
    assert failed["last_error"]["code"] == "unsupported_file"
    shown = account.store("vector_stores.retrieve", "VectorStoreObject", **place)
    assert (shown["status"], shown["file_counts"]["completed"]) == ("completed", 2)
    assert shown["usage_bytes"] > len(PARIS)
    listed = account.store(
        "vector_stores.files.list", "ListVectorStoreFilesResponse", query="filter=completed", **place
    )
    assert {one["id"] for one in listed["data"]} == {paris["id"], rome["id"]}
    search = {"query": "capital of Italy"}
    found = account.store("vector_stores.search", "VectorStoreSearchResultsPage", search, **place)["data"]
    assert [found[0]["filename"], found[0]["score"]] == ["rome.txt", 1.0]
    assert found[1]["filename"] == "paris.txt"
    only = {**search, "filters": {"type": "ne", "key": "country", "value": "it"}}
    found = account.store("vector_stores.search", "VectorStoreSearchResultsPage", only, **place)["data"]
    assert {one["filename"] for one in found} == {"paris.txt"}
    modified = account.store(
        "vector_stores.modify", "VectorStoreObject", {"name": "towns", "metadata": {"a": "b"}}, **place
    )
    assert (modified["name"], modified["metadata"]) == ("towns", {"a": "b"})
    account.now += 3 * 86_400
    assert account.store("vector_stores.retrieve", "VectorStoreObject", **place)["status"] == "expired"
    wanted = account.ask("vector_stores.search", search, values=place)
    assert refused(STORES.answer, wanted).code == "vector_store_expired"
    assert account.store("vector_stores.list", "ListVectorStoresResponse")["data"][0]["id"] == store["id"]
    rewritten = account.store(
        "vector_stores.files.modify",
        "VectorStoreFileObject",
        {"attributes": {"seen": True}},
        file_id=rome["id"],
        **place,
    )
    assert rewritten["attributes"] == {"seen": True}
    content = account.store(
        "vector_stores.files.content", "VectorStoreFileContentResponse", file_id=rome["id"], **place
    )
    assert content["data"][0]["text"] == ROME.decode()
    gone = account.store("vector_stores.files.delete", "DeleteVectorStoreFileResponse", file_id=rome["id"], **place)
    assert gone["deleted"] is True
    assert account.store("vector_stores.delete", "DeleteVectorStoreResponse", **place)["deleted"] is True
    assert refused(STORES.answer, account.ask("vector_stores.retrieve", {}, values=place)).status == 404


def test_a_batch_that_is_cancelled_adds_nothing_more(account: Account):
    file = account.upload("rome.txt", ROME)
    store = account.store("vector_stores.create", "VectorStoreObject", {"name": "x"})
    place = {"vector_store_id": store["id"]}
    request = {"files": [{"file_id": file["id"], "attributes": {"a": 1}}]}
    batch = account.store("vector_stores.file_batches.create", "VectorStoreFileBatchObject", request, **place)
    for operation in ("cancel", "retrieve"):
        shown = account.store(
            f"vector_stores.file_batches.{operation}", "VectorStoreFileBatchObject", batch_id=batch["id"], **place
        )
        assert (shown["status"], shown["file_counts"]["cancelled"]) == ("cancelled", 1)
    listed = account.store(
        "vector_stores.file_batches.list_files", "ListVectorStoreFilesResponse", batch_id=batch["id"], **place
    )
    assert [one["status"] for one in listed["data"]] == ["cancelled"]
    search = {"query": "Italy"}
    assert account.store("vector_stores.search", "VectorStoreSearchResultsPage", search, **place)["data"] == []


@pytest.mark.parametrize(
    ("request_", "param"),
    [
        ({"file_ids": ["file-none"]}, "id"),
        ({"file_ids": "x"}, "file_ids"),
        ({"expires_after": {"anchor": "created_at", "days": 1}}, "expires_after.anchor"),
        ({"chunking_strategy": {"type": "static", "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 60}}},
         "chunking_strategy.static.chunk_overlap_tokens"),
        ({"colour": "red"}, "colour"),
    ],
)  # fmt: skip
def test_a_wrong_vector_store_is_refused_and_leaves_nothing_behind(request_: Any, param: str, account: Account):
    assert refused(STORES.answer, account.ask("vector_stores.create", request_)).param == param
    assert account.store("vector_stores.list", "ListVectorStoresResponse")["data"] == []


def test_file_search_cites_what_it_found(account: Account):
    file = account.upload("paris.txt", PARIS)
    store = account.store("vector_stores.create", "VectorStoreObject", {"file_ids": [file["id"]]})
    tool = {"type": "file_search", "vector_store_ids": [store["id"]], "max_num_results": 1}
    asked = {"input": "Which river runs through Paris?", "tools": [tool], "include": ["file_search_call.results"]}
    search, message = account.create(**asked)["output"]
    assert search["results"][0]["file_id"] == file["id"]
    assert "The river Seine" in message["content"][0]["text"]
    (note,) = message["content"][0]["annotations"]
    assert (note["type"], note["filename"]) == ("file_citation", "paris.txt")
    kinds = [event["type"] for event in account.stream(**asked)]
    assert "response.file_search_call.searching" in kinds
    assert "response.output_text.annotation.added" in kinds
    nothing = account.create(**{**asked, "input": "Quantum?"})["output"]
    assert (nothing[0]["results"], nothing[1]["content"][0]["annotations"]) == ([], [])
    said = account.create(input=[{"role": "user", "content": [{"type": "input_file", "file_id": file["id"]}]}])
    assert "Paris is the capital" in said["output"][0]["content"][0]["text"]


def test_what_openai_accepted_is_accepted():
    problems: list[str] = []
    count = 0
    for path in sorted((shared_file("recordings") / "openai" / "responses").glob("*.json")):
        record: dict[str, Any] = json.loads(path.read_bytes())
        asked: dict[str, Any] = record["request"] or {}
        request: dict[str, Any] | None = asked.get("json")
        if record["endpoint"] != "POST /v1/responses" or request is None or record["response"].get("status") != 200:
            continue
        count += 1
        try:
            check_request({**request, "conversation": None}, request["model"], strict=True)
        except Refused as caught:
            problems.append(f"{record['id']}: {caught.message[:200]}")
    assert count > 100
    assert problems == []


def test_the_validators_refuse_what_is_wrong(account: Account):
    made = account.create()
    with pytest.raises(AssertionError, match="status"):
        validate_response({**made, "status": "dreaming"})
    with pytest.raises(AssertionError, match="no event has the type"):
        validate_event({"type": "response.telepathy"})
    with pytest.raises(AssertionError, match="delta"):
        validate_event({"type": "response.output_text.delta", "item_id": "x", "output_index": 0, "content_index": 0,
                        "sequence_number": 1, "logprobs": []})  # fmt: skip
