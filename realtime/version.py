"""Which version of the program this is."""

from importlib.metadata import PackageNotFoundError, version


def program_version() -> str:
    """Return the installed version, or `0+unknown` of a checkout that nobody installed."""
    try:
        return version("mafnet-live")
    except PackageNotFoundError:
        return "0+unknown"
