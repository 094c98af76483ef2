"""Write the ImageNet class names and prompt templates that open_clip evaluates with.

    python tools/make_imagenet_prompts.py

needs open_clip_torch to be installed, but not torch: only its table of names is read. The output
goes to zoo/data; the digests in zoo/data/README.md must then be brought up to date.
"""

from __future__ import annotations

import json
import runpy
from importlib.util import find_spec
from pathlib import Path

DATA = Path(__file__).resolve().parents[1] / "zoo" / "data"


def imagenet_prompts() -> dict[str, list[str]]:
    """File name to strings; ``{}`` in a template stands for the class name."""
    package = find_spec("open_clip")
    if package is None or package.origin is None:
        raise SystemExit("open_clip is not installed; run: pip install open_clip_torch")
    table = runpy.run_path(str(Path(package.origin).with_name("zero_shot_metadata.py")))
    return {
        "imagenet_classes.json": list(table["IMAGENET_CLASSNAMES"]),
        "imagenet_templates.json": [fill("{}") for fill in table["OPENAI_IMAGENET_TEMPLATES"]],
    }


def render(strings: list[str]) -> str:
    return json.dumps(strings, ensure_ascii=False, indent=0) + "\n"


def main() -> None:
    for name, strings in imagenet_prompts().items():
        (DATA / name).write_text(render(strings), encoding="utf-8")


if __name__ == "__main__":
    main()
