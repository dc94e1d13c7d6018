"""The `anthropic` SDK: its new line, and the one before it."""

import base64
import json
from collections.abc import Sequence
from typing import Any

import anthropic

from tests.sdk.heard import BOTH, CITY, ONE_BY_ONE, RESULTS, TOOLS, Heard
from tests.sdk.openai_chat import Person
from tests.sdk.upstreams import Upstream

OFFERED: list[Any] = [{"name": name, "description": text, "input_schema": CITY} for name, text in TOOLS.items()]
LIMIT = 4000


class MessagesClient:
    """Drives it."""

    speaks = "anthropic.messages"
    version = anthropic.__version__

    def __init__(self, origin: str, key: str) -> None:
        self.client: Any = anthropic.Anthropic(base_url=origin, api_key=key, max_retries=0)

    def close(self) -> None:
        """Close its connections."""
        self.client.close()

    def loop(self, upstream: Upstream, *, streamed: bool, then: Upstream | None = None) -> list[Heard]:
        """Three turns with two tools, one after the other; the content goes back as the SDK has it."""
        return self._turns([upstream, then or upstream], ONE_BY_ONE, streamed=streamed, thinks=True)

    def parallel(self, upstream: Upstream) -> list[Heard]:
        """Two calls at once, and the turn that answers them."""
        return self._turns([upstream], BOTH, streamed=True, thinks=False)

    def _turns(self, upstreams: Sequence[Upstream], prompt: str, *, streamed: bool, thinks: bool) -> list[Heard]:
        messages: list[Any] = [{"role": "user", "content": prompt}]
        heard: list[Heard] = []
        while not heard or heard[-1].calls:
            upstream = upstreams[min(len(heard), len(upstreams) - 1)]
            fields: Any = {"model": upstream.model, "max_tokens": LIMIT, "messages": messages, "tools": OFFERED}
            if thinks:
                fields["thinking"] = _thinking(upstream)
            if streamed:
                with self.client.messages.stream(**fields) as stream:
                    words = "".join(stream.text_stream)
                    answer = stream.get_final_message()
            else:
                answer = self.client.messages.create(**fields)
                words = None
            heard.append(_heard(answer))
            assert words in (None, heard[-1].text)
            messages.append({"role": "assistant", "content": answer.content})
            results = [
                {"type": "tool_result", "tool_use_id": block.id, "content": RESULTS[block.name]}
                for block in answer.content
                if block.type == "tool_use"
            ]
            messages.append({"role": "user", "content": results})
        return heard

    def structured(self, upstream: Upstream) -> Heard:
        """`.parse`."""
        answer = self.client.messages.parse(
            model=upstream.model,
            max_tokens=LIMIT,
            messages=[{"role": "user", "content": "Ann is 31"}],
            output_format=Person,
        )
        heard = _heard(answer)
        heard.parsed = answer.parsed_output.model_dump()
        return heard

    def shown(self, upstream: Upstream, png: bytes, pdf: bytes) -> Heard:
        """A picture and a document in base64."""
        content = [
            {"type": "text", "text": "Look"},
            {"type": "image", "source": _source("image/png", png)},
            {"type": "document", "source": _source("application/pdf", pdf), "title": "paper.pdf"},
        ]
        return _heard(
            self.client.messages.create(
                model=upstream.model, max_tokens=LIMIT, messages=[{"role": "user", "content": content}]
            )
        )

    def said(self, model: str) -> Heard:
        """The shortest request."""
        return _heard(
            self.client.messages.create(
                model=model, max_tokens=LIMIT, messages=[{"role": "user", "content": "Hello there"}]
            )
        )

    def warm(self, model: str, text: str, *, streamed: bool) -> Any:
        """A prompt that is only written to the cache."""
        kept = [{"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}]
        fields: Any = {"model": model, "max_tokens": 0, "messages": [{"role": "user", "content": kept}]}
        if streamed:
            with self.client.messages.stream(**fields) as stream:
                return stream.get_final_message()
        return self.client.messages.create(**fields)

    def counted(self, model: str) -> int:
        """Tokens of what `said` asks."""
        return self.client.messages.count_tokens(
            model=model, messages=[{"role": "user", "content": "Hello there"}]
        ).input_tokens

    def models(self) -> list[str]:
        """`models.list()`, page by page."""
        return [model.id for model in self.client.models.list(limit=4)]


def _thinking(upstream: Upstream) -> dict[str, Any]:
    if upstream.thinking == "adaptive":
        return {"type": "adaptive", "display": "summarized"}
    return {"type": "enabled", "budget_tokens": 1024}


def _source(kind: str, data: bytes) -> dict[str, str]:
    return {"type": "base64", "media_type": kind, "data": base64.b64encode(data).decode()}


def _heard(answer: Any) -> Heard:
    calls = [[block.name, json.dumps(block.input)] for block in answer.content if block.type == "tool_use"]
    assert answer.stop_reason == ("tool_use" if calls else "end_turn")
    usage = answer.usage
    cached = usage.cache_read_input_tokens or 0
    details = getattr(usage, "output_tokens_details", None)
    return Heard(
        "".join(block.text for block in answer.content if block.type == "text"),
        "".join(block.thinking for block in answer.content if block.type == "thinking"),
        calls,
        {
            "input": usage.input_tokens + cached + (usage.cache_creation_input_tokens or 0),
            "cached": cached,
            "output": usage.output_tokens,
            "reasoning": details.thinking_tokens if details else None,
        },
    )
