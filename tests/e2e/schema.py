"""The part of JSON Schema that the demo's schema uses, so that no further package is needed."""

from __future__ import annotations

import re
from typing import Any

KINDS: dict[str, Any] = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "array": list,
                         "object": dict}  # fmt: skip
KNOWN = {"$schema", "title", "description", "type", "required", "properties", "additionalProperties", "items", "enum",
         "const", "pattern"}  # fmt: skip


def find_breaches(schema: dict[str, Any], value: Any, where: str = "summary") -> list[str]:
    """What of the value is not as the schema says, one sentence each."""
    if unknown := set(schema) - KNOWN:
        return [f"{where}: this checker does not know {unknown}"]
    kind = schema.get("type")
    if kind and (not isinstance(value, KINDS[kind]) or (isinstance(value, bool) and kind != "boolean")):
        return [f"{where} is no {kind}: {value!r}"]
    found = []
    if "const" in schema and value != schema["const"]:
        found.append(f"{where} is {value!r}, not {schema['const']!r}")
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{where} is {value!r}, none of {schema['enum']}")
    if "pattern" in schema and not re.search(schema["pattern"], value):
        found.append(f"{where} is {value!r}, not of the form {schema['pattern']}")
    if isinstance(value, list):
        for place, item in enumerate(value):
            found += find_breaches(schema.get("items", {}), item, f"{where}[{place}]")
    if isinstance(value, dict):
        found += [f"{where} lacks {name}" for name in schema.get("required", ()) if name not in value]
        for name, item in value.items():
            inner = schema.get("properties", {}).get(name, schema.get("additionalProperties", {}))
            found += find_breaches(inner, item, f"{where}.{name}")
    return found
