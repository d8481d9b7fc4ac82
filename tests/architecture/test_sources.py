"""What no file of ours may hold, and how long one may be."""

from __future__ import annotations

import ast
import json
import re
import tomllib
from pathlib import Path

import pytest

from tests.architecture.tree import PRODUCT, ROOT, SIDES, committed_files, parsed, python_files

OURS = (*PRODUCT, "scripts", "tools", "benchmarks")
BINARY = {".png", ".jpg", ".gguf", ".safetensors", ".gz", ".svg", ".ico"}

# Put together from pieces, so that this file does not name them either.
HOSTS = ("registry.npm" + "js", "pypi" + ".org", "python" + "hosted", "download.py" + "torch", "deb." + "debian")
MACHINE_PATHS = (r"(?<![\w./-])/wo" + "rk/", "/tmp/" + "malla", r"\.lib" + "rary/", r"/opt/" + "wheels")
UNFINISHED = ("TO" + "DO", "FIX" + "ME", "NotImplemented" + "Error")
LOADERS = ("trust_remote" + "_code=True",)


def texts() -> list[tuple[Path, str]]:
    return [(path, (ROOT / path).read_text()) for path in committed_files() if path.suffix not in BINARY]


def holding(patterns: tuple[str, ...], of: list[tuple[Path, str]]) -> list[str]:
    joined = re.compile("|".join(patterns))
    return [f"{path}: {match.group()}" for path, text in of for match in joined.finditer(text)]


def test_files__committed__name_no_registry_host() -> None:
    assert holding(tuple(re.escape(host) for host in HOSTS), texts()) == []


def test_files__committed__name_no_path_of_a_machine() -> None:
    assert holding(MACHINE_PATHS, texts()) == []


def test_sources__ours__leave_nothing_unfinished() -> None:
    ours = [(path, text) for path, text in texts() if path.suffix in (".py", ".sol", ".js", ".sh")]
    assert holding(UNFINISHED, ours) == []


def test_sources__ours__load_no_code_from_data() -> None:
    of = [(path, (ROOT / path).read_text()) for path in python_files(*OURS)]
    assert holding((r"^\s*(?:import|from) (?:pickle|marshal|shelve)\b", *LOADERS), of) == []


def test_sources__except_exception__says_why() -> None:
    """The reason stands in a comment on the line itself or on the next one."""
    silent = []
    for path in python_files(*OURS):
        lines = (ROOT / path).read_text().splitlines()
        for number, line in enumerate(lines):
            after = lines[number + 1] if number + 1 < len(lines) else ""
            comment = (line.partition("#")[2] or after.partition("#")[2]).strip()
            reason = re.sub(r"noqa(:\s*[A-Z]+[0-9]+)?", "", comment).strip(" -")
            if re.match(r"\s*except(\s+\(?(Base)?Exception\b.*)?:", line) and not reason:
                silent.append(f"{path}:{number + 1}")
    assert silent == []


def test_sources__product__reads_no_environment_at_import() -> None:
    """Statements that run at import may not read os.environ; functions may."""
    early = []
    for path in python_files(*PRODUCT):
        statements = [node for node in parsed(path).body if not isinstance(node, ast.FunctionDef | ast.ClassDef)]
        for node in (inner for statement in statements for inner in ast.walk(statement)):
            if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv"):
                early.append(f"{path}:{node.lineno}")
    assert early == []


def test_sources__module_names__say_what_is_in_them() -> None:
    vague = {"utils", "util", "common", "helpers", "helper", "manager", "managers", "misc"}
    assert [str(path) for path in python_files(*OURS) if set(path.with_suffix("").parts) & vague] == []


def ceiling(path: Path) -> int | None:
    """The number of lines that a file may have; None where there is no such habit."""
    if path.suffix == ".sol":
        return 350 if path.parent == Path("contracts") else None
    if path.suffix != ".py":
        return None
    if path == Path("tests/verify_bundle.py"):
        return 200  # a stranger reads it whole before believing a verdict
    if path.name.startswith("test_"):
        return 250
    if path.parts[0] in SIDES and len(path.parts) > 2 and path.parts[1] == "flow":
        return 150
    if path.parts[0] == "protocol":
        return 260  # an algorithm stands in one file with the reasons for each of its steps
    return 220 if path.parts[0] in (*SIDES, "scripts") else None


def test_sources__length__stays_below_its_ceiling() -> None:
    too_long = []
    for path in committed_files():
        allowed = ceiling(path)
        if allowed and (rows := len((ROOT / path).read_text().splitlines())) > allowed:
            too_long.append(f"{path}: {rows} lines, {allowed} allowed")
    assert too_long == []


def test_requirements__lock__pins_each_direct_dependency_by_hash() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    direct = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    names = {re.split(r"[\[=<> ]", line)[0].lower().replace("_", "-") for line in direct} - {"torch"}
    locked = set(re.findall(r"^([a-z0-9.-]+)==\S+ \\\n    --hash", (ROOT / "requirements.lock").read_text(), re.M))
    assert sorted(names - locked) == []


@pytest.mark.parametrize("name", ["pynvml", "llama-cpp-python", "torch"])
def test_requirements__lock__leaves_out(name: str) -> None:
    assert not re.search(rf"^{name}==", (ROOT / "requirements.lock").read_text(), re.M)


def test_npm_lock__packages__carry_integrity_and_no_address() -> None:
    packages = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    assert [name for name, entry in packages.items() if "resolved" in entry] == []
    assert [name for name, entry in packages.items() if name and "integrity" not in entry] == []
