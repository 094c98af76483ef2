"""A checkpoint's configuration against the zoo's manifest: where they differ, a person decides."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from zoo.convert.stated import Stated
from zoo.errors import ConfigError, UsageError
from zoo.manifest import Manifest, registry
from zoo.spec import CLIPSpec


def reconcile(stated: Stated, manifest: Manifest | None, *, trust: str | None) -> CLIPSpec:
    """The specification to convert by. What the file has no word for is the manifest's to say.

    Args:
        stated: the file's.
        manifest: the zoo's entry, where there is one.
        trust: ``file`` or ``manifest``: whose word counts where they differ.

    Raises:
        ConfigError: they differ in something that changes a number, and nobody has decided; or
            nobody says which activation it is.
        UsageError: ``trust`` names the manifest of a model that has none.
    """
    if manifest is None:
        if trust == "manifest":
            raise UsageError("--trust manifest: this model is not in the zoo and has no manifest")
        if "vision.activation" in stated.unsaid:
            raise ConfigError(
                "nothing says which activation the image tower has",
                where=stated.files[0],
                remedy="Say it with --arch: open_clip's name of the architecture, which ends in "
                "-quickgelu for quick_gelu; or, for a model of the zoo, with --id.",
            )
        return stated.spec
    claimed = _claimed(stated, manifest)
    spec = stated.completed(claimed)
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


def contradictions(
    spec: CLIPSpec, stated: Stated, manifest: Manifest | None, *, trust: str | None
) -> list[str]:
    """What a converted checkpoint's configuration has otherwise than its source states it today.

    Args:
        spec: the checkpoint's.
        stated: the source's; what it has no word for is the checkpoint's to say.
        manifest: the zoo's entry, where there is one.
        trust: whose word counted when it was converted.
    """
    if not stated.files:
        return []  # a bare file of weights, and whoever converted it said what they are
    believed = trust == "manifest" and manifest is not None
    said = _claimed(stated, manifest) if believed and manifest else stated.completed(spec)
    says = "the manifest" if believed else stated.files[0].name
    return [
        f"{field} is {ours}, and {says} says {theirs}"
        for field, ours, theirs in _differences(asdict(spec), asdict(said), "")
    ]


def _claimed(stated: Stated, manifest: Manifest) -> CLIPSpec:
    """The manifest's specification, with the file's activation where that is contested."""
    if manifest.quick_gelu != "from-file" or "vision.activation" in stated.unsaid:
        return registry().spec(manifest)
    towers = (stated.spec.vision, stated.spec.text)
    quick_gelu = any(tower.activation == "quick_gelu" for tower in towers if tower is not None)
    return registry().spec(manifest, quick_gelu=quick_gelu)


def _differences(ours: Any, theirs: Any, field: str) -> list[tuple[str, Any, Any]]:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return [
            difference
            for key in ours
            for difference in _differences(ours[key], theirs[key], f"{field}.{key}".lstrip("."))
        ]
    return [] if ours == theirs else [(field, ours, theirs)]
