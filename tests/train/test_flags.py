"""Every flag is seen to do something, and exactly that.

An observer makes a table of what can be seen; a flag's entry says which of it the flag changes. A
flag without an entry fails, and so does an entry whose flag changes less or more. What the changes
have to be, the other tests of this folder say.
"""

from __future__ import annotations

import ast
import json
import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zoo.runtime import import_paddle

pytestmark = pytest.mark.paddle
import_paddle()

from tests.train.observers import (  # noqa: E402
    MATRICES,
    TEXT,
    VISUAL,
    Observer,
    Seen,
    World,
    computes,
    finds,
    loads,
    loses,
    plans,
    plans_a_stream,
    runs,
    shares_out,
    starts,
    steps,
)
from train.arguments import parse  # noqa: E402
from train.flags import REFUSED, Arguments  # noqa: E402
from zoo.spec import CLIPSpec  # noqa: E402


@dataclass(frozen=True, kw_only=True)
class Entry:
    """``given`` is a value that is not the default; ``beside`` are words that it needs."""

    by: Observer
    given: str
    changes: set[str]
    beside: str = ""


SCALE = {"logit_scale"}
ALL = VISUAL | TEXT | SCALE
TOPS = {"visual.ln_post.bias", "ln_final.bias"}  # which lie below no layer
EVALUATED = "--classification_eval {pictures}/eval"
DRAWN = "--pretrained false"
EPOCHS = "--max_steps -1"

