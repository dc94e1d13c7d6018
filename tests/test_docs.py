"""The documentation says what the code does, where that can be compared."""

import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import anygate.admin.api.call
import anygate.admin.errors
import anygate.canonical.errors
import anygate.control.envelope
from anygate.admin.api.operations import OPERATIONS
from anygate.admin.errors import AdminError
from anygate.canonical.errors import GatewayError
from anygate.observe.metrics import METRICS

ROOT = Path(__file__).parents[1]
MODULES = (anygate.canonical.errors, anygate.control.envelope, anygate.admin.errors, anygate.admin.api.call)
ROW = re.compile(r"^\| `(\w+)` \| (\d{3}) \| `(\w+)` \| [^|]+ \| [^|]+ \|$", re.MULTILINE)
SETTING = re.compile(r"^#(\w+) = ", re.MULTILINE)
INNER = re.compile(r"[{,] (\w+) = ")
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


def error_classes(module: ModuleType) -> Iterator[type[GatewayError] | type[AdminError]]:
    for value in vars(module).values():
        if (
            isinstance(value, type)
            and issubclass(value, GatewayError | AdminError)
            and value.__module__ == module.__name__
            and value not in (GatewayError, AdminError)
        ):
            yield value


def test_each_error_class_has_its_row_with_its_status_and_code():
    rows = ROW.findall((ROOT / "docs/errors.md").read_text(encoding="utf-8"))
    documented = {name: (int(status), code) for name, status, code in rows}
    assert len(documented) == len(rows), "a class has two rows"
    defined = {kind.__name__: (kind.status, kind.code) for module in MODULES for kind in error_classes(module)}
    assert documented == defined


def test_each_setting_of_the_template_is_in_the_reference():
    template = (ROOT / "src/anygate/admin/anygate.toml").read_text(encoding="utf-8")
    reference = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    names = {*SETTING.findall(template)}
    names |= {name for line in template.splitlines() if "timeouts =" in line for name in INNER.findall(line)}
    assert len(names) > 50
    assert [name for name in sorted(names) if f"`{name}`" not in reference] == []


def test_each_operation_of_the_json_api_is_documented():
    text = (ROOT / "docs/operating.md").read_text(encoding="utf-8")
    documented = re.findall(r"`((?:GET|POST|PUT|PATCH|DELETE) /[^`]*)`", text.partition("| Request |")[2])
    assert sorted(documented) == sorted(f"{operation.method} {operation.path}" for operation in OPERATIONS)


def test_each_metric_that_is_named_exists():
    named = set(re.findall(r"`(anygate_[a-z_]+)`", (ROOT / "docs/operating.md").read_text(encoding="utf-8")))
    assert named
    assert {name.removesuffix("_total") for name in named} <= METRICS.keys()


def test_links_between_the_documents_lead_somewhere():
    documents = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
    assert len(documents) > 8
    broken = [
        f"{document.relative_to(ROOT)}: {target}"
        for document in documents
        for target in LINK.findall(document.read_text(encoding="utf-8"))
        if not (document.parent / target).exists()
    ]
    assert broken == []


def test_both_readmes_show_the_same_commands():
    english, chinese = (
        [line for block in re.findall(r"```(?:sh|toml)\n(.*?)```", text, re.DOTALL) for line in commands(block)]
        for text in ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.zh-CN.md"))
    )
    assert english == chinese
    assert len(english) > 10


def commands(block: str) -> list[str]:
    """The lines of a block without their comments, which are in the reader's language."""
    return [line.split(" #")[0].rstrip() for line in block.splitlines() if line and not line.startswith("#")]
