"""Every flag of ``run_pretrain_dist.py``: the names are PaddleMIX's, so that its commands run here.

A flag does what its help says, or it is in ``REFUSED`` and nothing but its neutral value is taken.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


def flag(default: Any, help: str, choices: tuple[str, ...] = ()) -> Any:
    return field(default=default, metadata={"help": help, "choices": choices})


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """What the user asked for. A flag that is None was not given."""

    # What is trained
    model: str = flag("", "zoo id, folder, or architecture name (ViT-B-32: from scratch)")
    pretrained: bool | None = flag(None, "false: draw new weights even where the model has some")
    context_length: int | None = flag(None, "tokens of a text; default: the model's own")
    lock_image: bool = flag(False, "keep the image tower as it is (LiT)")
    lock_text: bool = flag(False, "keep the text tower as it is")

    # Data
    task_name: str = flag(
        "coco_clip",
        "coco_clip; a .json (with --image_root), .csv or .tsv; webdataset shards, such as "
        "data/{0000..0009}.tar, several joined by ::; or a list of LAION part files",
    )
    dataset_resampled: bool = flag(False, "draw shards with replacement, as in open_clip")
    train_num_samples: int | None = flag(
        None, "pairs that one epoch of shards or part files counts, as in open_clip"
    )
    train_annotations: str = flag("", "JSON list of {caption, image}, instead of --task_name")
    image_root: str = flag("", "folder that the annotations' image paths start from")
    csv_img_key: str = flag("filepath", "the CSV's column of image paths, as in open_clip")
    csv_caption_key: str = flag("title", "the CSV's column of captions, as in open_clip")
    csv_separator: str = flag("\t", "what separates the CSV's columns, as in open_clip")
    dataloader_num_workers: int = flag(0, "processes that read pictures, for each rank")

    # Evaluation
    classification_eval: str = flag(
        "", "images/, labels.txt and templates.txt, or another set that `zoo verify --data` takes"
    )
    pretrained_text_model: str = flag(
        "", "a label for the zero-shot results; the classifier is made of the current weights"
    )
    per_device_eval_batch_size: int = flag(8, "pictures at a time in zero-shot evaluation")
    evaluation_strategy: str = flag("no", "when to evaluate before the end", ("no", "steps"))
    eval_steps: int | None = flag(None, "steps between evaluations; default: --logging_steps")

    # Steps
    do_train: bool = flag(True, "train; False stops once everything has been checked")
    per_device_train_batch_size: int = flag(8, "pairs in a forward pass of one data rank")
    gradient_accumulation_steps: int = flag(
        1, "forward passes in a step; every pair is a negative for all others all the same"
    )
    num_train_epochs: float = flag(3.0, "passes over the data; --max_steps comes first")
    max_steps: int = flag(-1, "steps in all; part files have no length and need it")
    seed: int = flag(42, "of new weights, the data's order and the crops")
    recompute: bool = flag(False, "compute activations again in the backward pass: memory for time")

    # The loss
    local_loss: bool = flag(False, "each rank computes its own rows of the logits")
    gather_with_grad: bool = flag(False, "gradients go through the gathering of features")

    # The optimizer
    optimizer: str = flag("adamw", "PaddleMIX always took adamw", ("adamw", "lamb"))
    learning_rate: float = flag(5e-5, "where no tower's own is given")
    visual_lr: float | None = flag(None, "image tower's rate; default: --learning_rate")
    text_lr: float | None = flag(None, "text tower's rate; default: --learning_rate")
    weight_decay: float = flag(0.0, "where no tower's own is given; matrices only")
    visual_wd: float | None = flag(None, "image tower's decay; default: --weight_decay")
    text_wd: float | None = flag(None, "text tower's decay; default: --weight_decay")
    layer_decay: float = flag(1.0, "each layer's rate is this times that of the one above")
    visual_ld: float | None = flag(None, "image tower's; default: --layer_decay")
    text_ld: float | None = flag(None, "text tower's; default: --layer_decay")
    adam_beta1: float = flag(0.9, "decay of the gradients' mean")
    adam_beta2: float = flag(0.999, "decay of the squared gradients' mean")
    adam_epsilon: float = flag(1e-8, "added to the denominator")
    max_grad_norm: float = flag(1.0, "largest norm of all gradients together; 0: no limit")
    warmup_steps: int = flag(0, "steps from 0 to the rate, linearly; then a cosine to 0")
    warmup_ratio: float = flag(0.0, "share of all steps, where --warmup_steps is 0")
    ema_decay: float | None = flag(None, "keep a moving average of the weights beside them")

    # Precision
    bf16: bool = flag(False, "layers multiply in bfloat16, on devices that can; all else float32")
    fp16: bool = flag(False, "layers multiply in float16, on devices that can; all else float32")
    fp16_opt_level: str = flag(
        "O1",
        "O2: Paddle's longer list of what computes in half, for --bf16 too; what takes a float32 "
        "parameter stays float32",
        ("O1", "O2"),
    )
    scale_loss: float = flag(2.0**15, "--fp16's first factor to the loss; it adapts")
    amp_custom_black_list: tuple[str, ...] = flag((), "Paddle operators that stay in float32")
    amp_custom_white_list: tuple[str, ...] = flag((), "Paddle operators that compute in half")

    # Parallelism
    tensor_parallel_degree: int = flag(-1, "ranks that share each layer's weights; -1: 1")
    sharding_parallel_degree: int = flag(
        -1, "ranks that share the optimizer's state; -1: 1, or with --sharding all that are left"
    )
    sharding: str = flag(
        "", "stage1: the optimizer's state; stage2: gradients too", ("", "stage1", "stage2")
    )
    device: str = flag("", "cpu, or gpu; default: Paddle's choice")

    # What is kept and shown
    output_dir: str = flag("", "folder for checkpoints and logs")
    overwrite_output_dir: bool = flag(False, "replace the checkpoints that are there")
    resume_from_checkpoint: str = flag("", "a checkpoint folder, or True: the newest of output_dir")
    save_steps: int = flag(500, "steps between checkpoints; one is made at the end too")
    save_strategy: str = flag("steps", "no: only at the end", ("no", "steps"))
    save_total_limit: int | None = flag(None, "how many checkpoints are kept")
    logging_steps: int = flag(500, "steps between lines of the log")
    logging_first_step: bool = flag(False, "log the first step too")
    logging_dir: str = flag("", "for TensorBoard and VisualDL; default: output_dir/runs")
    tensorboard: bool = flag(False, "write TensorBoard's files too")
    report_to: str = flag("none", "write these files too", ("none", "tensorboard", "visualdl"))
    disable_tqdm: bool = flag(False, "no line that is redrawn at every step on a terminal")


@dataclass(frozen=True, kw_only=True)
class Refused:
    """A flag that PaddleMIX's script took: the values that change nothing, and why no other."""

    neutral: tuple[str, ...]
    reason: str


