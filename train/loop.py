"""The training loop: the story on one screen."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from train import checkpoint
from train.data.bad import BadSamples
from train.data.feed import Feed
from train.data.find import find_data
from train.data.order import BatchOrder
from train.data.pairs import Pairs
from train.data.places import find_stream
from train.data.records import Records
from train.data.samples import Inputs, PairDataset, load
from train.data.stream import RecordDataset, stream
from train.ema import MovingAverage
from train.engine import Engine
from train.flags import Arguments
from train.groups import parameter_groups
from train.loss import ContrastiveLoss
from train.optimizer import Optimizer
from train.plan import Plan, make_plan
from train.precision import find_loss_scale, find_precision
from train.processes import check_same_step, meet
from train.report import Live, Nothing, Report, Words
from train.run import Run
from train.snapshot import check_model, check_state, restore, take
from train.stage2 import make_shards
from train.start import build, describe, find_start
from train.step import take_step
from train.tensor_parallel import check_degree, split
from train.topology import Topology
from train.zeroshot import evaluate
from zoo.convert.source import own_name
from zoo.imagesets.recognise import open_imageset
from zoo.inputs.preprocess import Preprocess
from zoo.inputs.tokenizer import Tokenizer
from zoo.talk import Talk


def train(arguments: Arguments, topology: Topology, command: Sequence[str], talk: Talk) -> None:
    """Trains as the arguments say; every rank of the job calls it.

    Args:
        arguments: what the user asked for.
        topology: of the job, whose processes have been initialised.
        command: the words, for provenance.
        talk: told of what happens before the first step.

    Raises:
        ZooError: of every kind; the checkpoints that were written stay.
    """
    output = Path(arguments.output_dir)
    with nullcontext() if topology.rank else checkpoint.owned(output, talk.say):
        meet(topology)  # what is there changes while the first rank waits for another run
        _prepare_and_train(arguments, topology, command, talk)


def _prepare_and_train(
    arguments: Arguments, topology: Topology, command: Sequence[str], talk: Talk
) -> None:
    loss = ContrastiveLoss(
        topology=topology,
        local_loss=arguments.local_loss,
        gather_with_grad=arguments.gather_with_grad,
    )
    start = find_start(arguments, talk)
    spec = start.spec
    assert spec.preprocess and spec.text  # find_start takes no model without it, or of one tower
    data = find_data(arguments, talk)
    pictures = None
    if arguments.classification_eval:
        pictures = open_imageset(arguments.classification_eval)
    plan = make_plan(arguments, topology, samples=len(data) if isinstance(data, Pairs) else None)
    if plan.resumed is not None:
        check_model(plan.resumed, spec)
        start = replace(start, folder=plan.resumed / checkpoint.MODEL)
    check_same_step(plan.done, topology, plan.output)
    check_degree(spec, arguments, topology)
    precision = find_precision(arguments)
    model = split(build(start, arguments), topology)
    optimizer = Optimizer(parameter_groups(model, arguments), arguments, topology)
    if plan.resumed is not None:
        check_state(plan.resumed, arguments, optimizer)
    shards = make_shards(arguments, topology, optimizer)
    if arguments.do_train and topology.rank == 0:
        checkpoint.set_aside(plan.output, after=plan.own)  # only with --overwrite_output_dir
    run = Run(
        name=f"{start.name}-{own_name(plan.output)}",
        arguments=arguments,
        topology=topology,
        plan=plan,
        spec=spec,
        engine=Engine(model, loss, topology, precision, shards),
        optimizer=optimizer,
        average=MovingAverage(model, arguments.ema_decay) if arguments.ema_decay else None,
        loss_scale=find_loss_scale(arguments),
        preprocess=Preprocess(spec.preprocess),
        pictures=pictures,
        report=_report(arguments, topology, plan),
        command=list(command),
    )
    with closing(run.report):
        run.report.say(describe(start, arguments))
        for line in plan.lines:
            run.report.say(line)
        if plan.resumed is not None:
            restore(run, plan.resumed)
        if arguments.do_train:
            inputs = Inputs(
                preprocess=run.preprocess,
                tokenizer=Tokenizer(spec.text.context_length),
                seed=arguments.seed,
            )
            _train(run, _feed(run, data, inputs))


def _report(arguments: Arguments, topology: Topology, plan: Plan) -> Report:
    if topology.rank > 0:
        return Nothing()
    if not arguments.do_train:
        return Words()
    return Live(plan.output, arguments, steps=plan.steps, done=plan.done)


def _feed(run: Run, data: Pairs | Records, inputs: Inputs) -> Feed:
    """This rank's batches."""
    plan, workers = run.plan, run.arguments.dataloader_num_workers
    rank, ranks = run.topology.replica, run.topology.replicas
    if not isinstance(data, Pairs):
        found = find_stream(
            data,
            plan.stream,
            seed=inputs.seed,
            done=plan.done,
            ranks=ranks,
            workers=max(workers, 1),
        )
        if found.began == plan.done > 0:
            run.report.say("the stream of samples begins anew, in another order")
        records = RecordDataset(data, inputs, found, rank=rank, done=plan.done)
        batches = stream(records, batch=plan.batch // ranks, workers=workers)
        return Feed(iter(batches), BadSamples(records.why), found, rank=rank, done=plan.done)
    order = BatchOrder(
        len(data),
        batch=plan.batch,
        rank=rank,
        ranks=ranks,
        seed=inputs.seed,
        steps=plan.steps,
        done=plan.done,
    )
    pairs = PairDataset(data, inputs)
    return Feed(iter(load(pairs, order, workers=workers)), BadSamples(pairs.why))


def _train(run: Run, feed: Feed) -> None:
    arguments, plan = run.arguments, run.plan
    for step in range(plan.done, plan.steps):
        pixels, tokens = feed.take()
        figures = take_step(run, step, pixels, tokens, feed.bad.count)
        run.report.step(step + 1, figures, plan.batch)
        last = step + 1 == plan.steps
        if last or (arguments.save_strategy == "steps" and (step + 1) % arguments.save_steps == 0):
            _save(run, step + 1, feed, bad_samples=int(figures["bad_samples"]))
        if run.pictures is not None and (last or _is_evaluated(arguments, step + 1)):
            _evaluate(run, step + 1)


def _save(run: Run, step: int, feed: Feed, *, bad_samples: int) -> None:
    snapshot = take(run, step, feed, bad_samples=bad_samples)
    if snapshot is not None:
        keep = run.arguments.save_total_limit
        folder = checkpoint.save(run.plan.output, snapshot, command=run.command, keep=keep)
        run.report.event("checkpoint", step, {"folder": folder.name})


def _is_evaluated(arguments: Arguments, step: int) -> bool:
    every = arguments.eval_steps or arguments.logging_steps
    return arguments.evaluation_strategy == "steps" and step % every == 0


def _evaluate(run: Run, step: int) -> None:
    assert run.pictures is not None
    scores: dict[str, Any] = evaluate(
        run.engine.model,
        run.pictures,
        batch=run.arguments.per_device_eval_batch_size,
        workers=run.arguments.dataloader_num_workers,
        topology=run.topology,
    )
    label = run.arguments.pretrained_text_model
    run.report.event("zero-shot", step, scores | ({"label": label} if label else {}))
