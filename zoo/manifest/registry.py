"""The one registry: every manifest and architecture, found by name."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import MappingProxyType

from zoo.errors import ConfigError, NotFoundError, UsageError
from zoo.manifest.entry import Manifest, read
from zoo.spec import Activation, CLIPSpec, open_clip
from zoo.spec.count import ParamCount, expected_params

SUGGESTED = 5  # names in a remedy


@dataclass(frozen=True, kw_only=True)
class Registry:
    """``names`` maps every id and alias to its entry; ``manifests`` is sorted by id."""

    folder: Path
    manifests: tuple[Manifest, ...]
    names: Mapping[str, Manifest]

    @classmethod
    def load(cls, folder: Path) -> Registry:
        """Reads every TOML file that lies in ``folder`` itself.

        Raises:
            ConfigError: a manifest is not valid, two share a name, or one has an architecture that
                is unknown or whose parameters are counted otherwise.
            FormatError: a file is not TOML.
        """
        entries = {path.name: read(path) for path in sorted(folder.glob("*.toml"))}
        names: dict[str, Manifest] = {}
        files: dict[str, str] = {}
        for file, manifest in entries.items():
            for name in manifest.names:
                if name in names:
                    raise ConfigError(
                        f"{files[name]} and {file} have one name, {name}",
                        where=folder,
                        remedy="Give one of them an id and aliases of its own.",
                    )
                names[name], files[name] = manifest, file
        zoo = cls(folder=folder, manifests=tuple(entries.values()), names=MappingProxyType(names))
        zoo._check_architectures(entries)
        return zoo

    def _check_architectures(self, entries: Mapping[str, Manifest]) -> None:
        counts: dict[str, ParamCount] = {}
        for file, manifest in entries.items():
            name, path = manifest.architecture, self.folder / file
            try:
                counts[name] = counts.get(name) or expected_params(self.architecture(name))
            except ConfigError as error:
                error.where = error.where or f"{path}, key architecture"
                raise
            for key, counted in counts[name]._asdict().items():
                stated = getattr(manifest.params, key)
                if stated not in (None, counted):
                    raise ConfigError(
                        f"{stated:,} parameters are stated, and {name} has {counted:,}",
                        where=f"{path}, key params.{key}",
                    )

    def match(self, name: str) -> Manifest | None:
        """The entry of this id or alias, or of this unique prefix of one; None where none fits.

        Raises:
            UsageError: the prefix fits several entries.
        """
        if name in self.names:
            return self.names[name]
        fitting = {m.id: m for known, m in self.names.items() if known.startswith(name)}
        if len(fitting) > 1:
            raise UsageError(
                f"{name!r} is ambiguous: it fits {', '.join(sorted(fitting))}",
                remedy="Give enough of the name to tell them apart.",
            )
        return next(iter(fitting.values()), None)

    def find(self, name: str) -> Manifest:
        """As ``match``, for a name that must be one of the zoo's.

        Raises:
            NotFoundError: no entry fits.
            UsageError: the prefix fits several entries.
        """
        manifest = self.match(name)
        if manifest is None:
            raise NotFoundError(
                f"there is no model {name!r} in the zoo",
                remedy=_nearest(name, self.names) or "`zoo list` shows the models.",
            )
        return manifest

    def architecture(self, name: str) -> CLIPSpec:
        """open_clip's architecture of this name, with open_clip's default preprocessing.

        Raises:
            ConfigError: there is none of this name.
        """
        paths = {path.stem: path for path in (self.folder / "architectures").glob("*.toml")}
        if name not in paths:
            raise ConfigError(
                f"there is no architecture {name!r}",
                remedy=_nearest(name, paths) or f"Known are {', '.join(sorted(paths))}.",
            )
        with paths[name].open("rb") as file:
            return open_clip.parse(tomllib.load(file), paths[name].name)

    def spec(self, manifest: Manifest, *, quick_gelu: bool | None = None) -> CLIPSpec:
        """The whole specification of an entry.

        Args:
            manifest: the entry.
            quick_gelu: the activation, where the entry leaves it to the checkpoint's own file;
                where given, it counts.

        Raises:
            ConfigError: the entry leaves the activation open and ``quick_gelu`` is not given, or
                its architecture is unknown.
        """
        stated = manifest.quick_gelu if quick_gelu is None else quick_gelu
        if stated == "from-file":
            raise ConfigError(
                f"the activation of {manifest.id} is contested, and its manifest leaves it to the "
                "checkpoint's own configuration",
                remedy=f"Keep {open_clip.CONFIG_NAME} beside the weights.",
            )
        activation: Activation = "quick_gelu" if stated else "gelu"
        base = self.architecture(manifest.architecture)
        assert base.vision and base.text and base.preprocess  # open_clip.parse fills all three
        ours = manifest.preprocess
        return replace(
            base,
            vision=replace(base.vision, activation=activation),
            text=replace(base.text, activation=activation),
            preprocess=replace(
                base.preprocess,
                size=(ours.size, ours.size),
                mean=ours.mean,
                std=ours.std,
                interpolation=ours.interpolation,
                resize=ours.resize,
            ),
        )


def _nearest(name: str, known: Collection[str]) -> str | None:
    """A remedy with the names that ``name`` is a part of, whatever the case, or else those that
    begin nearly so; None where there are none, or too many to be of help."""
    from difflib import get_close_matches

    near = [other for other in known if name.lower() in other.lower()]
    if not near:
        starts = {other[: len(name)] for other in known}
        best = get_close_matches(name, [*known, *sorted(starts - {*known})], n=1)
        near = [other for other in known if best and other.startswith(best[0])]
    near = [long for long in near if not any(long.endswith(f"/{short}") for short in near)]
    return f"Did you mean: {', '.join(near)}" if 0 < len(near) <= SUGGESTED else None


@cache
def registry() -> Registry:
    """The zoo's own manifests: the wheel carries them, a checkout has them beside the package."""
    package = Path(__file__).resolve().parents[1]
    packaged = package / "_manifests"
    return Registry.load(packaged if packaged.is_dir() else package.parent / "manifests")
