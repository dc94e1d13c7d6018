"""`make instructions`: what the relay's own Python costs, in instructions, step by step.

Run: python -m bench.instructions [--requests 256] [--events 100]

Counted by callgrind, so nothing depends on what else the machine does; needs gcc and valgrind. Ledger, log and sockets
are left out (`bench.stage`). One pass is counted as a whole; in another one the functions of STEPS leave a mark when
they begin and end, and what lies between two marks is theirs. The marks' own cost is measured and taken off.
"""

import argparse
import gc
import importlib
import inspect
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections import Counter
from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

import msgspec
import uvloop
from bench.loads import HERE, OUT
from bench.stage import Stage, request

STEPS: Mapping[str, tuple[str, ...]] = {
    "edge: parse the head, find the route, make the exchange; lead the request": (
        "edge.protocol:RelayProtocol.data_received",
    ),
    "begin the record, request id": ("relay.gateway:Gateway._record",),
    "key -> token": ("relay.serve:known_token", "relay.serve:check_token"),
    "read the body: parse, refuse repeated keys and depth, measure": ("protocols.openai_chat.protocol:read_request",),
    "model -> channels, price, bounds": (
        "relay.serve:check_model",
        "relay.serve:read_name",
        "relay.serve:find_service",
        "relay.serve:find_price",
        "relay.serve:estimate",
    ),
    "ask for the hold, take the answer": ("relay.bill:Bill.hold", "relay.bill:Bill.granted"),
    "edit the body, make the head, start the call": ("relay.attempts:prepare", "relay.flow:Flow.attempt"),
    "upstream client: write": ("upstream.client:UpstreamClient.send",),
    "upstream client: read": ("upstream.connection:Connection.data_received",),
    "judge the answer": (
        "relay.flow:Flow.on_head",
        "relay.flow:Flow.on_block",
        "relay.flow:Flow.on_end",
        "relay.attempts:judge_attempt",
    ),
    "write the answer": ("relay.flow:Flow.relay",),
    "price the usage, close, end the record": ("relay.bill:Bill.settle", "relay.bill:Bill._closed"),
}
BETWEEN = "everything between"
AT_ONCE = 64
_TRIES = 100
_TOTAL = re.compile(r"^(?:desc: Trigger: Client Request: (?P<name>.*)|totals: (?P<count>\d+))$", re.MULTILINE)


