"""Writes the tables of docs/reproduce.md, from the manifests and docs/recipes.toml.

python -m tools.make_reproduce
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from zoo.manifest import Manifest, registry

PAGE = Path(__file__).parent.parent / "docs" / "reproduce.md"
RECIPES = PAGE.with_name("recipes.toml")
START, END = "<!-- {}: made by tools/make_reproduce.py -->", "<!-- end of {} -->"
DATA = {"imagenet1k": "ImageNet's validation set"}

Number = tuple[float, str]  # a figure and the key of its source
Word = tuple[str, str]


class Recipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One way of training; what is None no source states."""

    models: list[str]
    data: Word
    pairs: Number | None = None  # seen, repetitions counted
    batch: Number | None = None
    rate: Number | None = None
    warmup: Number | None = None  # steps
    decay: Number | None = None
    beta2: Number | None = None
    epsilon: Number | None = None
    precision: Word | None = None
    gpus: Word | None = None
    note: str | None = None


class Recipes(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    sources: dict[str, str]
    recipe: list[Recipe]


COLUMNS = {
    "pairs": "pairs seen",
    "batch": "batch",
    "rate": "rate",
    "warmup": "warm-up",
    "decay": "decay",
    "beta2": "β2",
    "epsilon": "ε",
    "precision": "precision",
    "gpus": "GPUs",
}
PRECISIONS = {"amp": " --fp16 True"}  # open_clip's word: torch's autocast in float16
# The flag of each figure; the number of GPUs is left to who runs it.
FLAGS = {
    "rate": "learning_rate",
    "warmup": "warmup_steps",
    "decay": "weight_decay",
    "beta2": "adam_beta2",
    "epsilon": "adam_epsilon",
}


def table() -> str:
    """A row per entry: what to type, on what, and the figure to expect."""
    lines = [
        "| model | data | top-1 expected (%) | source of the figure | command |",
        "|---|---|---:|---|---|",
        *(_row(manifest) for manifest in registry().manifests),
    ]
    return "\n".join(lines)


def _row(manifest: Manifest) -> str:
    claim = manifest.judged_claim
    figure, source, data = "", "", ""
    if claim is not None:
        figure, source, data = str(claim), claim.source, DATA[claim.dataset]
    command = f"`zoo verify {manifest.id} --zero-shot`"
    return f"| `{manifest.id}` | {data} | {figure} | {source} | {command} |"


def read_recipes() -> Recipes:
    return msgspec.toml.decode(RECIPES.read_bytes(), type=Recipes)


def recipes() -> str:
    """A row per recipe, each figure with its source's number; the sources; the commands."""
    found = read_recipes()
    numbers = {key: number for number, key in enumerate(found.sources, start=1)}
    lines = [
        f"| models | data | {' | '.join(COLUMNS.values())} |",
        f"|---|---|{'---:|' * 7}---|---|",
    ]
    for recipe in found.recipe:
        models = ", ".join(f"`{model}`" for model in recipe.models)
        cells = (_cell(getattr(recipe, name), numbers) for name in ("data", *COLUMNS))
        lines.append(f"| {models} | {' | '.join(cells)} |")
    notes = [f"`{r.models[0]}`: {r.note}." for r in found.recipe if r.note]
    listed = [f"{number}. {found.sources[key]}" for key, number in numbers.items()]
    commands = [c for recipe in found.recipe if (c := command(recipe))]
    return "\n".join([*lines, "", *notes, "", *listed, "", "```", "\n\n".join(commands), "```"])


def _cell(figure: Number | Word | None, numbers: dict[str, int]) -> str:
    if figure is None:
        return "not stated"
    value, source = figure
    if isinstance(value, float):
        value = f"{value:,.0f}" if value >= 1 else f"{value:g}"
    return f"{value} [{numbers[source]}]"


def command(recipe: Recipe) -> str | None:
    """What starts such a training here; None where its batch, rate or length is not stated."""
    if not (recipe.batch and recipe.rate and recipe.pairs):
        return None
    batch, steps = int(recipe.batch[0]), round(recipe.pairs[0] / recipe.batch[0])
    first, *others = recipe.models
    flags = (
        f"--{flag} {figure[0]:.0f}" if figure[0] >= 1 else f"--{flag} {figure[0]:g}"
        for name, flag in FLAGS.items()
        if (figure := getattr(recipe, name))
    )
    lines = [
        "python -m paddle.distributed.launch --nproc_per_node $GPUS train/run_pretrain_dist.py",
        f"    --model {_architecture(first)} --task_name 'data/{{00000..99999}}.tar'",
        f"    --dataset_resampled True --max_steps {steps}",
        f"    --per_device_train_batch_size $(({batch} / GPUS))",
        f"    {' '.join(flags)}{PRECISIONS[recipe.precision[0]] if recipe.precision else ''}",
        "    --max_grad_norm 0 --local_loss True --gather_with_grad True --recompute True",
        "    --output_dir output",
    ]
    same = "".join(f"; {other} with --model {_architecture(other)}" for other in others)
    return f"# {first}{same}\n" + " \\\n".join(lines)


def _architecture(model: str) -> str:
    manifest = registry().names[model]
    return manifest.architecture + ("-quickgelu" if manifest.quick_gelu is True else "")


def with_tables(text: str) -> str:
    """The page's text with its tables as they should be."""
    for name, made in (("table", table()), ("recipes", recipes())):
        start, end = START.format(name), END.format(name)
        before, _, rest = text.partition(start)
        _, _, after = rest.partition(end)
        text = f"{before}{start}\n\n{made}\n\n{end}{after}"
    return text


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text()))