ENTRIES: dict[str, Entry] = {
    "model": Entry(
        by=starts, given="tiny-digits", changes={"shape", "weights", "first line", "trained"}
    ),
    "pretrained": Entry(by=starts, given="false", changes={"weights", "first line"}),
    "context_length": Entry(by=starts, given="20", changes={"shape", "weights"}),
    "lock_image": Entry(by=starts, given="True", changes={"trained"}),
    "lock_text": Entry(by=starts, given="True", changes={"trained"}),
    "seed": Entry(by=starts, given="7", changes={"weights", "first line"}, beside=DRAWN),
    "recompute": Entry(by=starts, given="True", changes={"recomputing"}),
    "task_name": Entry(by=finds, given="{pictures}/few.csv", changes={"paths", "captions"}),
    "train_annotations": Entry(
        by=finds, given="{pictures}/few.json", changes={"paths", "captions"}
    ),
    "image_root": Entry(by=finds, given="elsewhere", changes={"paths"}),
    "csv_img_key": Entry(
        by=finds, given="other", changes={"paths"}, beside="--task_name {pictures}/few.csv"
    ),
    "csv_caption_key": Entry(
        by=finds, given="other", changes={"captions"}, beside="--task_name {pictures}/few.csv"
    ),
    "csv_separator": Entry(
        by=finds,
        given=",",
        changes={"paths", "captions"},
        beside="--task_name {pictures}/commas.csv --csv_img_key a --csv_caption_key b",
    ),
    "dataset_resampled": Entry(
        by=finds, given="True", changes={"resampled"}, beside="--task_name {pictures}/0.tar"
    ),
    "dataloader_num_workers": Entry(by=loads, given="2", changes={"processes"}),
    "per_device_train_batch_size": Entry(
        by=plans, given="4", changes={"batch", "per_epoch", "lines"}
    ),
    "gradient_accumulation_steps": Entry(
        by=plans, given="2", changes={"batch", "per_epoch", "lines"}
    ),
    "num_train_epochs": Entry(by=plans, given="2", changes={"steps", "lines"}, beside=EPOCHS),
    "max_steps": Entry(by=plans, given="7", changes={"steps", "lines"}),
    "warmup_steps": Entry(by=plans, given="2", changes={"warmup"}),
    "warmup_ratio": Entry(by=plans, given="0.5", changes={"warmup"}),
    "train_num_samples": Entry(by=plans_a_stream, given="16", changes={"per_epoch", "lines"}),
    "sharding": Entry(by=shares_out, given="stage1", changes={"data", "sharding"}),
    "tensor_parallel_degree": Entry(by=shares_out, given="2", changes={"data", "tensor"}),
    "sharding_parallel_degree": Entry(by=shares_out, given="2", changes={"data", "sharding"}),
    "local_loss": Entry(by=loses, given="True", changes={"refused", "loss"}),
    "gather_with_grad": Entry(by=loses, given="True", changes={"loss"}),
    "optimizer": Entry(by=steps, given="lamb", changes=MATRICES, beside="--weight_decay 0.1"),
    "learning_rate": Entry(by=steps, given="1e-2", changes=ALL),
    "visual_lr": Entry(by=steps, given="1e-2", changes=VISUAL),
    "text_lr": Entry(by=steps, given="1e-2", changes=TEXT),
    "weight_decay": Entry(by=steps, given="0.5", changes=MATRICES),
    "visual_wd": Entry(by=steps, given="0.5", changes={"visual.conv1.weight"}),
    "text_wd": Entry(by=steps, given="0.5", changes={"token_embedding.weight"}),
    "layer_decay": Entry(by=steps, given="0.5", changes=ALL - SCALE - TOPS),
    "visual_ld": Entry(
        by=steps, given="0.5", changes={"visual.conv1.weight", "visual.ln_pre.bias"}
    ),
    "text_ld": Entry(
        by=steps,
        given="0.5",
        changes={"token_embedding.weight", "transformer.resblocks.0.ln_1.bias"},
    ),
    "adam_beta1": Entry(by=steps, given="0.5", changes=ALL),
    "adam_beta2": Entry(by=steps, given="0.9", changes=ALL),
    "adam_epsilon": Entry(by=steps, given="1e-2", changes=ALL),
    "max_grad_norm": Entry(by=steps, given="1e-3", changes=ALL),
    "bf16": Entry(by=computes, given="True", changes={"dtype"}),
    "fp16": Entry(by=computes, given="True", changes={"dtype", "scale"}),
    "fp16_opt_level": Entry(by=computes, given="O2", changes={"level"}, beside="--bf16"),
    "scale_loss": Entry(by=computes, given="1024", changes={"scale"}, beside="--fp16"),
    "amp_custom_black_list": Entry(
        by=computes, given="gelu softmax", changes={"black"}, beside="--bf16"
    ),
    "amp_custom_white_list": Entry(by=computes, given="gelu", changes={"white"}, beside="--bf16"),
    "ema_decay": Entry(by=runs, given="0.5", changes={"averages"}),
    "classification_eval": Entry(
        by=runs, given="{pictures}/eval", changes={"evaluated", "batches"}
    ),
    "pretrained_text_model": Entry(by=runs, given="mine", changes={"label"}, beside=EVALUATED),
    "per_device_eval_batch_size": Entry(by=runs, given="4", changes={"batches"}, beside=EVALUATED),
    "evaluation_strategy": Entry(
        by=runs, given="steps", changes={"evaluated", "batches"}, beside=EVALUATED
    ),
    "eval_steps": Entry(
        by=runs,
        given="3",
        changes={"evaluated", "batches"},
        beside=f"{EVALUATED} --evaluation_strategy steps",
    ),
    "do_train": Entry(by=runs, given="False", changes={"checkpoints", "logged", "begun at"}),
    "save_steps": Entry(by=runs, given="3", changes={"checkpoints"}),
    "save_strategy": Entry(by=runs, given="no", changes={"checkpoints"}, beside="--save_steps 3"),
    "save_total_limit": Entry(by=runs, given="1", changes={"checkpoints"}, beside="--save_steps 3"),
    "logging_steps": Entry(by=runs, given="2", changes={"logged", "begun at", "redrawn"}),
    "logging_first_step": Entry(
        by=runs, given="True", changes={"logged", "begun at"}, beside="--logging_steps 3"
    ),
    "logging_dir": Entry(
        by=runs,
        given="{place}/board",
        changes={"elsewhere", "written for"},
        beside="--tensorboard True",
    ),
    "tensorboard": Entry(by=runs, given="True", changes={"written for"}),
    "report_to": Entry(by=runs, given="tensorboard", changes={"written for"}),
    "disable_tqdm": Entry(by=runs, given="True", changes={"redrawn"}, beside="--logging_steps 3"),
}
# What a table can't show, these tests do.
SEEN_BY = {
    "device": "test_job.test_a_device_that_is_not_there_is_refused",
    "output_dir": "test_loop.test_a_resumed_run_is_equal_to_the_bit",
    "overwrite_output_dir": "test_loop_refused.test_an_output_with_checkpoints_is_not_written_over",
    "resume_from_checkpoint": "test_loop.test_a_resumed_run_is_equal_to_the_bit",
}


