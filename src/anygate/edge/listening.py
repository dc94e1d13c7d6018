"""The listening socket."""

import socket

ACCEPTED_A_TURN = 16
"""New connections that one turn of the event loop takes. libuv accepts one for each listening descriptor (since 1.46),
so that behind 200 busy connections a burst of new ones would wait for seconds."""


def listen(host: str, port: int) -> list[socket.socket]:
    """One bound socket under `ACCEPTED_A_TURN` descriptors, inheritable; serve each of them.

    Raises:
        OSError: the address is taken or not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    descriptors = [bound, *(bound.dup() for _ in range(ACCEPTED_A_TURN - 1))]
    for descriptor in descriptors:
        descriptor.set_inheritable(True)
    return descriptors
