"""The version of the package that is installed."""

from __future__ import annotations


def package_version() -> str:
    """The installed version of unlearnbench."""
    from importlib.metadata import PackageNotFoundError, version  # slow for a help page

    try:
        return version("unlearnbench")
    except PackageNotFoundError:
        return "not installed"
