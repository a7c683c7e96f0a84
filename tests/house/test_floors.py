"""The floors: which package may import which, and which outside libraries. Change the tables here first.

Imports inside functions, under TYPE_CHECKING and through `import_module` count like any other.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src"

#: A package may import any package on a lower floor, and none on its own.
FLOORS = {
    "errors": 0,
    "trials": 0,  # trial files and nothing else
    "values": 1,
    "yamltext": 1,
    "record": 2,
    "criteria": 3,
    "readers": 3,
    "language": 4,
    "engines": 4,
    "conduct": 4,
    "printed": 4,
    "screening": 5,
    "freetext": 5,
    "analysis": 5,
    "registry": 6,
    "population": 6,
    "faces": 7,
    "onstudy": 8,  # the package's own __init__: what `from onstudy import ...` offers
}

#: Lower floors that are closed all the same.
CLOSED = {
    "values": {"yamltext"},
    "registry": {"screening", "conduct"},
    "population": {"screening", "conduct"},
}

#: The outside libraries of a package, or of one part of it (`engines/vector`: vector.py or a folder vector).
OUTSIDE = {
    "values/quantity": {"pint", "ucumvert"},
    "yamltext": {"yaml"},
    "record": {"msgspec"},
    "record/shard": {"numpy"},
    "readers": {"msgspec"},
    "readers/fhir": {"fhir"},
    "readers/omop": {"duckdb", "pyarrow"},
    "language": {"lark"},
    "engines/vector": {"numpy"},
    "printed": {"jinja2"},
    "screening": {"jinja2"},
    "analysis": {"numpy", "scipy", "matplotlib"},
    "registry": {"msgspec", "zipcodes", "httpx2"},
    "registry/packing": {"msgspec", "pyarrow"},
    "registry/reach": {"numpy"},
    "population": {"duckdb", "msgspec", "numpy", "pyarrow"},
    "population/report": {"jinja2"},
    "population/omop_postgres": {"psycopg"},
    "population/spark": {"pyspark", "py4j"},
    "faces": {"typer", "rich", "jinja2"},
    "faces/api": {"fastapi", "starlette", "pydantic", "uvicorn"},
    "faces/web": {"fastapi", "starlette", "pydantic", "uvicorn", "itsdangerous", "markupsafe", "python_multipart"},
}

#: Two parts that must not reach each other, not even by way of a third: their agreement proves something.
INDEPENDENT = [
    (f"engines/{part}", "engines/vector")
    for part in ("memory", "view", "records", "cases", "timing", "counting", "candidates", "denials", "combining")
]

#: What only faces do: they alone know today's date, the environment, the terminal and the network.
CLOCK = {"date.today", "datetime.today", "datetime.now", "datetime.utcnow", "time.time", "time.localtime"}
ENVIRONMENT = {"os.environ", "os.environb", "os.getenv", "os.getenvb"}
NETWORK = {"socket", "ssl", "urllib.request", "http.client", "ftplib", "smtplib", "asyncio"}


@dataclass(frozen=True)
class Module:
    """A file of ours: `part` is its path without suffix (`engines/memory`), `package` its first word."""

    path: Path
    part: str

    @property
    def package(self) -> str:
        return self.part.partition("/")[0]

    @property
    def name(self) -> str:
        inside = "" if self.part == "onstudy" else "." + self.part.replace("/", ".")
        return f"onstudy{inside}".removesuffix(".__init__")

    def __str__(self) -> str:
        return f"{self.part}.py"


@dataclass(frozen=True)
class Import:
    """One imported module with the name taken from it, if any, and its line."""

    module: str
    taken: str
    line: int


def modules(source: Path) -> list[Module]:
    """Every Python file below `source`/onstudy."""
    root = source / "onstudy"
    found = []
    for path in sorted(root.rglob("*.py")):
        part = path.relative_to(root).with_suffix("").as_posix()
        found.append(Module(path, "onstudy" if part in ("__init__", "__main__") else part))
    return found


def imports(module: Module) -> Iterator[Import]:
    """All imports of a file, wherever they stand."""
    tree = ast.parse(module.path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, "", node.lineno)
        elif isinstance(node, ast.ImportFrom):
            origin = _origin(module, node)
            for alias in node.names:
                yield Import(origin, alias.name, node.lineno)
        elif isinstance(node, ast.Call) and _dotted(node.func).endswith(("import_module", "__import__")):
            for name in _names_called(tree, node):
                yield Import(name, "", node.lineno)


def _names_called(tree: ast.Module, call: ast.Call) -> list[str]:
    """What `import_module` may import: the name written there, else each written in the file."""
    first = call.args[0] if call.args else None
    if isinstance(first, ast.Constant):
        return [str(first.value)]
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    return [t for t in texts if isinstance(t, str) and re.fullmatch(r"[a-z_]\w*(\.\w+)+", t)] or ["?"]


def _origin(module: Module, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    is_package = module.path.name == "__init__.py"
    above = module.name.split(".")
    above = above[: len(above) - node.level + is_package]
    return ".".join([*above, node.module] if node.module else above)


def _dotted(node: ast.expr) -> str:
    """`a.b.c` of a chain of names; "" for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = _dotted(node.value)
        return f"{before}.{node.attr}" if before else node.attr
    return ""


