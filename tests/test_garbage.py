"""A request leaves nothing for the garbage collector: its passes over everything would stop all streams at once."""

import gc

import pytest
import uvloop
from bench.stage import Stage, request


@pytest.mark.parametrize("stream", [False, True])
def test_a_request_leaves_no_cycles(stream: bool):
    async def run() -> None:
        stage = Stage(at_once=4)
        plain, streamed = request("body_json.json"), request("body_sse.json")
        for again in (False, True):  # the first ones fill caches
            if again:
                gc.collect()
                gc.disable()
                gc.set_debug(gc.DEBUG_SAVEALL)
            if stream:
                await stage.stream(streamed, 20)
            else:
                await stage.plain(plain)
        gc.collect()

    gc.garbage.clear()
    try:
        uvloop.run(run())
        left = [kind.__qualname__ for kind in map(type, gc.garbage) if kind.__module__.startswith("anygate")]
        assert left == []
    finally:
        gc.set_debug(0)
        gc.enable()
        gc.garbage.clear()
