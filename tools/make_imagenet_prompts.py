"""Write the ImageNet class names and prompt templates that open_clip evaluates with, and the
WordNet id of each class.

    python tools/make_imagenet_prompts.py

needs open_clip_torch and timm to be installed, but not torch: only their tables are read. The
output goes to zoo/data; the digests in zoo/data/README.md must then be brought up to date.
"""

from __future__ import annotations

import json
import runpy
from importlib.util import find_spec
from pathlib import Path

DATA = Path(__file__).resolve().parents[1] / "zoo" / "data"


def imagenet_prompts() -> dict[str, list[str]]:
    """File name to strings; ``{}`` in a template stands for the class name."""
    table = runpy.run_path(str(folder_of("open_clip") / "zero_shot_metadata.py"))
    ids = folder_of("timm") / "data" / "_info" / "imagenet_synsets.txt"
    return {
        "imagenet_classes.json": list(table["IMAGENET_CLASSNAMES"]),
        "imagenet_templates.json": [fill("{}") for fill in table["OPENAI_IMAGENET_TEMPLATES"]],
        "imagenet_wordnet_ids.json": ids.read_text().split(),
    }


def folder_of(package: str) -> Path:
    found = find_spec(package)
    if found is None or found.origin is None:
        raise SystemExit(f"{package} is not installed; run: pip install open_clip_torch")
    return Path(found.origin).parent


def render(strings: list[str]) -> str:
    return json.dumps(strings, ensure_ascii=False, indent=0) + "\n"


def main() -> None:
    for name, strings in imagenet_prompts().items():
        (DATA / name).write_text(render(strings), encoding="utf-8")


if __name__ == "__main__":
    main()
