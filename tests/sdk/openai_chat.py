"""The `openai` SDK's chat completions."""

import base64
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from tests.sdk.heard import BOTH, CITY, ONE_BY_ONE, RESULTS, TOOLS, Heard
from tests.sdk.openai_sdk import OpenaiClient
from tests.sdk.upstreams import Upstream

OFFERED: list[Any] = [
    {"type": "function", "function": {"name": name, "description": text, "parameters": CITY, "strict": True}}
    for name, text in TOOLS.items()
]


class Person(BaseModel):
    """What a structured answer is parsed into."""

    name: str
    age: int


class ChatClient(OpenaiClient):
    """Drives it."""

    speaks = "openai.chat"

    def loop(self, upstream: Upstream, *, streamed: bool, then: Upstream | None = None) -> list[Heard]:
        """Three turns with two tools, one after the other; the messages go back as the SDK has them."""
        messages: list[Any] = [{"role": "user", "content": ONE_BY_ONE}]
        return self._turns(
            [upstream, then or upstream], messages, streamed=streamed, effort={"reasoning_effort": "low"}
        )

    def parallel(self, upstream: Upstream) -> list[Heard]:
        """Two calls at once, and the turn that answers them."""
        return self._turns([upstream], [{"role": "user", "content": BOTH}], streamed=True, effort={})

    def _turns(self, upstreams: Sequence[Upstream], messages: list[Any], *, streamed: bool, effort: Any) -> list[Heard]:
        heard: list[Heard] = []
        while not heard or heard[-1].calls:
            model = upstreams[min(len(heard), len(upstreams) - 1)].model
            fields: Any = {"model": model, "messages": messages, "tools": OFFERED, **effort}
            if streamed:
                with self.client.chat.completions.stream(stream_options={"include_usage": True}, **fields) as stream:
                    for _ in stream:
                        pass
                    answer = stream.get_final_completion()
            else:
                answer = self.client.chat.completions.create(**fields)
            heard.append(_heard(answer))
            message: Any = answer.choices[0].message
            messages.append(message)
            messages += [
                {"role": "tool", "tool_call_id": call.id, "content": RESULTS[call.function.name]}
                for call in _calls(message)
            ]
        return heard

    def structured(self, upstream: Upstream) -> Heard:
        """`.parse`."""
        answer = self.client.chat.completions.parse(
            model=upstream.model, messages=[{"role": "user", "content": "Ann is 31"}], response_format=Person
        )
        heard = _heard(answer)
        heard.parsed = answer.choices[0].message.parsed.model_dump()
        return heard

    def shown(self, upstream: Upstream, png: bytes, pdf: bytes) -> Heard:
        """A picture and a document in base64."""
        content = [
            {"type": "text", "text": "Look"},
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{base64.b64encode(png).decode()}"}},
            {
                "type": "file",
                "file": {
                    "filename": "paper.pdf",
                    "file_data": f"data:application/pdf;base64,{base64.b64encode(pdf).decode()}",
                },
            },
        ]
        return _heard(
            self.client.chat.completions.create(model=upstream.model, messages=[{"role": "user", "content": content}])
        )

    def said(self, model: str) -> Heard:
        """The shortest request."""
        return _heard(
            self.client.chat.completions.create(model=model, messages=[{"role": "user", "content": "Hello there"}])
        )

    def models(self) -> list[str]:
        """`models.list()`."""
        return [model.id for model in self.client.models.list()]


def _calls(message: Any) -> list[Any]:
    return message.tool_calls or []


def _heard(answer: Any) -> Heard:
    message: Any = answer.choices[0].message
    more: dict[str, Any] = message.model_extra or {}
    usage = answer.usage
    calls = _calls(message)
    assert (answer.choices[0].finish_reason == "tool_calls") == bool(calls)
    inner, spent = usage.prompt_tokens_details, usage.completion_tokens_details
    return Heard(
        message.content or "",
        more.get("reasoning_content") or "",
        [[call.function.name, call.function.arguments] for call in calls],
        {
            "input": usage.prompt_tokens,
            "cached": inner.cached_tokens if inner else None,
            "output": usage.completion_tokens,
            "reasoning": spent.reasoning_tokens if spent else None,
        },
    )
