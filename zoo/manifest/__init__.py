"""The zoo's entries: what people claim about each model, as reviewed data.

``entry`` is one TOML file as a frozen dataclass; ``registry`` is all of them, found by name. The
folder ``manifests`` holds the data, ``manifests/schema.json`` its JSON schema.
"""

from __future__ import annotations

from zoo.manifest.entry import Manifest, ParamsClaim, Top1Claim
from zoo.manifest.registry import Registry, registry

__all__ = ["Manifest", "ParamsClaim", "Registry", "Top1Claim", "registry"]
