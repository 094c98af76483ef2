"""How many steps, on batches of what size, and from where: settled before the first step."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from train import checkpoint
from train.data.order import batches_in_epoch
from train.data.places import Stream
from train.flags import Arguments
from train.topology import Topology
from zoo.errors import ConfigError, PathError, UsageError


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A run's figures.

    Attributes:
        batch: samples of all ranks in a step.
        samples: of the whole data set; None for a stream.
        per_epoch: steps in one pass over them; of a stream, what --train_num_samples makes, or
            all.
        steps: of the whole training, those of earlier runs included.
        warmup: steps of the warm-up.
        done: steps that earlier runs did.
        resumed: the checkpoint that the run goes on from.
        stream: where that checkpoint's stream of samples was.
        bad_samples: that earlier runs met.
        own: checkpoints in the output of later steps are another run's.
        lines: what the user should know of all this.
    """

    output: Path
    batch: int
    samples: int | None
    per_epoch: int
    steps: int
    warmup: int
    done: int
    resumed: Path | None
    own: int
    stream: Stream | None
    bad_samples: int
    lines: tuple[str, ...]


def make_plan(arguments: Arguments, topology: Topology, *, samples: int | None) -> Plan:
    """Settles a run.

    Raises:
        PathError: the output has checkpoints, and nothing says what is to become of them.
        ConfigError: the checkpoint is of other data or another seed.
        UsageError: the checkpoint's batch can't be shared out, all steps are warm-up, or nothing
            says how many there are.
        DatasetError: the samples do not fill a batch.
    """
    output = Path(arguments.output_dir)
    pieces = topology.replicas * arguments.gradient_accumulation_steps
    batch = pieces * arguments.per_device_train_batch_size
    resumed, done, stream, bad_samples, lines = None, 0, None, 0, []
    if arguments.resume_from_checkpoint.lower() not in ("", "false", "none"):
        resumed = checkpoint.find_checkpoint(arguments.resume_from_checkpoint, output)
        state = checkpoint.read_state(resumed)
        for name, now, then in (
            ("samples", samples, state.samples),
            ("seed", arguments.seed, state.seed),
        ):
            if now != then:
                raise ConfigError(
                    f"{name}: {now} now and {then} in the checkpoint, so that the samples which "
                    "are next can't be found",
                    where=resumed,
                )
        if state.batch % pieces:
            raise UsageError(
                f"the run's batch of {state.batch} can't be cut into {topology.replicas} ranks x "
                f"{arguments.gradient_accumulation_steps} passes",
                where=resumed,
                remedy="Choose another number of ranks, or --gradient_accumulation_steps.",
            )
        done, stream, bad_samples = state.step, state.stream, state.bad_samples
        lines.append(f"going on from {resumed.name}")
        if state.batch != batch:
            batch = state.batch
            lines.append(f"the batch stays {batch}: {batch // pieces} pairs in a forward pass")
    own = done if resumed and _is_in(resumed, output) else 0
    later = [path for path in checkpoint.checkpoints(output) if checkpoint.step_of(path) > own]
    if resumed is None:
        later += checkpoint.replaced(output)
    if later and not arguments.overwrite_output_dir:
        raise PathError(
            f"the output has checkpoints already, up to {later[-1].relative_to(output)}",
            where=output,
            remedy=f"Go on with --resume_from_checkpoint {_how_named(later[-1])}, replace them "
            "with --overwrite_output_dir, or choose another --output_dir.",
        )
    if samples is not None and arguments.train_num_samples is not None:
        raise UsageError(f"--train_num_samples is for streams; this data set has {samples} samples")
    counted = arguments.train_num_samples if samples is None else samples
    if counted is not None:
        per_epoch = batches_in_epoch(counted, batch)
        epochs = math.ceil(arguments.num_train_epochs * per_epoch)
        steps = arguments.max_steps if arguments.max_steps > 0 else epochs
    elif arguments.max_steps > 0:
        per_epoch = steps = arguments.max_steps
    else:
        raise UsageError(
            "--max_steps is needed: nobody knows how many samples there are",
            remedy="Or say with --train_num_samples how many make an epoch.",
        )
    warmup = arguments.warmup_steps or math.ceil(arguments.warmup_ratio * steps)
    if done < steps <= warmup:
        raise UsageError(
            f"{warmup} steps of warm-up in a training of {steps}: the rate would never be reached",
            remedy="Lower --warmup_steps, or train for longer.",
        )
    if topology.sharding > 1:
        what = "optimizer's state" + (" and gradients" if arguments.sharding == "stage2" else "")
        lines.append(f"{topology.sharding} ranks share out the {what}")
    ended = "" if done < steps else ": they are done, and nothing is left to do"
    return Plan(
        output=output,
        batch=batch,
        samples=samples,
        per_epoch=per_epoch,
        steps=steps,
        warmup=warmup,
        done=done,
        resumed=resumed,
        own=own,
        stream=stream,
        bad_samples=bad_samples,
        lines=(*lines, f"{steps} steps of {batch} pairs, {per_epoch} to an epoch{ended}"),
    )


def _how_named(newest: Path) -> str:
    """What was set aside, True does not mean."""
    return str(newest) if newest.parent.name == checkpoint.REPLACED else "True"


def _is_in(resumed: Path, output: Path) -> bool:
    places = (output.resolve(), (output / checkpoint.REPLACED).resolve())
    return resumed.resolve().parent in places