def breaches(source: Path) -> list[str]:
    """Every place below `source` that breaks the tables, one line each."""
    found: list[str] = []
    for module in modules(source):
        if module.package not in FLOORS:
            found.append(f"{module}: {module.package} has no floor in tests/house/test_floors.py")
            continue
        for one in imports(module):
            found += [f"{module}:{one.line} {why}" for why in _import_breaches(module, one)]
        if FLOORS[module.package] < FLOORS["faces"]:
            found += _deeds(module)
    return [*found, *_dependence(source)]


def _import_breaches(module: Module, one: Import) -> Iterator[str]:
    if one.module == "?":
        yield "imports a module whose name is not written out"
        return
    top = one.module.partition(".")[0]
    if top != "onstudy":
        if top not in sys.stdlib_module_names and top not in _allowed_outside(module):
            yield f"imports {top}, which {module.package} may not"
        return
    words = [*one.module.split(".")[1:], *([one.taken] if one.taken else [])]
    if not words or words[0] == "*":
        yield "imports onstudy itself; import the module that is meant"
        return
    target = words[0]
    if target == module.package:
        yield from _sibling_breaches(module, words)
    elif target not in FLOORS:
        yield f"imports onstudy.{target}, which has no floor"
    elif FLOORS[target] >= FLOORS[module.package] or target in CLOSED.get(module.package, set()):
        yield f"imports {target}, which {module.package} may not"


def _sibling_breaches(module: Module, words: list[str]) -> Iterator[str]:
    """Inside faces, one face may use another's public names, not what lies deeper."""
    if module.package != "faces" or len(words) < 2:
        return
    own = module.part.split("/")[1]
    if words[1] != own and any(word.startswith("_") for word in words[1:]):
        yield f"imports the insides of faces.{words[1]}"


def _allowed_outside(module: Module) -> set[str]:
    return {
        library
        for part, libraries in OUTSIDE.items()
        if module.part == part or module.part.startswith(f"{part}/")
        for library in libraries
    }


def _deeds(module: Module) -> Iterator[str]:
    """What a file below the faces does though only faces may."""
    tree = ast.parse(module.path.read_text(encoding="utf-8"))
    script = {id(node) for part in tree.body if _is_main(part) for node in ast.walk(part)}
    for node in ast.walk(tree):
        name = _dotted(node) if isinstance(node, ast.Attribute | ast.Name) else ""
        last_two = ".".join(name.split(".")[-2:])
        if last_two in CLOCK or last_two in ENVIRONMENT:
            yield f"{module}:{getattr(node, 'lineno', 0)} uses {last_two}"
        if isinstance(node, ast.Call) and _dotted(node.func) == "print" and id(node) not in script:
            yield f"{module}:{node.lineno} prints"
    for one in imports(module):
        whole = f"{one.module}.{one.taken}".rstrip(".")
        if one.module in NETWORK or whole in NETWORK or whole in ENVIRONMENT or whole in CLOCK:
            yield f"{module}:{one.line} imports {whole}"


