"""What a speaker of the sandbox answers, without a wire."""

from anygate.sandbox.answer import Answer


def body_of(answer: Answer) -> bytes:
    return b"".join(step for step in answer.blocks if isinstance(step, bytes))
