"""What people see of a listing."""

import argparse
import io
from pathlib import Path
from typing import Any

from rich.console import Console

from anygate.admin.shell import Shell, shown


def listing(rows: list[dict[str, Any]], columns: tuple[str, ...], *, width: int) -> str:
    out = io.StringIO()
    console = Console(file=out, width=width, soft_wrap=True, highlight=False, markup=False, emoji=False)
    Shell(argparse.Namespace(json=False), {}, Path(), console, console).listing(rows, columns, "nothing")
    return out.getvalue()


def test_a_row_is_one_line_however_narrow_the_terminal_is():
    rows = [{"name": "通义", "base_url": "https://a-long-name.example.com/v1"}, {"name": "openai", "base_url": ""}]
    assert listing(rows, ("name", "base_url"), width=20) == (
        "name    base url\n"
        "通义    https://a-long-name.example.com/v1\n"
        "openai  -\n"
    )  # fmt: skip


def test_a_long_list_is_cut_and_says_by_how_much():
    assert shown(["gpt-4o", "gpt-4o-mini"]) == "gpt-4o, gpt-4o-mini"
    assert shown([f"model-{number:02d}" for number in range(40)]) == (
        "model-00, model-01, model-02, model-03, model-04, model-05 and 34 more"
    )
    assert shown(["m" * 80, "n"]) == "m" * 80 + " and 1 more"
    assert shown([]) == "-"


def test_what_others_wrote_does_not_steer_the_terminal():
    assert shown("no\x1b[31mred\nline") == r"no\x1b[31mred\nline"
    assert listing([{"model": "\x1b]0;title\x07\r"}], ("model",), width=80).isascii()
    assert "\x1b" not in listing([{"model": "\x1b[2J"}], ("model",), width=80)
