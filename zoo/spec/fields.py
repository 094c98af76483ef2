"""Taking the fields of a configuration: every field is used, or refused by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from zoo.errors import ConfigError, FormatError, NotFoundError
from zoo.spec import RGB, Pair, TowerSpec
from zoo.strict_json import parse_object

T = TypeVar("T")
C = TypeVar("C", bound=str)
N = TypeVar("N", int, float)
MAX_CONFIG_BYTES = 4 << 20  # a configuration is a few KB; this bounds what is parsed
MAX_FLOAT32 = 3.4e38
MIN_STD = 1e-30  # the quotients of pixels in [0, 1] are finite in float32
MAX_NORM_EPS = 1e-3
MAX_LAYERS = 1024  # every layer has rows in a plan, so that their number bounds memory and time


class Fields:
    """The fields of one JSON object, taken one by one; what nobody took is refused.

    Args:
        data: the object.
        where: the file and the path inside it, for messages.
    """

    def __init__(self, data: Mapping[str, Any], where: str) -> None:
        self.where = where
        self._left = dict(data)

    def __contains__(self, key: str) -> bool:
        return self._left.get(key) is not None

    def take(self, key: str, kind: type[T], default: T | None = None) -> T:
        """The value of ``key``; ``default`` stands for a key that is absent or null.

        An int serves where a float is asked for; a bool never serves as a number.

        Raises:
            ConfigError: the key is missing and has no default, or has another type.
        """
        value = self._left.pop(key, None)
        if value is None:
            if default is None:
                raise ConfigError(f"{key} is missing", where=self.where)
            return default
        if kind is float and type(value) is int and abs(value) < 1 << 53:  # exact as a float
            value = float(value)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise ConfigError(
                f"{key} is {value!r}; a value of type {kind.__name__} belongs there",
                where=self.where,
            )
        return value

    def optional(self, key: str, kind: type[T]) -> T | None:
        """The value of ``key``, or None where it is absent or null."""
        if key in self:
            return self.take(key, kind)
        self._left.pop(key, None)
        return None

    def number(self, key: str, kind: type[N], low: int, high: int, default: N | None = None) -> N:
        """A number from ``low`` up to, but not including, ``high``.

        Raises:
            ConfigError: it is missing, of another type, or not in between.
        """
        value = self.take(key, kind, default)
        if not low <= value < high:
            raise ConfigError(
                f"{key} is {value}; it must be at least {low} and below {high}", where=self.where
            )
        return value

    def positive(self, key: str, default: int | None = None) -> int:
        """A positive count; see ``number``."""
        return self.number(key, int, 1, 1 << 31, default)

    def layers(self, default: int | None = None) -> int:
        """The number of blocks."""
        return self.number("layers", int, 1, MAX_LAYERS + 1, default)

    def mlp_ratio(self, default: float | None = None) -> float:
        """The MLP's width over the tower's."""
        return self.number("mlp_ratio", float, 0, 1 << 10, default)

    def pair(self, key: str, default: int | None = None) -> Pair:
        """One int for both sides, or [height, width]."""
        value = self._left.get(key)
        if not isinstance(value, list):
            side = self.positive(key, default)
            return (side, side)
        del self._left[key]
        if len(value) != 2 or not all(type(side) is int and 0 < side < 1 << 16 for side in value):
            raise ConfigError(
                f"{key} is {value!r}; two positive ints belong there", where=self.where
            )
        return (value[0], value[1])

    def section(self, key: str, default: dict[str, Any] | None = None) -> Fields:
        """The object under ``key`` with its own fields."""
        return Fields(self.take(key, dict, default), f"{self.where}: {key}")

    def choice(self, key: str, known: Sequence[C], default: C | None = None) -> C:
        """One of the known words."""
        value = self.take(key, str, default)
        for word in known:
            if value == word:
                return word
        raise ConfigError(
            f"{key} = {value!r} is not supported; known: {', '.join(known)}", where=self.where
        )

    def rgb(self, key: str, default: RGB | None = None) -> RGB:
        """Three numbers that float32 has, one per channel."""
        values = self.take(key, list, None if default is None else list(default))
        if len(values) != 3 or not all(
            type(value) in (int, float) and abs(value) <= MAX_FLOAT32 for value in values
        ):
            raise ConfigError(f"{key} is {values!r}; three numbers belong there", where=self.where)
        return (float(values[0]), float(values[1]), float(values[2]))

    def std(self, key: str, default: RGB | None = None) -> RGB:
        """As ``rgb``, of numbers that can be divided by."""
        red, green, blue = self.rgb(key, default)
        if min(red, green, blue) < MIN_STD:
            raise ConfigError(
                f"{key} is {[red, green, blue]}; three numbers above zero belong there",
                where=self.where,
            )
        return (red, green, blue)

    def ignore(self, *keys: str) -> None:
        """Keys that are known and change no number."""
        for key in keys:
            self._left.pop(key, None)

    def require(self, key: str, expected: object) -> None:
        """A key that zoo knows in one value only; absent and null mean that value.

        Raises:
            ConfigError: it has another value.
        """
        value = self._left.pop(key, None)
        if value is not None and value != expected:
            raise ConfigError(
                f"{key} = {value!r} is not supported; zoo computes {key} = {expected!r} only",
                where=self.where,
            )

    def finish(self) -> None:
        """Ends the taking.

        Raises:
            ConfigError: a key is left that nobody took.
        """
        left = [key for key, value in self._left.items() if value is not None]
        if left:
            raise ConfigError(
                f"unknown field {', '.join(sorted(left))}: zoo can't tell what it changes",
                where=self.where,
            )


def check_tower(tower: TowerSpec, where: str) -> None:
    """Raises ConfigError when the heads do not share the width evenly, the MLP has no width, or
    Paddle does not compute the norm."""
    if tower.heads < 1 or tower.width % tower.heads:
        raise ConfigError(
            f"width {tower.width} can't be shared by {tower.heads} heads", where=where
        )
    if tower.norm_eps > MAX_NORM_EPS:
        raise ConfigError(
            f"a norm's epsilon of {tower.norm_eps} is not supported; Paddle's LayerNorm takes at "
            f"most {MAX_NORM_EPS}",
            where=where,
        )
    if tower.mlp_width < 1:
        raise ConfigError(f"mlp_ratio leaves width {tower.width} no MLP", where=where)


def side(pair: Pair) -> int | list[int]:
    """A pair as configurations write it: one int where both sides are equal."""
    return pair[0] if pair[0] == pair[1] else list(pair)


def read_json_object(path: Path) -> dict[str, Any]:
    """Reads a JSON file whose top is an object; duplicate keys, NaN and infinity are refused.

    Raises:
        NotFoundError: there is no such file.
        FormatError: it is too large, or not such JSON.
    """
    try:
        if path.stat().st_size > MAX_CONFIG_BYTES:
            raise FormatError("too large for a configuration", where=path)
        data = path.read_bytes()
    except FileNotFoundError:
        raise NotFoundError("there is no such file", where=path) from None
    return parse_object(data, what="the file", where=path)