def _is_main(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'"


def _dependence(source: Path) -> Iterator[str]:
    """Pairs of parts of which one reaches the other, directly or by way of others."""
    known = modules(source)
    reach = {
        module.part: {other.part for one in imports(module) for other in known if _meant(one, other)}
        for module in known
    }
    for pair in INDEPENDENT:
        for start, goal in (pair, pair[::-1]):
            starts = [part for part in reach if _within(part, start)]
            for part in starts:
                way = _way(reach, part, goal)
                if way:
                    yield f"{part}.py reaches {goal}, of which it must be independent: {' > '.join(way)}"


def _meant(one: Import, other: Module) -> bool:
    return other.name in (one.module, f"{one.module}.{one.taken}")


def _within(part: str, whole: str) -> bool:
    return part == whole or part.startswith(f"{whole}/")


def _way(reach: dict[str, set[str]], start: str, goal: str) -> list[str]:
    """The first way found from one part to another; empty if there is none."""
    ways = [[start]]
    seen = {start}
    while ways:
        way = ways.pop(0)
        if _within(way[-1], goal):
            return way
        for following in sorted(reach[way[-1]] - seen):
            seen.add(following)
            ways.append([*way, following])
    return []


def test_imports_keep_to_their_floors() -> None:
    found = breaches(SOURCE)
    assert not found, "\n".join(found)


def test_the_tables_agree_with_each_other() -> None:
    assert {part.partition("/")[0] for part in OUTSIDE} <= set(FLOORS)
    for package, closed in CLOSED.items():
        assert package in FLOORS
        assert closed <= set(FLOORS)
    assert FLOORS["errors"] == min(FLOORS.values())


# The test tested: each planted line is found, and the line beside it, which is allowed, is not. ----------


def _plant(tree: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = tree / "onstudy" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("file", "line", "why"),
    [
        ("record/patient.py", "from onstudy.criteria.expr import Expr", "imports criteria"),
        ("record/patient.py", "import onstudy.screening", "imports screening"),
        ("record/patient.py", "from onstudy import engines", "imports engines"),
        ("record/patient.py", "from ..readers import csv", "imports readers"),
        ("record/patient.py", "from .. import language", "imports language"),
        ("record/patient.py", "import onstudy", "imports onstudy itself"),
        ("record/patient.py", "from onstudy import *", "imports onstudy itself"),
        ("record/patient.py", "from onstudy.somewhere import x", "no floor"),
        ("record/patient.py", "def f():\n    from onstudy.faces import cli", "imports faces"),
        ("record/patient.py", "import numpy as np", "imports numpy"),
        ("record/patient.py", "from importlib import import_module\nimport_module('numpy')", "imports numpy"),
        ("record/patient.py", "import importlib\nimportlib.import_module(name)", "not written out"),
        (
            "readers/__init__.py",
            "READERS = {'a': 'onstudy.criteria.expr'}\nimport_module(READERS[x])",
            "imports criteria",
        ),
        ("readers/__init__.py", "import_module(f'onstudy.{x}.expr')", "not written out"),
        ("record/patient.py", "if TYPE_CHECKING:\n    import pandas", "imports pandas"),
        ("values/codes.py", "def f():\n    import pint", "imports pint"),
        ("values/codes.py", "from onstudy.yamltext import read_yaml", "imports yamltext"),
        ("criteria/expr.py", "import onstudy.readers.csv", "imports readers"),
        ("readers/csv.py", "from onstudy.criteria import expr", "imports criteria"),
        ("readers/csv.py", "import duckdb", "imports duckdb"),
        ("engines/memory.py", "import numpy", "imports numpy"),
        ("engines/memory.py", "from onstudy.language import parse", "imports language"),
        ("screening/screen.py", "from onstudy.analysis import endpoint", "imports analysis"),
        ("population/prescreen.py", "from onstudy.screening.screen import screen", "imports screening"),
        ("population/prescreen.py", "import pyspark", "imports pyspark"),
        ("registry/search.py", "import onstudy.conduct.events", "imports conduct"),
        ("registry/search.py", "import onstudy.population", "imports population"),
        ("faces/cli.py", "import duckdb", "imports duckdb"),
        ("faces/cli.py", "from onstudy.faces.api import _routes", "insides"),
        ("faces/cli.py", "import onstudy.faces.api._routes", "insides"),
        ("manager/things.py", "", "manager has no floor"),
        ("screening/screen.py", "today = date.today()", "uses date.today"),
        ("screening/screen.py", "import datetime as d\nd.datetime.now()", "uses datetime.now"),
        ("screening/screen.py", "from time import time", "imports time.time"),
        ("screening/screen.py", "import os\nos.environ['HOME']", "uses os.environ"),
        ("screening/screen.py", "from os import getenv", "imports os.getenv"),
        ("screening/screen.py", "print('x')", "prints"),
        ("screening/screen.py", "import socket", "imports socket"),
        ("registry/update.py", "from urllib import request", "imports urllib.request"),
    ],
)
def test_a_planted_breach_is_found(tmp_path: Path, file: str, line: str, why: str) -> None:
    _plant(tmp_path, {file: line})
    found = breaches(tmp_path)
    assert any(why in breach for breach in found), found
    assert all(breach.startswith(file.removesuffix(".py")) for breach in found)


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("__init__.py", "def __getattr__(name):\n    from onstudy.screening.screen import screen"),
        ("__main__.py", "from onstudy.faces.cli import main"),
        ("values/quantity.py", "def f():\n    import pint"),
        ("engines/vector.py", "import numpy"),
        ("engines/vector/leaves.py", "import numpy"),
        ("engines/windows.py", "from onstudy.engines.memory import evaluate"),
        ("readers/__init__.py", "READERS = {'a': 'onstudy.readers.fhir'}\nimport_module(READERS[x])"),
        ("record/patient.py", "from datetime import date, datetime\nimport urllib.parse"),
        ("record/kinds_page.py", "if __name__ == '__main__':\n    print('page')"),
        ("screening/screen.py", "from onstudy.engines.memory import evaluate\nimport jinja2"),
        ("population/spark.py", "import pyspark"),
        ("faces/cli.py", "import typer, os, datetime\nprint(datetime.date.today(), os.environ)"),
        ("faces/web/app.py", "from onstudy.faces.api import routes"),
        ("faces/web/app.py", "from onstudy.faces.web import _pages"),
    ],
)
def test_what_is_allowed_is_no_breach(tmp_path: Path, file: str, line: str) -> None:
    _plant(tmp_path, {file: line})
    assert breaches(tmp_path) == []


@pytest.mark.parametrize(
    "files",
    [
        {"engines/memory.py": "import onstudy.engines.vector", "engines/vector.py": ""},
        {"engines/memory.py": "", "engines/vector.py": "from onstudy.engines import memory"},
        {"engines/memory.py": "", "engines/vector.py": "def f():\n    from .memory import evaluate"},
        {
            "engines/memory.py": "",
            "engines/windows.py": "from onstudy.engines.memory import evaluate",
            "engines/vector.py": "from onstudy.engines.windows import windows",
        },
        {
            "engines/memory.py": "",
            "engines/vector/__init__.py": "",
            "engines/vector/leaves.py": "from ..memory import evaluate",
        },
    ],
)
def test_the_two_engines_are_kept_independent(tmp_path: Path, files: dict[str, str]) -> None:
    _plant(tmp_path, files)
    assert any("independent" in breach for breach in breaches(tmp_path))