def main() -> int:
    """Count and print; exit 2: a tool is missing."""
    parser = argparse.ArgumentParser(description="Instructions of one request in the relay's own code, by step.")
    parser.add_argument("--requests", type=int, default=256)
    parser.add_argument("--events", type=int, default=100, help="of each stream")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.inside:
        uvloop.run(measure(max(chosen.requests // AT_ONCE, 1), chosen.events))
        return 0
    missing = [tool for tool in ("gcc", "valgrind") if shutil.which(tool) is None]
    if missing:
        print(f"make instructions needs {' and '.join(missing)}: install with the system's package manager.")
        return 2
    counts = count(chosen.requests, chosen.events)
    print(table(counts, max(chosen.requests // AT_ONCE, 1) * AT_ONCE, chosen.events))
    return 0


def count(requests: int, events: int) -> Counter[str]:
    """Run the passes under callgrind. Returns instructions by the name of the mark that ended them."""
    OUT.mkdir(exist_ok=True)
    headers = sysconfig.get_paths()["include"]
    build = ["gcc", "-O2", "-shared", "-fPIC", "-I", headers, "-o", OUT / "mark.so", HERE / "mark.c"]
    subprocess.run(build, check=True)
    for old in OUT.glob("callgrind.*"):
        old.unlink()
    valgrind = ["valgrind", "--quiet", "--tool=callgrind", "--instr-atstart=no", "--combine-dumps=yes"]
    inside = [sys.executable, "-m", "bench.instructions", "--inside", f"--requests={requests}", f"--events={events}"]
    environ = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONPATH": f"{HERE.parent / 'src'}:{HERE.parent}"}
    subprocess.run(
        [*valgrind, f"--callgrind-out-file={OUT / 'callgrind.out'}", *inside], check=True, env=environ, cwd=HERE.parent
    )
    counts: Counter[str] = Counter()
    name = ""
    for found in _TOTAL.finditer((OUT / "callgrind.out").read_text(encoding="latin-1")):
        if found["name"] is not None:
            name = found["name"]
        else:
            counts[name] += int(found["count"])
            name = ""
    return counts


class Marks:
    """The steps' functions, wrapped: each mark gives what was counted since the last one to the innermost step."""

    def __init__(self) -> None:
        sys.path.insert(0, str(OUT))
        library: Any = importlib.import_module("mark")
        self.mark: Callable[[bytes], None] = library.mark
        self.start: Callable[[], None] = library.start
        self.on = False
        self._within = [BETWEEN.encode()]
        self.calls: Counter[str] = Counter()  # of each step
        self.calls_from: Counter[str] = Counter()  # of other steps' functions, by the step that was left for them

    def wrap(self, step: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """A function whose instructions are counted as the step's."""
        within, name = self._within, step.encode()

        def wrapped(*args: Any, **named: Any) -> Any:
            if not self.on:
                return function(*args, **named)
            self.mark(within[-1])
            self._enter(name)
            try:
                return function(*args, **named)
            finally:
                self.mark(within.pop())

        async def awaited(*args: Any, **named: Any) -> Any:
            if not self.on:
                return await function(*args, **named)
            self.mark(within[-1])
            self._enter(name)
            try:
                return await function(*args, **named)
            finally:
                self.mark(within.pop())

        return awaited if inspect.iscoroutinefunction(function) else wrapped

    def _enter(self, name: bytes) -> None:
        self.calls_from[self._within[-1].decode()] += 1
        self.calls[name.decode()] += 1
        self._within.append(name)

    def install(self) -> None:
        """Put the wrapped functions into their modules and classes."""
        for step, places in STEPS.items():
            for place in places:
                module, _, path = place.partition(":")
                *outer, name = path.split(".")
                owner = reduce(getattr, outer, importlib.import_module(f"anygate.{module}"))
                setattr(owner, name, self.wrap(step, getattr(owner, name)))


async def measure(rounds: int, events: int) -> None:
    """Inside valgrind: warm up, count the whole, count the steps, count the marks themselves."""
    marks = Marks()
    plain, streamed = request("body_json.json"), request("body_sse.json")
    stage = Stage(AT_ONCE)
    for _ in range(3):
        await stage.plain(plain)
        await stage.stream(streamed, 20)
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    marks.start()
    for _ in range(rounds):
        await stage.plain(plain)
    marks.mark(b"plain")
    await stage.stream(streamed, events)
    marks.mark(b"stream")
    await stage.stream(streamed, 2 * events)
    marks.mark(b"longer stream")

    marks.install()
    stage = Stage(AT_ONCE // 4)
    for _ in range(8):
        await stage.plain(plain)
    marks.on = True
    marks.mark(b"")
    await stage.plain(plain)
    marks.mark(BETWEEN.encode())
    calls, calls_from = Counter(marks.calls), Counter(marks.calls_from)
    empty = marks.wrap("inside", lambda: None)
    nested = marks.wrap("outside", empty)
    for _ in range(_TRIES):
        marks.mark(b"")
        nested()
    counts = {"requests": AT_ONCE // 4, "calls": calls, "calls_from": calls_from}
    (OUT / "marks.json").write_bytes(msgspec.json.encode(counts))


class Marked(msgspec.Struct):
    """How often the marked pass went into each step, and out of it into others."""

    requests: int
    calls: dict[str, int]
    calls_from: dict[str, int]


def by_step(counts: Counter[str], whole: float) -> dict[str, float]:
    """Instructions of one plain request by step, without the marks; BETWEEN is what is left of the `whole`."""
    marked = msgspec.json.decode((OUT / "marks.json").read_bytes(), type=Marked)
    inside = counts["inside"] / _TRIES
    outside = counts["outside"] / _TRIES - inside
    steps = {
        step: (counts[step] - inside * marked.calls.get(step, 0) - outside * marked.calls_from.get(step, 0))
        / marked.requests
        for step in STEPS
    }
    return {**steps, BETWEEN: whole - sum(steps.values())}


def table(counts: Counter[str], requests: int, events: int) -> str:
    """Markdown: thousand instructions of each step of one plain request, and of one event."""
    whole = counts["plain"] / requests
    lines = ["| Step | thousand instructions |", "|---|---|"]
    lines += [f"| {step} | {round(count / 1000)} |" for step, count in by_step(counts, whole).items()]
    event = (counts["longer stream"] - counts["stream"]) / (AT_ONCE * events)
    lines += [
        f"| in all | {round(whole / 1000)} |",
        "",
        f"One relayed event: {event / 1000:.1f} thousand instructions.",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
