"""What the architecture tests read: the files of this clone that are or would be committed, and their imports."""

from __future__ import annotations

import ast
import functools
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("protocol", "oracle", "provider", "requester")
SIDES = ("oracle", "provider", "requester")


@dataclass(frozen=True)
class Import:
    """One import: the file, its line, and the module's full dotted name."""

    path: Path
    line: int
    module: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line} imports {self.module}"

    def is_of(self, *packages: str) -> bool:
        return any(self.module == name or self.module.startswith(f"{name}.") for name in packages)


@functools.cache
def committed_files() -> tuple[Path, ...]:
    """Paths relative to the root of all files that git knows or would add; ignored ones are left out."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    names = sorted(set(listing.stdout.split("\0")) - {""})
    return tuple(Path(name) for name in names if (ROOT / name).is_file())


def python_files(*folders: str) -> list[Path]:
    """Python files below the named top folders."""
    return [path for path in committed_files() if path.suffix == ".py" and path.parts[0] in folders]


def parsed(path: Path) -> ast.Module:
    return ast.parse((ROOT / path).read_text(), filename=str(path))


def imports_of(path: Path) -> list[Import]:
    """Every import of a file, wherever it stands; `from a import b` counts as `a.b`, which may be a module."""
    found: list[Import] = []
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            found += [Import(path, node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join((*package_of(path, node.level), *([node.module] if node.module else [])))
            found += [Import(path, node.lineno, f"{base}.{alias.name}") for alias in node.names]
    return found


def package_of(path: Path, level: int) -> tuple[str, ...]:
    """The package that a relative import of that many dots starts from; nothing for an absolute one."""
    return path.with_suffix("").parts[:-level] if level else ()
