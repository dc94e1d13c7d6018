"""What a newcomer types next."""

import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from anygate.settings.values import Settings
from anygate.storage.channels import list_channels
from anygate.storage.engine import Reading


def first_steps(
    connection: Reading, settings: Settings, cwd: Path, typed: Sequence[str] = sys.argv, python: str = sys.executable
) -> list[str]:
    """The three commands that lead to a first answer, to be typed as they are; none when there is a channel."""
    if list_channels(connection):
        return []
    anygate = program(typed, python)
    place = ""
    if settings.data_dir != cwd / "anygate-data":
        place += f" --data {shlex.quote(str(settings.data_dir))}"
    if settings.config_file is not None and settings.config_file != cwd / "anygate.toml":
        place += f" --config {shlex.quote(str(settings.config_file))}"
    return [
        f"{anygate} channel create openai --provider openai --key YOUR_OPENAI_KEY{place}",
        f"{anygate} user create alice --balance-usd 10{place}",
        f"{anygate} token create alice first{place}",
    ]


def program(typed: Sequence[str], python: str) -> str:
    """How this program was called, so that what it says to type can be typed: a virtual environment is not on the path."""
    called = Path(typed[0])
    if called.name == "__main__.py":
        return f"{shlex.quote(python)} -m anygate"
    found = shutil.which("anygate")
    if found is not None and Path(found).absolute() == called.absolute():
        return "anygate"
    return shlex.quote(str(called))
