"""The `openai` SDK's responses."""

import base64
from collections.abc import Sequence
from typing import Any

from tests.sdk.heard import BOTH, CITY, ONE_BY_ONE, RESULTS, TOOLS, Heard
from tests.sdk.openai_chat import Person
from tests.sdk.openai_sdk import OpenaiClient
from tests.sdk.upstreams import Upstream

OFFERED: list[Any] = [
    {"type": "function", "name": name, "description": text, "parameters": CITY, "strict": True}
    for name, text in TOOLS.items()
]


class ResponsesClient(OpenaiClient):
    """Drives it."""

    speaks = "openai.responses"

    def loop(self, upstream: Upstream, *, streamed: bool, then: Upstream | None = None) -> list[Heard]:
        """Three turns with two tools, one after the other; the items of the output go back as the SDK has them."""
        thinking = {"reasoning": {"effort": "low", "summary": "auto"}, "include": ["reasoning.encrypted_content"]}
        return self._turns([upstream, then or upstream], ONE_BY_ONE, streamed=streamed, **thinking)

    def parallel(self, upstream: Upstream) -> list[Heard]:
        """Two calls at once, and the turn that answers them."""
        return self._turns([upstream], BOTH, streamed=True, include=["reasoning.encrypted_content"])

    def _turns(self, upstreams: Sequence[Upstream], prompt: str, *, streamed: bool, **more: Any) -> list[Heard]:
        items: list[Any] = [{"role": "user", "content": prompt}]
        heard: list[Heard] = []
        while not heard or heard[-1].calls:
            model = upstreams[min(len(heard), len(upstreams) - 1)].model
            answer = self._asked(streamed, model=model, input=items, tools=OFFERED, store=False, **more)
            heard.append(_heard(answer))
            items += answer.output
            items += _outputs(answer)
        return heard

    def continued(self, upstream: Upstream, *, streamed: bool) -> list[Heard]:
        """The same loop, continued by the id of the answer before."""
        heard: list[Heard] = []
        more: dict[str, Any] = {"input": [{"role": "user", "content": ONE_BY_ONE}]}
        while not heard or heard[-1].calls:
            answer = self._asked(
                streamed, model=upstream.model, tools=OFFERED, reasoning={"effort": "low", "summary": "auto"}, **more
            )
            heard.append(_heard(answer))
            more = {"input": _outputs(answer), "previous_response_id": answer.id}
        return heard

    def _asked(self, streamed: bool, **fields: Any) -> Any:
        if not streamed:
            return self.client.responses.create(**fields)
        with self.client.responses.stream(**fields) as stream:
            for _ in stream:
                pass
            return stream.get_final_response()

    def structured(self, upstream: Upstream) -> Heard:
        """`.parse`."""
        answer = self.client.responses.parse(model=upstream.model, input="Ann is 31", text_format=Person)
        heard = _heard(answer)
        heard.parsed = answer.output_parsed.model_dump()
        return heard

    def shown(self, upstream: Upstream, png: bytes, pdf: bytes) -> Heard:
        """A picture and a document in base64."""
        content = [
            {"type": "input_text", "text": "Look"},
            {"type": "input_image", "image_url": f"data:image/png;base64,{base64.b64encode(png).decode()}"},
            {
                "type": "input_file",
                "filename": "paper.pdf",
                "file_data": f"data:application/pdf;base64,{base64.b64encode(pdf).decode()}",
            },
        ]
        asked: list[Any] = [{"role": "user", "content": content}]
        return _heard(self.client.responses.create(model=upstream.model, input=asked))

    def said(self, model: str) -> Heard:
        """The shortest request."""
        return _heard(self.client.responses.create(model=model, input="Hello there"))

    def models(self) -> list[str]:
        """`models.list()`."""
        return [model.id for model in self.client.models.list()]


def _outputs(answer: Any) -> list[Any]:
    return [
        {"type": "function_call_output", "call_id": item.call_id, "output": RESULTS[item.name]}
        for item in answer.output
        if item.type == "function_call"
    ]


def _heard(answer: Any) -> Heard:
    assert answer.status == "completed"
    thoughts = [part.text for item in answer.output if item.type == "reasoning" for part in item.summary]
    usage = answer.usage
    return Heard(
        answer.output_text,
        "".join(thoughts),
        [[item.name, item.arguments] for item in answer.output if item.type == "function_call"],
        {
            "input": usage.input_tokens,
            "cached": usage.input_tokens_details.cached_tokens,
            "output": usage.output_tokens,
            "reasoning": usage.output_tokens_details.reasoning_tokens,
        },
    )
