"""The bench: one converted checkpoint, with everything the rungs measure it by, made once."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.convert.native import open_native
from zoo.convert.provenance import Provenance
from zoo.convert.readers import Checkpoint
from zoo.convert.select import Opened
from zoo.deploy.gate import held_against
from zoo.errors import NotFoundError
from zoo.imagesets import bundled
from zoo.imagesets.captions import CaptionSet
from zoo.manifest import Manifest
from zoo.spec import CLIPSpec, native
from zoo.talk import Talk
from zoo.verify.evaluation import Material, Wish, encode, is_bundled, open_clips_scores, predict
from zoo.verify.goldens import Taps, open_taps
from zoo.verify.outcome import Outcome, not_run
from zoo.verify.process import ProcessError, run_child
from zoo.verify.reference_side import Reference, compute_reference
from zoo.verify.retrieval import recalls, stack
from zoo.verify.rungs.files import check_files
from zoo.verify.rungs.out_and_back import check_out_and_back
from zoo.verify.rungs.parity import check_parity
from zoo.verify.rungs.pipeline import check_pipeline
from zoo.verify.rungs.retrieval import check_retrieval
from zoo.verify.rungs.roundtrip import check_roundtrip
from zoo.verify.rungs.structure import check_structure
from zoo.verify.rungs.zeroshot import check_zero_shot
from zoo.verify.tolerance import margin_band
from zoo.verify.zeroshot import Agreement, Row, compare


class Unavailable(Exception):
    """Something a rung needs is not at hand; the rung does not run, which is no failure of it."""


class Bench:
    """One checkpoint under test.

    Args:
        folder: the converted checkpoint.
        record: its provenance; None when it can't be read, which rung 1 says.
        source: what it was converted from; a text says why that is not at hand.
        manifest: the zoo's entry, where the checkpoint is one.
        material: what rung 6 measures on; a text says why there is nothing.
        work: an empty folder for intermediate files.
        talk: progress.
    """

    def __init__(
        self,
        folder: Path,
        *,
        record: Provenance | None,
        source: Opened | str,
        manifest: Manifest | None,
        material: Material | str = "not asked for",
        work: Path,
        talk: Talk,
    ) -> None:
        self.folder = folder
        self.source = source
        self.manifest = manifest
        self.environment: dict[str, Any] = {}
        self._material = material
        self._band = 0.0  # until parity tells what rounding may do
        self._record = record
        self._work = work
        self._talk = talk

    @property
    def record(self) -> Provenance:
        if self._record is None:
            raise Unavailable("the provenance can't be read")
        return self._record

    @cached_property
    def spec(self) -> CLIPSpec:
        return native.read(self.folder / native.CONFIG_NAME)

    @cached_property
    def checkpoint(self) -> Checkpoint:
        return open_native(self.folder)

    def close(self) -> None:
        """Closes what was opened here; the source is its opener's."""
        if "checkpoint" in self.__dict__:
            self.checkpoint.close()

    @property
    def reference(self) -> Reference:
        """Computed on first use; it serves parity, pipeline and the negative controls."""
        if isinstance(self._reference, str):
            raise Unavailable(self._reference)
        return self._reference

    @cached_property
    def _reference(self) -> Reference | str:
        """The reference, or why there is none: what failed once is not tried again."""
        source = None if isinstance(self.source, str) else self.source
        try:
            reference = compute_reference(
                self.checkpoint, self.spec, self.record, source, self._work, self._talk
            )
        except (NotFoundError, ProcessError) as error:
            return str(error)
        self.environment["reference"] = {"kind": reference.kind, **reference.environment}
        return reference

    def subject(self, control: str | None = None) -> Taps:
        """What Paddle computes on the reference's inputs, sabotaged by ``control`` if one is named.

        Raises:
            ProcessError: it failed.
            Unavailable: Paddle is not installed.
        """
        out = self._work / f"subject-{control or 'honest'}"
        request = {
            "folder": str(self.folder.resolve()),
            "inputs": str(self.reference.inputs),
            "out": str(out),
            "control": control,
        }
        label = f"subject: Paddle ({control})" if control else "subject: Paddle"
        try:
            said = run_child("zoo.verify.subject", request, label, self._talk)
        except NotFoundError as error:
            raise Unavailable(str(error)) from None
        self.environment.setdefault("subject", said)
        return open_taps(out)

    def files(self) -> Outcome:
        return check_files(self.folder, self._talk)

    def structure(self) -> Outcome:
        return check_structure(self.checkpoint, self.spec, self.record, self.manifest)

    def roundtrip(self) -> Outcome:
        if self._record is not None and self._record.is_trained:
            return check_out_and_back(self.checkpoint, self.spec, self._record, self._talk)
        if isinstance(self.source, str):
            return not_run(self.source)
        return check_roundtrip(
            self.checkpoint, self.spec, self.record, self.source, self.manifest, self._talk
        )

    def parity(self, control: str | None = None) -> Outcome:
        reference = self.reference.arrays  # before the subject: without one, nothing need run
        outcome = check_parity(self.subject(control), reference)
        if control is None and {"visual.features", "text.features"} <= outcome.bounds.keys():
            self._band = margin_band(*(outcome.bounds[f"{t}.features"] for t in ("visual", "text")))
        return outcome

    def pipeline(self, spec: CLIPSpec | None = None) -> Outcome:
        return check_pipeline(spec or self.spec, self.reference.probe, self.reference.arrays)

    def zero_shot(self) -> Outcome:
        if isinstance(self._material, str):
            return not_run(self._material)
        material, wish = self._material, self._material.wish
        if isinstance(material.images, CaptionSet):
            return self._retrieval(material, material.images)
        try:
            predicted = predict(self.folder, self.record, self.spec, material, self._talk)
            rows = [row for row in predicted.rows if row.problem is None]
            scores = self._reference_scores(material, predicted.rows)
        except NotFoundError as error:
            raise Unavailable(str(error)) from None
        self.environment.setdefault("subject", predicted.environment)
        outcome = check_zero_shot(
            predicted.rows,
            material.images,
            claims=self.manifest.claims.top1 if self.manifest else (),
            judged=self.manifest.judged_claim if self.manifest else None,
            agreement=None if scores is None else self._agreement(rows, scores, wish),
            allow_unreadable=wish.allow_unreadable,
            precision=wish.precision,
        )
        aside = {"predictions": str(predicted.folder / Row.FILE), **predicted.timing}
        return replace(self._computed(outcome, predicted.timing), aside=aside)

    def _agreement(self, rows: list[Row], scores: NDArray[np.float32], wish: Wish) -> Agreement:
        agreement = compare(rows, scores, self._band)
        # bfloat16's flips are the cost of it, which is told; rounding of float32 is what the band
        # is for.
        return replace(agreement, counted=()) if wish.precision == "bfloat16" else agreement

    def _computed(self, outcome: Outcome, timing: dict[str, Any]) -> Outcome:
        """With what computed it; failed, where programs did that are outside the band."""
        figures = {**outcome.figures, "path": timing["path"]}
        if timing["cost"] is not None:
            figures["cost"] = timing["cost"]
        if timing["programs"] is None:
            return replace(outcome, figures=figures)
        judged = self._judge(Path(timing["programs"]))
        figures["programs"] = {"parity": judged.status, "reason": judged.reason, **judged.figures}
        if judged.status == "fail":
            reason = f"Paddle Inference computes something else: {judged.reason}"
            return replace(outcome, status="fail", reason=reason, figures=figures)
        return replace(outcome, figures=figures)

    def _judge(self, programs: Path) -> Outcome:
        try:
            reference = self.reference
        except Unavailable as lack:
            return not_run(str(lack))
        return held_against(reference, programs, self._work, self._talk)

    def _retrieval(self, material: Material, pairs: CaptionSet) -> Outcome:
        try:
            encoded = encode(self.folder, self.record, self.spec, material, self._talk)
        except NotFoundError as error:
            raise Unavailable(str(error)) from None
        self.environment.setdefault("subject", encoded.environment)
        rows = encoded.rows
        unreadable = any(row.problem for row in rows)
        found = {} if unreadable else recalls(stack(rows), encoded.texts, pairs.owner)
        outcome = check_retrieval(pairs, found, rows, material.wish.precision)
        return self._computed(outcome, encoded.timing)

    def _reference_scores(self, material: Material, rows: list[Row]) -> NDArray[np.float32] | None:
        """open_clip's, of the readable pictures: asked for, or at hand; else None."""
        if material.wish.against_open_clip:
            source = None if isinstance(self.source, str) else self.source
            leave_out = [row.place for row in rows if row.problem is not None]
            scores, self.environment["open_clip"] = open_clips_scores(
                self.checkpoint,
                self.spec,
                self.record,
                source,
                material,
                leave_out,
                self._work,
                self._talk,
            )
            return scores
        if material.data == bundled.NAME and is_bundled(self.record):
            return bundled.open_clips_scores()
        return None
