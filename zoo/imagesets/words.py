"""A data set's own class names and templates, from JSON or text files beside its pictures.

Templates are data: ``{}`` is replaced as plain text, nothing is ever formatted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from zoo.errors import DatasetError
from zoo.imagesets.tree import Tree

# The seed's names are labels.txt and templates.txt; CLIP_benchmark's are the last of each.
CLASS_FILES = ("classes.json", "classes.txt", "labels.txt", "classnames.txt")
TEMPLATE_FILES = ("templates.json", "templates.txt", "zeroshot_classification_templates.txt")
ADVICE = (
    f"Put class names, one per line in the order of the labels, into {CLASS_FILES[1]} "
    f"and templates with {{}} for the name into {TEMPLATE_FILES[1]}."
)


def own_words(tree: Tree) -> tuple[Sequence[str] | Mapping[str, str], tuple[str, ...]] | None:
    """Class names and templates; None where there are no names.

    The names are in the order of the labels, or by class folder.

    Raises:
        DatasetError: a file is not what it should be, or there are names and no templates.
    """
    names_file = _first(tree, CLASS_FILES)
    templates_file = _first(tree, TEMPLATE_FILES)
    if names_file is None:
        return None
    if templates_file is None:
        raise DatasetError(
            f"there are class names in {names_file}, and no templates",
            where=tree.where,
            remedy=ADVICE,
        )
    templates = _lines(tree, templates_file)
    if templates_file == TEMPLATE_FILES[-1]:
        templates = tuple(template.replace("{c}", "{}") for template in templates)
    if names_file.endswith(".json") and tree.text(names_file).lstrip().startswith("{"):
        return _decoded(tree, names_file, dict[str, str]), templates
    return _lines(tree, names_file), templates


def _first(tree: Tree, names: Sequence[str]) -> str | None:
    return next((name for name in names if name in tree.files), None)


def _lines(tree: Tree, name: str) -> tuple[str, ...]:
    if name.endswith(".json"):
        decoded: tuple[str, ...] = _decoded(tree, name, tuple[str, ...])
        return decoded
    return tuple(line.strip() for line in tree.text(name).splitlines() if line.strip())


def _decoded(tree: Tree, name: str, kind: Any) -> Any:
    try:
        return msgspec.json.decode(tree.text(name), type=kind)
    except msgspec.MsgspecError as error:
        raise DatasetError(f"{name}: {error}", where=tree.where) from None
