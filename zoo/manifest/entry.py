"""One entry of the zoo, read from TOML: strict, so that a typing mistake is never a default.

An unknown key, a missing key and a value of another type are all refused, with file and key.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from zoo.errors import ConfigError, FormatError
from zoo.spec import RGB, Interpolation, Resize

# The protocol of rung 6. Only figures measured in the same way can be held against each other.
PROTOCOL = "open_clip class names and 80 templates"

Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]  # it names files and folders
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
Positive = Annotated[int, Meta(gt=0)]
Percent = Annotated[float, Meta(ge=0, le=100)]


class Source(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the weights come from. Without ``revision`` the download is not pinned."""

    hub: str  # ORG/NAME
    revision: str | None = None  # commit
    sha256: dict[str, Sha256] = {}  # of each file, by its name in the repository
    open_clip: str | None = None  # open_clip's architecture:tag
    paddlemix: str | None = None  # address of PaddleMIX's own conversion


class Preprocess(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """As zoo.spec.PreprocessSpec, for square pictures; the fill colour is the architecture's."""

    size: Positive  # pixels
    mean: RGB
    std: RGB
    interpolation: Interpolation
    resize: Resize


class Params(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The exact parameter count; ``total`` is both towers and the logit scale."""

    total: Positive
    vision: Positive | None = None
    text: Positive | None = None


class Claim(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A figure that somebody states.

    ``decimals`` is how many the source gives, where ``value`` lacks its trailing zeros.
    """

    value: float
    source: str
    decimals: Annotated[int, Meta(ge=0)] | None = None

    @property
    def shown_decimals(self) -> int:
        written = repr(self.value).partition(".")[2]
        return len(written) if self.decimals is None else self.decimals

    @property
    def rounding(self) -> float:
        """What the source's rounding can hide: half a unit of its last decimal."""
        return 0.5 * 10.0**-self.shown_decimals

    def __str__(self) -> str:
        return f"{self.value:.{self.shown_decimals}f}"

    def agrees(self, value: float, *, rounding: float = 0.0) -> bool:
        """Whether both figures can stand for one number, each within its own rounding."""
        slack = 1e-9  # decimal fractions are not exact in binary
        return abs(self.value - value) <= self.rounding + rounding + slack


class ParamsClaim(Claim, frozen=True, kw_only=True):
    unit: Literal["M"]


class Top1Claim(Claim, frozen=True, kw_only=True):
    """Zero-shot top-1 in percent on a data set's whole evaluation split."""

    value: Percent
    dataset: str
    protocol: str


class Claims(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    params: tuple[ParamsClaim, ...] = ()
    top1: tuple[Top1Claim, ...] = ()


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One model of the zoo.

    ``architecture`` is open_clip's name without ``-quickgelu``. ``quick_gelu`` is ``"from-file"``
    where sources contradict each other, and only the checkpoint's own configuration can decide.
    """

    schema_version: Literal[1]
    id: Name
    aliases: tuple[str, ...] = ()
    family: str = "other"  # what `zoo list` groups by
    architecture: str
    quick_gelu: bool | Literal["from-file"]
    license: str
    license_note: str | None = None
    notes: tuple[str, ...] = ()
    source: Source
    preprocess: Preprocess
    params: Params
    claims: Claims = Claims()

    @property
    def names(self) -> tuple[str, ...]:
        return (self.id, *self.aliases)

    @property
    def judged_claim(self) -> Top1Claim | None:
        """The claim that rung 6 is judged against: the first whose protocol is rung 6's own."""
        return next((claim for claim in self.claims.top1 if claim.protocol == PROTOCOL), None)

    def disputed_params(self) -> tuple[ParamsClaim, ...]:
        """The claims that are not the exact count, rounded."""
        exact = self.params.total / 1e6
        return tuple(claim for claim in self.claims.params if not claim.agrees(exact))

    def disputed_top1(self) -> tuple[Top1Claim, ...]:
        """The claims on the judged claim's data set that differ from it by more than rounding."""
        judged = self.judged_claim
        if judged is None:
            return ()
        return tuple(
            claim
            for claim in self.claims.top1
            if claim.dataset == judged.dataset
            and not claim.agrees(judged.value, rounding=judged.rounding)
        )


def read(path: Path) -> Manifest:
    """Reads one manifest.

    Raises:
        ConfigError: a key is unknown or missing, or its value is of another kind.
        FormatError: the file is not TOML.
    """
    try:
        with path.open("rb") as file:
            table = tomllib.load(file)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FormatError(f"not TOML: {error}", where=path) from None
    try:
        return msgspec.convert(table, Manifest)
    except msgspec.ValidationError as error:
        what, _, key = str(error).partition(" - at `$.")
        place = f"{path}, key {key.rstrip('`')}" if key else path
        raise ConfigError(what, where=place) from None