_OWN_NAMES = "checkpoints are zoo folders, whole on one rank"
_NO_PREDICT = "this script trains; `zoo embed` computes features"
_NO_PIPELINE = "the towers are not cut into pipeline stages"
_COSINE = "the rate follows a cosine to 0 after the warm-up"
_FULL_EVAL = "evaluation computes in float32, as `zoo verify --zero-shot` does"
_BEST = "not supported yet: the newest checkpoints are kept, whatever they score"

REFUSED: dict[str, Refused] = {
    "start_epoch": Refused(
        neutral=("0",), reason="--resume_from_checkpoint goes on where a checkpoint ended"
    ),
    "last_epoch": Refused(
        neutral=("-1",), reason="--resume_from_checkpoint goes on where a checkpoint ended"
    ),
    "tensor_fusion": Refused(
        neutral=("false",), reason="parameters are not fused; no result would change"
    ),
    "amp_master_grad": Refused(
        neutral=("false", "true"), reason="gradients are float32 in any case"
    ),
    "bf16_full_eval": Refused(neutral=("false",), reason=_FULL_EVAL),
    "fp16_full_eval": Refused(neutral=("false",), reason=_FULL_EVAL),
    "lr_scheduler_type": Refused(neutral=("linear", "cosine"), reason=_COSINE),
    "num_cycles": Refused(neutral=("0.5",), reason=_COSINE),
    "lr_end": Refused(neutral=("1e-7", "1e-07"), reason=_COSINE),
    "power": Refused(neutral=("1.0", "1"), reason=_COSINE),
    "optim": Refused(neutral=("adamw",), reason="the flag is --optimizer"),
    "do_eval": Refused(
        neutral=("false", "true"), reason="--classification_eval alone decides whether it is done"
    ),
    "do_predict": Refused(neutral=("false",), reason=_NO_PREDICT),
    "prediction_loss_only": Refused(neutral=("false",), reason=_NO_PREDICT),
    "eval_accumulation_steps": Refused(neutral=("",), reason=_NO_PREDICT),
    "max_evaluate_steps": Refused(
        neutral=("-1",), reason="an accuracy on part of the pictures is no accuracy on all"
    ),
    "minimum_eval_times": Refused(neutral=("",), reason="--eval_steps says when"),
    "logging_strategy": Refused(neutral=("steps",), reason="--logging_steps says when"),
    "load_best_model_at_end": Refused(neutral=("false",), reason=_BEST),
    "metric_for_best_model": Refused(neutral=("",), reason=_BEST),
    "greater_is_better": Refused(neutral=("",), reason=_BEST),
    "save_on_each_node": Refused(neutral=("false",), reason=_OWN_NAMES),
    "save_sharded_model": Refused(neutral=("false",), reason=_OWN_NAMES),
    "load_sharded_model": Refused(neutral=("false",), reason=_OWN_NAMES),
    "ignore_data_skip": Refused(
        neutral=("false",), reason="resuming goes on with the samples that are next"
    ),
    "dataloader_drop_last": Refused(
        neutral=("true",), reason="an epoch's last pairs are left out if they fill no batch"
    ),
    "no_cuda": Refused(neutral=("false",), reason="--device cpu does that"),
    "local_rank": Refused(neutral=("-1",), reason="the launcher says which rank a process is"),
    "sharding_degree": Refused(
        neutral=("-1",), reason="its name is --sharding_parallel_degree now"
    ),
    "pipeline_parallel_degree": Refused(neutral=("-1", "1"), reason=_NO_PIPELINE),
    "pipeline_parallel_config": Refused(neutral=("",), reason=_NO_PIPELINE),
    "sharding_parallel_config": Refused(
        neutral=("",), reason="it tunes Paddle's sharding optimizer, which is not the one used here"
    ),
    "hybrid_parallel_topo_order": Refused(
        neutral=("",), reason="ranks are numbered data, sharding, tensor"
    ),
    "flatten_param_grads": Refused(neutral=("false",), reason="it is for NPUs"),
    "remove_unused_columns": Refused(
        neutral=("true",), reason="data sets here have no other columns"
    ),
    "label_names": Refused(neutral=("",), reason="the loss takes no labels"),
    "lazy_data_processing": Refused(neutral=("true",), reason="pictures are read when needed"),
    "skip_memory_metrics": Refused(neutral=("true",), reason="memory is not measured"),
    "skip_profile_timer": Refused(neutral=("true",), reason="no profiler runs along"),
    "run_name": Refused(neutral=("",), reason="--output_dir names a run"),
}
