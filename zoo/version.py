"""The version, read from the installed distribution: pyproject.toml is its one home."""

from importlib.metadata import version

VERSION = version("paddle-clip-zoo")