def test_every_flag_has_an_entry_and_no_entry_lacks_its_flag() -> None:
    named = [*ENTRIES, *SEEN_BY]
    assert sorted(named) == sorted(entry.name for entry in fields(Arguments))
    assert not set(named) & REFUSED.keys()


@pytest.mark.parametrize("name", SEEN_BY)
def test_what_is_seen_elsewhere_is(name: str) -> None:
    module, _, test = SEEN_BY[name].partition(".")
    (found,) = (
        node
        for node in ast.parse(Path(__file__).with_name(f"{module}.py").read_text()).body
        if isinstance(node, ast.FunctionDef) and node.name == test
    )
    assert name in ast.unparse(found) or name == "output_dir"


@pytest.fixture(scope="module")
def world(
    small: Path,
    pictures: Path,
    spec: CLIPSpec,
    batch: tuple[np.ndarray, np.ndarray],
    tmp_path_factory: pytest.TempPathFactory,
) -> World:
    entries = json.loads((pictures / "train.json").read_text())[:9]
    (pictures / "few.json").write_text(json.dumps(entries))
    rows = "".join(f"{e['image']}\t{e['caption']}\t{e['image_id']}.jpg\n" for e in entries)
    (pictures / "few.csv").write_text(f"filepath\ttitle\tother\n{rows}")
    (pictures / "commas.csv").write_text("a,b,\ta\tb\n1,2,\t3\t4\n")
    (pictures / "0.tar").touch()
    base = f"""--model {small} --task_name {pictures}/train.json --image_root {pictures}/images
        --output_dir unused --per_device_train_batch_size 8 --learning_rate 1e-3 --max_steps 4
        --logging_steps 1 --max_grad_norm 0""".split()
    return World(
        base=base, pictures=pictures, spec=spec, batch=batch, place=tmp_path_factory.mktemp("runs")
    )


@pytest.fixture(scope="module")
def without() -> dict[tuple[Observer, str], Seen]:
    """What observers saw without a flag."""
    return {}


@pytest.mark.parametrize("name", ENTRIES)
def test_a_flag_changes_what_it_should_and_nothing_else(
    world: World, name: str, without: dict[tuple[Observer, str], Seen]
) -> None:
    entry = ENTRIES[name]
    beside, given = (
        words.format(pictures=world.pictures, place=world.place).split()
        for words in (entry.beside, entry.given)
    )
    key = (entry.by, entry.beside)
    if key not in without:
        without[key] = entry.by(world, beside)
    found = entry.by(world, [*beside, f"--{name}", *given])
    changed = {part for part in found if not same(found[part], without[key][part])}
    assert changed == entry.changes


def same(one: Any, other: Any) -> bool:
    """Equal, or weights that differ by rounding: the steps here are 1e-3 long."""
    if isinstance(one, np.ndarray):
        return np.allclose(one, other, rtol=0, atol=1e-7)
    return bool(one == other)


@pytest.mark.parametrize("name", [entry.name for entry in fields(Arguments)])
def test_the_help_says_a_neutral_default(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The default given by hand is the command line without it, and the help names it."""
    (default,) = (entry.default for entry in fields(Arguments) if entry.name == name)
    with pytest.raises(SystemExit):
        parse(["--help"])
    shown = " ".join(capsys.readouterr().out.partition("options:")[2].split())
    (start,) = (found.start() for found in re.finditer(rf" --{name} [A-Z{{[]", shown))
    text = re.split(r" --(?=\w+ [A-Z{[])", shown[start + 1 :])[0]
    assert "default: None" not in text
    if default not in (None, "", ()):
        needed = ["--model", "m", "--output_dir", "o"]
        assert parse([*needed, f"--{name}", str(default)]) == parse(needed)
        assert text.endswith(f"(default: {default!r})")
