"""The tables of docs/reproduce.md are what the manifests and docs/recipes.toml say."""

from __future__ import annotations

import re

from tools.make_reproduce import PAGE, command, read_recipes, recipes, table, with_tables
from train.arguments import parse
from zoo.manifest import registry


def test_the_page_holds_the_table() -> None:
    text = PAGE.read_text()
    assert with_tables(text) == text, "run: python -m tools.make_reproduce"


def test_a_changed_figure_is_seen() -> None:
    text = PAGE.read_text().replace("66.56", "66.5")
    assert with_tables(text) != text


def test_every_recipe_is_of_a_model_and_every_figure_has_its_source() -> None:
    found = read_recipes()
    assert {model for recipe in found.recipe for model in recipe.models} <= registry().names.keys()
    used = {
        figure[1]
        for recipe in found.recipe
        for name in recipe.__struct_fields__
        if isinstance(figure := getattr(recipe, name), tuple)
    }
    assert used == found.sources.keys()
    assert "not stated" in recipes()


def test_the_commands_are_command_lines() -> None:
    commands = [c for recipe in read_recipes().recipe if (c := command(recipe))]
    assert len(commands) == 10
    for text in commands:
        _, _, flags = text.replace("\\\n", " ").partition("run_pretrain_dist.py ")
        words = re.sub(r"\$\(\((\d+) / GPUS\)\)", r"\1", flags).split()
        found = parse(words)
        assert registry().architecture(found.model)
        assert found.max_steps > 1000 and found.per_device_train_batch_size > 1000


def test_every_entry_has_its_row() -> None:
    rows = table().splitlines()[2:]
    commands = [f"`zoo verify {manifest.id} --zero-shot` |" for manifest in registry().manifests]
    assert [row[-len(command) :] for row, command in zip(rows, commands, strict=True)] == commands
