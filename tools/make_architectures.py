"""Write manifests/architectures: open_clip's architecture names as data.

    python tools/make_architectures.py

needs open_clip_torch to be installed, but not torch: only its model configurations are read. Those
that zoo does not compute (another tower, pooling or tokenizer) are left out, and said so.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from zoo.errors import ConfigError
from zoo.spec import CLIPSpec, open_clip

ARCHITECTURES = Path(__file__).resolve().parents[1] / "manifests" / "architectures"


def model_configs() -> Iterator[Path]:
    """open_clip's own configuration files, one per architecture."""
    package = find_spec("open_clip")
    if package is None or package.origin is None:
        raise SystemExit("open_clip is not installed; run: pip install open_clip_torch")
    return iter(sorted(Path(package.origin).with_name("model_configs").glob("*.json")))


def render(name: str, spec: CLIPSpec) -> str:
    """The architecture as TOML, with every field that open_clip leaves to a default."""
    config = open_clip.dump(spec)["model_cfg"]
    lines = [f"# {name} of open_clip {version('open_clip_torch')}, every default written out."]
    lines += _lines({key: value for key, value in config.items() if not isinstance(value, dict)})
    for section in ("vision_cfg", "text_cfg"):
        lines += ["", f"[{section}]", *_lines(config[section])]
    return "\n".join(lines) + "\n"


def _lines(table: dict[str, Any]) -> list[str]:
    """TOML has no null: a field that open_clip sets to None is left out."""
    return [f"{key} = {_value(value)}" for key, value in table.items() if value is not None]


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(_lines(value)) + " }"
    return json.dumps(value)  # JSON's scalars and lists are TOML's


def main() -> None:
    ARCHITECTURES.mkdir(exist_ok=True)
    for old in ARCHITECTURES.glob("*.toml"):
        old.unlink()
    for path in model_configs():
        try:
            spec = open_clip.parse(json.loads(path.read_text()), path.name)
        except ConfigError as error:
            print(f"left out: {error}")
        else:
            (ARCHITECTURES / f"{path.stem}.toml").write_text(render(path.stem, spec))


if __name__ == "__main__":
    main()
