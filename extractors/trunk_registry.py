"""Trunks of one sense by their names: built in, registered by a program, announced by a package.

`extractors.visual` and `extractors.sound` have one registry each, and all commands ask there. A
package announces its own trunk as an entry point (`weights.announced`); it is loaded when a bundle,
a flag or a feature store names it, and not before.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from typing import Generic, TypeVar

from torch import nn

from weights.announced import Sense, announced
from weights.printable import first_line

T = TypeVar("T", bound=nn.Module)


class TrunkRegistry(Generic[T]):
    """A sense's trunks; any thread may ask, registering is done before a run.

    Args:
        sense: Of the trunks.
        says: Attributes that a class must have.
        built_in: Trunks of this program; their names cannot be taken.
    """

    def __init__(
        self, sense: Sense, says: tuple[str, ...], built_in: Mapping[str, type[T]]
    ) -> None:
        self._sense: Sense = sense
        self._says = says
        self._trunks = dict(built_in)

    def names(self) -> list[str]:
        """Return all names that `find` knows, sorted."""
        return sorted({*self._trunks, *announced(self._sense).names})

    def register(self, name: str, trunk: type[T]) -> None:
        """Have a bundle's trunk `name` be `trunk`, in this process.

        Raises:
            ValueError: The name is taken, or the class does not say what it must.
        """
        missing = [word for word in self._says if not hasattr(trunk, word)]
        if missing:
            wanted, called = _listed(self._says), getattr(trunk, "__name__", repr(trunk))
            raise ValueError(
                f"a {self._sense} trunk says its {wanted}, {called} has no {_listed(missing)}"
            )
        if self._trunks.get(name, trunk) is not trunk:
            raise ValueError(f"there is a {self._sense} trunk {name!r} already")
        self._trunks[name] = trunk

    def find(self, name: str) -> type[T]:
        """Return a trunk's class; one that a package announces is loaded.

        Raises:
            ValueError: There is no such trunk, or the package's cannot be loaded.
        """
        if name not in self._trunks:
            for point in announced(self._sense, name):
                try:
                    self.register(name, point.load())
                except (ImportError, AttributeError) as error:
                    raise ValueError(
                        f"the {self._sense} trunk {name!r} is announced as {point.value}, which "
                        f"cannot be loaded: {first_line(error)}"
                    ) from error
        if name not in self._trunks:
            raise ValueError(
                f"{self._sense} trunk must be one of {', '.join(self.names())}, got {name!r}: "
                "one of your own is registered by a program or announced by a package "
                "(docs/guide/extending.md)"
            )
        return self._trunks[name]

    def code(self, name: str) -> str | None:
        """Return the source of the module that a trunk is written in; None if nobody knows it."""
        try:
            return inspect.getsource(sys.modules[self.find(name).__module__])
        except (KeyError, OSError, TypeError):  # typed into a prompt
            return None


def _listed(words: tuple[str, ...] | list[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))
