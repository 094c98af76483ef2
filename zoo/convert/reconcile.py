"""A checkpoint's configuration against the zoo's manifest: where they differ, a person decides."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from zoo.errors import ConfigError, UsageError
from zoo.manifest import Manifest, registry
from zoo.spec import CLIPSpec


def reconcile(spec: CLIPSpec, manifest: Manifest | None, *, trust: str | None) -> CLIPSpec:
    """The specification to convert by.

    Args:
        spec: the file's.
        manifest: the zoo's entry, where there is one.
        trust: ``file`` or ``manifest``: whose word counts where they differ.

    Raises:
        ConfigError: they differ in something that changes a number, and nobody has decided.
        UsageError: ``trust`` names the manifest of a model that has none.
    """
    if manifest is None:
        if trust == "manifest":
            raise UsageError("--trust manifest: this model is not in the zoo and has no manifest")
        return spec
    contested = manifest.quick_gelu == "from-file"
    file_says = any(t.activation == "quick_gelu" for t in (spec.vision, spec.text) if t is not None)
    claimed = registry().spec(manifest, quick_gelu=file_says if contested else None)
    differences = [
        f"  {field}: the file says {ours}, the manifest {theirs}"
        for field, ours, theirs in _differences(asdict(spec), asdict(claimed), "")
    ]
    if not differences or trust == "file":
        return spec
    if trust == "manifest":
        return claimed
    raise ConfigError(
        f"the configuration contradicts the manifest of {manifest.id}",
        remedy="\n".join([*differences, "Decide with --trust file or --trust manifest."]),
    )


def _differences(ours: Any, theirs: Any, field: str) -> list[tuple[str, Any, Any]]:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return [
            difference
            for key in ours
            for difference in _differences(ours[key], theirs[key], f"{field}.{key}".lstrip("."))
        ]
    return [] if ours == theirs else [(field, ours, theirs)]
