"""Flags: each does something, or is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields

import pytest

from train.arguments import parse
from train.flags import REFUSED, Arguments
from zoo.errors import UsageError

NEEDED = ["--model", "m", "--output_dir", "o"]


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ([], False),
        (["--local_loss"], True),
        (["--local_loss", "True"], True),
        (["--local_loss", "true"], True),
        (["--local_loss=False"], False),
        (["--local_loss", "0"], False),
    ],
)
def test_a_bool_is_a_word_or_the_flag_alone(
    arguments: Callable[..., Arguments], words: list[str], value: bool
) -> None:
    assert arguments(*words).local_loss is value


def test_flags_take_their_types(arguments: Callable[..., Arguments]) -> None:
    found = arguments("--learning_rate", "5e-4", "--dataloader_num_workers=2", "--visual_lr", "1")
    assert (found.learning_rate, found.dataloader_num_workers) == (5e-4, 2)
    assert (found.visual_lr, found.text_lr, found.pretrained) == (1.0, None, None)


def test_a_list_is_words(arguments: Callable[..., Arguments]) -> None:
    found = arguments("--bf16", "--amp_custom_black_list", "gelu", "softmax", "--fp16_opt_level=O2")
    assert found.amp_custom_black_list == ("gelu", "softmax")
    assert found.amp_custom_white_list == ()


@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_flag_is_refused_with_its_reason(name: str) -> None:
    with pytest.raises(UsageError, match=f"--{name} surely-not is refused") as refusal:
        parse([*NEEDED, f"--{name}", "surely-not"])
    assert REFUSED[name].reason in str(refusal.value)


@pytest.mark.parametrize("name", REFUSED)
def test_its_neutral_values_pass(name: str) -> None:
    for value in REFUSED[name].neutral:
        assert parse([*NEEDED, f"--{name}={value}"]) == parse(NEEDED)


def test_no_flag_is_both_taken_and_refused() -> None:
    assert not {entry.name for entry in fields(Arguments)} & REFUSED.keys()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--learning_rat", "1"], "Did you mean: --learning_rate"),
        (["--frobnicate"], "there is no flag --frobnicate"),
        ([" "], "' ' belongs to no flag"),
        (["--local_loss", "maybe"], "neither True nor False"),
        (["--max_steps", "many"], "invalid int value"),
        (["--max_steps", "0"], "--max_steps must be positive"),
        (["--optimizer", "sgd"], "invalid choice: 'sgd'"),
        (["--learning_rate", "0"], "--learning_rate must be positive, not 0.0"),
        (["--weight_decay", "-1"], "--weight_decay must be 0 or more"),
        (["--adam_beta2", "1"], "--adam_beta2 must be at least 0 and below 1"),
        (["--per_device_train_batch_size", "0"], "must be positive"),
        (["--lock_image", "--lock_text"], "leave nothing to train"),
        (["--evaluation_strategy", "steps"], "needs --classification_eval"),
        (["--fp16", "--bf16"], "only one of them"),
        (["--fp16_opt_level", "O2"], "does nothing without --fp16 or --bf16"),
        (["--amp_custom_black_list", "gelu"], "does nothing without --fp16 or --bf16"),
        (["--amp_custom_white_list", "gelu"], "does nothing without --fp16 or --bf16"),
        (["--bf16", "--scale_loss", "1024"], "--scale_loss does nothing without --fp16"),
        (["--fp16", "--scale_loss", "0"], "--scale_loss must be positive"),
        (["--eval_steps", "10"], "does nothing without --evaluation_strategy steps"),
        (["--pretrained_text_model", "m"], "does nothing without --classification_eval"),
        (["--logging_dir", "d"], "--logging_dir does nothing without --tensorboard or --report_to"),
        (["--model", ""], "--model is needed\nGive it a zoo id (`zoo list` has them), a folder"),
        (["--output_dir", ""], "--output_dir is needed\nGive it a folder"),
    ],
)
def test_what_makes_no_sense_is_refused(words: list[str], message: str) -> None:
    with pytest.raises(UsageError) as refusal:
        parse([*NEEDED, *words])
    assert message in str(refusal.value)


README = """
--dataloader_num_workers=2 --per_device_train_batch_size 16 --per_device_eval_batch_size 8
--model paddlemix/CLIP/CLIP-ViT-L-14-laion2B-s32B-b82K --warmup_steps 2000 --learning_rate 5e-4
--weight_decay 0.05 --adam_beta1 0.9 --adam_beta2 0.999 --adam_epsilon 1e-8 --max_grad_norm 5.0
--num_train_epochs 200 --tensor_parallel_degree 1 --sharding_parallel_degree 8 --sharding stage2
--bf16 False --output_dir ./output --logging_steps 1 --do_train --disable_tqdm True
--save_steps 50000 --local_loss true --gather_with_grad true
--pretrained_text_model CLIP-ViT-L-14-laion2B-s32B-b82K --classification_eval imagenet
"""


# What PaddleMIX's run_pretrain_dist.py takes, its trainer's flags included.
PADDLEMIX = """
adam_beta1 adam_beta2 adam_epsilon amp_master_grad bf16 bf16_full_eval classification_eval
context_length dataloader_drop_last dataloader_num_workers device disable_tqdm do_eval
do_predict do_train eval_accumulation_steps eval_steps evaluation_strategy flatten_param_grads
fp16 fp16_full_eval fp16_opt_level gather_with_grad gradient_accumulation_steps
greater_is_better hybrid_parallel_topo_order ignore_data_skip label_names last_epoch layer_decay
lazy_data_processing learning_rate load_best_model_at_end load_sharded_model local_loss
local_rank logging_dir logging_first_step logging_steps logging_strategy lr_end
lr_scheduler_type max_evaluate_steps max_grad_norm max_steps metric_for_best_model
minimum_eval_times model no_cuda num_cycles num_train_epochs optim optimizer
overwrite_output_dir per_device_eval_batch_size per_device_train_batch_size
pipeline_parallel_config pipeline_parallel_degree power prediction_loss_only pretrained
pretrained_text_model recompute remove_unused_columns report_to resume_from_checkpoint run_name
save_on_each_node save_sharded_model save_steps save_strategy save_total_limit scale_loss seed
sharding sharding_degree sharding_parallel_config sharding_parallel_degree skip_memory_metrics
skip_profile_timer start_epoch task_name tensor_fusion tensor_parallel_degree tensorboard
text_ld text_lr text_wd visual_ld visual_lr visual_wd warmup_ratio warmup_steps weight_decay
"""


def test_every_flag_of_paddlemix_is_known() -> None:
    known = {entry.name for entry in fields(Arguments)} | REFUSED.keys()
    assert set(PADDLEMIX.split()) <= known


def test_the_readme_command_parses() -> None:
    """PaddleMIX's own training command."""
    found = parse(README.split())
    assert (found.sharding, found.sharding_parallel_degree, found.local_loss) == ("stage2", 8, True)


def test_help_names_every_flag(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["--help"])
    shown = capsys.readouterr().out
    assert [f.name for f in fields(Arguments) if f"--{f.name}" not in shown] == []
