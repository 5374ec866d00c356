"""The rooms of the house: who may import whom, how large things may grow, what templates must not hold."""

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from barrack_web.shell import NAVIGATION

ROOT = Path(__file__).resolve().parents[1]
FOUNDATION = {"account", "activity"}
CLIENT, SANDBOX = "barrack_web.client", "barrack_web.sandbox"
COMMANDS = "barrack_web.management.commands"
HTTP_LIBRARIES = {"httpx", "httpcore"}
# What the site as a whole is made of, and no app may lean on.
NOT_SHARED = ("barrack_web.management", "barrack_web.urls", "barrack_web.wsgi", "barrack_web.settings")

FUNCTION_LINES, FILE_LINES, TEMPLATE_LINES, SCRIPT_LINES = 40, 400, 120, 200


@dataclass(frozen=True)
class Module:
    """A Python file: its dotted name, and its source."""

    name: str
    source: str
    package: bool = False

    @property
    def imports(self) -> set[str]:
        """Every name that it imports, absolute; `from a import b` counts as a.b."""
        return {name for node in ast.walk(ast.parse(self.source)) for name in self._named(node)}

    def _named(self, node: ast.AST) -> Iterator[str]:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = self._base(node)
            yield from (f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in {"import_module", "__import__"}:
                yield str(node.args[0].value)

    def _base(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        here = self.name.split(".") if self.package else self.name.split(".")[:-1]
        kept = here[: len(here) - node.level + 1]
        return ".".join([*kept, node.module] if node.module else kept)


def inside(name: str, *rooms: str) -> bool:
    return any(name == room or name.startswith(f"{room}.") for room in rooms)


def modules() -> list[Module]:
    found = []
    for file in sorted([*ROOT.glob("barrack_web/**/*.py"), *ROOT.glob("apps/**/*.py")]):
        parts = file.relative_to(ROOT).with_suffix("").parts
        package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if package else parts)
        found.append(Module(name, file.read_text(encoding="utf-8"), package))
    return found


def public_names() -> set[str]:
    """What barrack_web.client says in __all__, read from its syntax tree."""
    tree = ast.parse((ROOT / "barrack_web/client/__init__.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            return {f"{CLIENT}.{name}" for name in ast.literal_eval(node.value)}
    raise AssertionError("barrack_web.client has no __all__")


def feature_apps() -> set[str]:
    folders = {path.parent.name for path in ROOT.glob("apps/*/__init__.py")}
    return {f"apps.{name}" for name in folders - FOUNDATION}


def violations(module: Module, features: set[str], public: set[str]) -> list[str]:
    """Return a sentence for each import that breaks a rule."""
    rules = (
        _http,
        _kept_apart,
        _sandbox,
        lambda importer, name: _public_names(importer, name, public),
        lambda importer, name: _features(importer, name, features),
    )
    reasons = [(name, rule(module.name, name)) for name in sorted(module.imports) for rule in rules]
    return [f"{module.name} imports {name}: {reason}" for name, reason in reasons if reason]


def _http(importer: str, name: str) -> str:
    allowed = inside(importer, CLIENT) or importer == f"{SANDBOX}.server"
    return "" if allowed or not inside(name, *HTTP_LIBRARIES) else "only client/ and sandbox/server.py speak HTTP"


def _kept_apart(importer: str, name: str) -> str:
    room = next((room for room in (CLIENT, SANDBOX) if inside(importer, room)), None)
    if room is None:
        return ""
    if name.split(".", maxsplit=1)[0].startswith(("django", "allauth")):
        return "Django never comes in here"
    if inside(name, "barrack_web", "apps") and not inside(name, room):
        return "client/ and sandbox/ know nothing but themselves"
    return ""


def _sandbox(importer: str, name: str) -> str:
    allowed = inside(importer, SANDBOX, COMMANDS) or importer == "barrack_web.cloud"
    return "" if allowed or not inside(name, SANDBOX) else "only cloud.py and the commands know the sandbox"


def _public_names(importer: str, name: str, public: set[str]) -> str:
    hidden = inside(name, CLIENT) and name not in public and not inside(importer, CLIENT)
    return "import public names only, with `from barrack_web.client import X`" if hidden else ""


def _features(importer: str, name: str, features: set[str]) -> str:
    own = next((feature for feature in features if inside(importer, feature)), None)
    if own is None:
        return "only a feature app imports itself" if inside(name, *features) else ""
    if inside(name, "apps") and not inside(name, own, *(f"apps.{app}" for app in FOUNDATION)):
        return "apps link to each other by URL name"
    return "this is not for apps" if inside(name, *NOT_SHARED) else ""


def too_long(module: Module) -> list[str]:
    """Return the functions that are over 40 lines, and the file itself when it is over 400."""
    found = []
    for node in ast.walk(ast.parse(module.source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES:
                found.append(f"{module.name}.{node.name} has {lines} lines")
    lines = len(module.source.splitlines())
    return [*found, *([f"{module.name} has {lines} lines"] if lines > FILE_LINES else [])]


@dataclass(frozen=True)
class Template:
    path: str
    source: str

    @property
    def markup(self) -> str:
        """The HTML as a browser would get it, near enough: without comments and template tags."""
        text = re.sub(r"{% comment.*?endcomment %}|{#.*?#}|<!--.*?-->", "", self.source, flags=re.DOTALL)
        return re.sub(r"{%.*?%}|{{.*?}}", "", text, flags=re.DOTALL)

    @property
    def icons(self) -> set[str]:
        """The icons that it names, in {% icon "x" %} or as the parameter of a component."""
        pattern = r"""{%\s*icon\s+["']([^"']+)["']|icon_name=["']([^"']+)["']"""
        return {name for pair in re.findall(pattern, self.source) for name in pair if name}


# What the content security policy forbids: it would be dead in the browser, or need a hole in the policy.
FORBIDDEN = {
    "an inline style": r"<[^>]*\sstyle\s*=",
    "a style element": r"<style\b",
    "an inline script": r"<script\b(?![^>]*\ssrc\s*=)[^>]*>",
    "an event handler": r"<[^>]*\s(?:on[a-z]+|hx-on[:\w-]*)\s*=",
    "a javascript: address": r"javascript:",
}


def templates() -> list[Template]:
    files = [*ROOT.glob("templates/**/*.*"), *ROOT.glob("apps/*/templates/**/*.*")]
    return [Template(str(file.relative_to(ROOT)), file.read_text(encoding="utf-8")) for file in sorted(files)]


def forbidden(template: Template) -> list[str]:
    return [
        f"{template.path} holds {what}"
        for what, pattern in FORBIDDEN.items()
        if re.search(pattern, template.markup, re.IGNORECASE)
    ]


# --- The rules, over the tree as it is -------------------------------------------------------------------------------


def test_it_keeps_the_import_rules() -> None:
    features, public = feature_apps(), public_names()
    found = [line for module in modules() for line in violations(module, features, public)]
    assert not found, "\n".join(found)


def test_it_looks_at_every_room() -> None:
    # given that a glob that finds nothing would let everything pass
    names = {module.name for module in modules()}
    assert {"barrack_web.cloud", "barrack_web.client.transport", "barrack_web.sandbox.server"} <= names
    assert {"apps.snapshots.views", "apps.account.models", "apps.activity.perform"} <= names
    assert {"apps.vms", "apps.snapshots"} <= feature_apps()
    assert len(templates()) > 30


def test_it_imports_only_libraries_that_the_project_lists() -> None:
    listed = re.findall(
        r'^\s+"([a-z0-9-]+)', (ROOT / "pyproject.toml").read_text().partition("[dependency-groups]")[0], re.MULTILINE
    )
    distributions = packages_distributions()
    found = []
    for module in modules():
        for top in {name.split(".")[0] for name in module.imports} - set(sys.stdlib_module_names):
            owners = {owner.lower() for owner in distributions.get(top, [])}
            if top not in {"barrack_web", "apps"} and not owners & set(listed):
                found.append(f"{module.name} imports {top}")
    assert not found, "\n".join(found)


def test_it_keeps_functions_and_files_short() -> None:
    found = [line for module in modules() for line in too_long(module)]
    assert not found, "\n".join(found)


def test_it_keeps_templates_short() -> None:
    found = [
        f"{template.path} has {lines} lines"
        for template in templates()
        if (lines := len(template.source.splitlines())) > TEMPLATE_LINES
    ]
    assert not found, "\n".join(found)


def test_it_keeps_our_javascript_short() -> None:
    files = list((ROOT / "static" / "js").rglob("*.js"))
    lines = sum(len(file.read_text(encoding="utf-8").splitlines()) for file in files)
    assert files
    assert lines <= SCRIPT_LINES, f"our own JavaScript has {lines} lines"


def test_it_keeps_styles_and_scripts_out_of_templates() -> None:
    found = [line for template in templates() for line in forbidden(template)]
    assert not found, "\n".join(found)


def test_it_has_every_icon_that_is_named() -> None:
    named = {name for template in templates() for name in template.icons} | {entry.icon for entry in NAVIGATION}
    there = {file.stem for file in (ROOT / "static" / "icons").glob("*.svg")}
    assert "camera" in named
    assert named <= there, f"no such icon: {sorted(named - there)}"


# --- The checker itself: it catches what somebody might write --------------------------------------------------------


@pytest.mark.parametrize(
    ("importer", "line"),
    [
        ("apps.snapshots.views", "import httpx"),
        ("apps.snapshots.views", "from httpcore import ConnectError"),
        ("barrack_web.sandbox.core", "import httpx"),
        ("barrack_web.cloud", "def late():\n    import httpx"),
        ("barrack_web.client.errors", "from django.conf import settings"),
        ("barrack_web.sandbox.world", "import django.utils.timezone"),
        ("barrack_web.sandbox.world", "from barrack_web.client import Snapshot"),
        ("barrack_web.sandbox.world", "from ..client import Snapshot"),
        ("barrack_web.client.transport", "from barrack_web.sandbox.server import transport"),
        ("barrack_web.client.transport", "from barrack_web import clock"),
        ("barrack_web.health", "from barrack_web.sandbox.server import Sandbox"),
        ("barrack_web.health", "from barrack_web import sandbox"),
        ("barrack_web.health", "from apps.vms import views"),
        ("apps.snapshots.views", "import barrack_web.sandbox.world"),
        ("apps.snapshots.views", "from barrack_web.client.errors import Broken"),
        ("apps.snapshots.views", "from barrack_web.client import errors"),
        ("apps.snapshots.views", "from apps.vms.views import list_vms"),
        ("apps.snapshots.views", "from ..vms import views"),
        ("apps.snapshots.views", "import importlib\nimportlib.import_module('apps.vms.views')"),
        ("apps.snapshots.views", "from barrack_web import settings"),
        ("apps.account.views", "from apps.snapshots import rules"),
        ("apps.activity.views", "from apps.snapshots import rules"),
    ],
)
def test_it_catches_a_forbidden_import(importer: str, line: str) -> None:
    found = violations(Module(importer, line), {"apps.vms", "apps.snapshots"}, public_names())
    assert found
    assert found[0].startswith(f"{importer} imports ")


@pytest.mark.parametrize(
    ("importer", "line"),
    [
        ("barrack_web.client.transport", "import httpx\nfrom .errors import Broken"),
        ("barrack_web.sandbox.server", "import httpx\nfrom barrack_web.sandbox.core import Reply"),
        ("barrack_web.cloud", "from barrack_web.sandbox.server import Sandbox"),
        ("barrack_web.management.commands.demo", "from barrack_web.sandbox.server import Sandbox"),
        ("apps.snapshots.views", "from barrack_web.client import Snapshot\nfrom barrack_web import cloud"),
        ("apps.snapshots.views", "from apps.account.roles import can\nfrom . import rules"),
        ("apps.account.views", "from apps.activity.events import record"),
    ],
)
def test_it_lets_a_fitting_import_pass(importer: str, line: str) -> None:
    assert violations(Module(importer, line), {"apps.vms", "apps.snapshots"}, public_names()) == []


def test_it_catches_what_grew_too_long() -> None:
    long_function = "def long():\n" + "    x = 1\n" * FUNCTION_LINES
    assert too_long(Module("a", long_function)) == [f"a.long has {FUNCTION_LINES + 1} lines"]
    assert too_long(Module("a", long_function.replace("    x = 1\n", "", 1))) == []
    assert too_long(Module("a", "x = 1\n" * (FILE_LINES + 1))) == [f"a has {FILE_LINES + 1} lines"]


@pytest.mark.parametrize(
    "markup",
    [
        '<p class="a" style="color: red">',
        "<style>p { color: red }</style>",
        "<script>alert(1)</script>",
        '<script type="module">alert(1)</script>',
        '<button class="{% if a %}b{% endif %}" onclick="go()">',
        '<button hx-on:click="go()">',
        '<a href="javascript:go()">',
    ],
)
def test_it_catches_what_the_policy_forbids(markup: str) -> None:
    assert len(forbidden(Template("made-up.html", markup))) == 1
    # and what stands in a comment does nobody harm
    assert forbidden(Template("made-up.html", f"{{% comment %}}{markup}{{% endcomment %}}")) == []


def test_it_lets_files_of_our_own_pass() -> None:
    markup = '<script src="{% static "js/app.js" %}" defer></script><button hx-confirm="Sure?" data-on="1">'
    assert forbidden(Template("made-up.html", markup)) == []


def test_it_finds_the_icons_that_a_template_names() -> None:
    source = """{% icon "x" %}{% include "components/button.html" with icon_name='trash' %}{% icon entry.icon %}"""
    assert Template("made-up.html", source).icons == {"x", "trash"}
