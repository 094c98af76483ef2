"""Write manifests/schema.json: the JSON schema of a manifest, from its dataclasses.

    python tools/make_schema.py

Run it after a change to zoo/manifest/entry.py.
"""

from __future__ import annotations

import json
from inspect import cleandoc
from pathlib import Path

import msgspec

from zoo.manifest import Manifest

SCHEMA = Path(__file__).resolve().parents[1] / "manifests" / "schema.json"


def render() -> str:
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **msgspec.json.schema(Manifest),
    }
    for definition in schema["$defs"].values():
        if "description" in definition:  # docstrings are indented in Python before 3.13 only
            definition["description"] = cleandoc(definition["description"])
    return json.dumps(schema, indent=2) + "\n"


if __name__ == "__main__":
    SCHEMA.write_text(render())
