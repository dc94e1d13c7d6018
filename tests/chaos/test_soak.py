"""Many requests through one process: its memory does not grow with them (`make soak`)."""

import asyncio
from itertools import count
from typing import Any

import orjson
import psutil

from tests.chaos.conftest import Figures, NewServer
from tests.faulty import FaultyServer, chat_document

ROUNDS, REQUESTS, CONNECTIONS = 6, 10_000, 32
LARGEST_GROWTH = 12 << 20
"""Bytes of growth from the second round to the last. The first fills caches and queues that are bounded."""

CONFIG_CHANGES = {'balance_usd = "10.00"': 'balance_usd = "1000.00"'}


def request_bytes(number: int, *, stream: bool) -> bytes:
    """A request that nobody has asked before, in a conversation of its own."""
    fields: dict[str, Any] = {"stream": True} if stream else {}
    history = [{"role": "user", "content": f"{number}"}, {"role": "assistant", "content": "yes"}]
    document = chat_document("gpt-4o-mini", max_tokens=40, **fields)
    document["messages"] = [*history, {"role": "user", "content": f"and {number}? one two three four five six"}]
    body = orjson.dumps(document)
    return (
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer %b\r\ncontent-length: %d\r\n\r\n%b"
        % (
            FaultyServer.key.encode(),
            len(body),
            body,
        )
    )


async def ask_many(port: int, numbers: "count[int]", requests: int) -> None:
    """So many requests over a few connections: two plain ones, a stream, and now and then a client that leaves."""

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
        for _ in range(requests // CONNECTIONS):
            number = next(numbers)
            stream = number % 3 == 0
            writer.write(request_bytes(number, stream=stream))
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 "), head
            if number % 50 == 0:
                writer.close()
                reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
            elif stream:
                assert b"data: [DONE]" in await reader.readuntil(b"\r\n0\r\n\r\n")
            else:
                length = next(line for line in head.split(b"\r\n") if line.startswith(b"content-length: "))
                await reader.readexactly(int(length[16:]))
        writer.close()

    await asyncio.gather(*(client() for _ in range(CONNECTIONS)))


def test_the_memory_of_a_process_does_not_grow_with_the_requests_it_has_served(
    new_server: NewServer, database_url: str, figures: Figures
):
    server = new_server(database_url=database_url)
    for before, after in CONFIG_CHANGES.items():
        server.config = server.config.replace(before, after)
    server.start()
    process, numbers, sizes = psutil.Process(server.pid), count(1), list[int]()
    sizes.append(process.memory_info().rss)
    for _ in range(ROUNDS):
        asyncio.run(ask_many(int(server.base_url.rpartition(":")[2]), numbers, REQUESTS))
        sizes.append(process.memory_info().rss)
    figures(requests=ROUNDS * REQUESTS, **{f"MiB after round {at}": size >> 20 for at, size in enumerate(sizes)})
    assert sizes[-1] - sizes[2] < LARGEST_GROWTH, [size >> 20 for size in sizes]
    assert server.stop() == 0
    report = server.audit()
    assert report.ok, report.problems
    assert not server.open_holds()
