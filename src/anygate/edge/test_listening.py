"""A burst of new connections is not taken one a turn."""

import asyncio
import socket

import pytest
import uvloop

from anygate.edge.listening import ACCEPTED_A_TURN, listen

CONNECTIONS = 8 * ACCEPTED_A_TURN


class _Counted(asyncio.Protocol):
    def __init__(self, made: list[asyncio.BaseTransport]) -> None:
        self._made = made

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._made.append(transport)


async def _turns_for_a_burst(listeners: list[socket.socket]) -> int:
    loop = asyncio.get_running_loop()
    made: list[asyncio.BaseTransport] = []
    servers = [
        await loop.create_server(lambda: _Counted(made), sock=listener, backlog=CONNECTIONS) for listener in listeners
    ]
    address = listeners[0].getsockname()
    clients = [socket.create_connection(address) for _ in range(CONNECTIONS)]
    turns = 0
    while len(made) < CONNECTIONS:
        await asyncio.sleep(0)
        turns += 1
    for client in clients:
        client.close()
    for server in servers:
        server.close()
    return turns


def test_a_burst_of_connections_is_accepted_in_a_few_turns_of_the_loop() -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(_turns_for_a_burst(listen("127.0.0.1", 0))) < CONNECTIONS / 4


def test_all_descriptors_are_one_socket_that_workers_inherit() -> None:
    listeners = listen("127.0.0.1", 0)
    try:
        assert len({listener.getsockname() for listener in listeners}) == 1
        assert all(listener.get_inheritable() for listener in listeners)
    finally:
        for listener in listeners:
            listener.close()


def test_a_taken_address_is_an_error() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(OSError, match="in use"):
            listen(*other.getsockname())
