"""What the clients of the `openai` SDK have in common."""

from typing import Any

import openai


class OpenaiClient:
    """Opens the SDK and closes it."""

    version = openai.__version__

    def __init__(self, origin: str, key: str) -> None:
        self.client: Any = openai.OpenAI(base_url=f"{origin}/v1", api_key=key, max_retries=0)

    def close(self) -> None:
        """Close its connections."""
        self.client.close()
