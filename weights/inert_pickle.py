"""Reading a pickle as data: what it would do is written down, and nothing of it is done.

A pickle is a program. `read_program` steps through the few opcodes that numpy's and torch's own
pickles have and returns plain values, with `Named` for each name and `Call` for each call that
the program asks for. No name is looked up, nothing is called, and bytes stay where they lie in
the file. What the calls mean is the caller's to recognize and to refuse.

Opcodes: Python's `Lib/pickletools.py`. Every length is held against the bytes that are there
before it is used, so that memory stays within a small multiple of the file's own size.
"""

import pickle
import struct
from dataclasses import dataclass, field
from typing import Any, Final

_MAX_STEPS: Final = 500_000  # DenseNet-201's state dict of 2017 takes some 60,000
_MAX_LINE: Final = 1_000  # characters of a name or a number written out
_MAX_LONG: Final = 16  # bytes of an integer
_INTEGERS: Final = {pickle.BININT: "<i", pickle.BININT1: "<B", pickle.BININT2: "<H"}
# Opcodes whose bytes follow a length: the length's format, and whether they are text.
_SIZED: Final = {
    pickle.SHORT_BINBYTES: ("<B", False),
    pickle.BINBYTES: ("<I", False),
    pickle.BINBYTES8: ("<Q", False),
    pickle.BYTEARRAY8: ("<Q", False),
    pickle.SHORT_BINSTRING: ("<B", False),  # Python 2's str: bytes
    pickle.BINSTRING: ("<i", False),
    pickle.SHORT_BINUNICODE: ("<B", True),
    pickle.BINUNICODE: ("<I", True),
    pickle.BINUNICODE8: ("<Q", True),
}
_TUPLES: Final = {pickle.TUPLE1: 1, pickle.TUPLE2: 2, pickle.TUPLE3: 3}
_CONSTANTS: Final = {pickle.NONE: None, pickle.NEWTRUE: True, pickle.NEWFALSE: False}


class InertPickleError(Exception):
    """The bytes are no pickle, damaged, or use what numpy's and torch's pickles do not."""


@dataclass(frozen=True, slots=True)
class Named:
    """A name that the program asks for, as ``module.name``; it was not looked up."""

    name: str


@dataclass(slots=True, eq=False)
class Call:
    """A call that the program asks for; it was not made.

    Attributes:
        function: What is called.
        arguments: With what.
        state: What the program would set on the result, or None.
    """

    function: Named
    arguments: tuple[Any, ...]
    state: Any = None


@dataclass(frozen=True, slots=True)
class Reference:
    """What lies outside the pickle (a "persistent id"): torch's storages."""

    key: Any


@dataclass(slots=True, eq=False)
class Entries:
    """A dictionary's items in their order; keys were not hashed."""

    items: list[tuple[Any, Any]] = field(default_factory=list)


_MARK: Final = object()


def read_program(data: memoryview, at: int = 0) -> tuple[Any, int]:
    """Step through one pickle.

    Args:
        data: The file's bytes; what is returned may hold slices of them.
        at: Where the pickle begins.

    Returns:
        The value that it leaves (None, bool, int, float, str, memoryview for bytes, tuple, list,
        or one of this module's kinds), and where it ends, exclusive.

    Raises:
        InertPickleError: One reason.
    """
    machine = _Machine(data, at)
    try:
        return machine.run(), machine.at
    except (IndexError, KeyError, TypeError, ValueError, struct.error) as error:
        raise InertPickleError(f"damaged ({type(error).__name__})") from error


class _Machine:
    def __init__(self, data: memoryview, at: int) -> None:
        self.at = at
        self._data = data
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def run(self) -> Any:
        for _ in range(_MAX_STEPS):
            opcode = bytes(self._take(1))
            if opcode == pickle.STOP:
                return self._pop()
            self._step(opcode)
        raise InertPickleError(f"it has more than {_MAX_STEPS} steps")

    def _step(self, opcode: bytes) -> None:
        if opcode in _CONSTANTS:
            self._push(_CONSTANTS[opcode])
        elif opcode in _INTEGERS:
            self._push(self._number(_INTEGERS[opcode]))
        elif opcode in _SIZED:
            self._push(self._sized(*_SIZED[opcode]))
        elif opcode in _TUPLES:
            self._push(self._pop_many(_TUPLES[opcode]))
        elif opcode in _STEPS:
            _STEPS[opcode](self)
        else:
            raise InertPickleError(f"it has the opcode {opcode!r}, which no array needs")

    # Reading --------------------------------------------------------------------------------

    def _take(self, n_bytes: int) -> memoryview:
        if not 0 <= n_bytes <= len(self._data) - self.at:
            raise InertPickleError("it ends in the middle")
        taken = self._data[self.at : self.at + n_bytes]
        self.at += n_bytes
        return taken

    def _number(self, kind: str) -> Any:
        return struct.unpack(kind, self._take(struct.calcsize(kind)))[0]

    def _sized(self, length: str, is_text: bool) -> str | memoryview:
        taken = self._take(self._number(length))
        return str(taken, "utf-8", "surrogatepass") if is_text else taken

    def _line(self, n_max: int | None = _MAX_LINE) -> bytes:
        # Found piecewise, since a memoryview cannot search and a copy would be the whole file.
        start, pieces = self.at, []
        while True:
            piece = bytes(self._data[self.at : self.at + (1 << 16)])
            end = piece.find(b"\n")
            if end < 0 and not piece:
                raise InertPickleError("it ends in the middle")
            pieces.append(piece if end < 0 else piece[:end])
            self.at += len(piece) if end < 0 else end + 1
            if n_max is not None and self.at - start > n_max + 1:
                raise InertPickleError("it has a line without an end")
            if end >= 0:
                return b"".join(pieces)

    # The stack ------------------------------------------------------------------------------

    def _push(self, value: Any) -> None:
        self._stack.append(value)

    def _pop(self) -> Any:
        value = self._stack.pop()
        if value is _MARK:
            raise InertPickleError("damaged (a mark where a value is wanted)")
        return value

    def _pop_many(self, count: int) -> tuple[Any, ...]:
        return tuple(reversed([self._pop() for _ in range(count)]))

    def _pop_to_mark(self) -> list[Any]:
        values = []
        while (value := self._stack.pop()) is not _MARK:
            values.append(value)
        return values[::-1]

    # The opcodes ----------------------------------------------------------------------------

    def protocol(self) -> None:
        if self._number("<B") > pickle.HIGHEST_PROTOCOL:
            raise InertPickleError("a newer pickle than this Python knows")

    def frame(self) -> None:
        self._number("<Q")  # a hint for readers of streams

    def mark(self) -> None:
        self._push(_MARK)

    def name(self) -> None:
        module, name = self._line().decode(), self._line().decode()
        self._push(Named(f"{module}.{name}"))

    def stacked_name(self) -> None:
        module, name = self._pop_many(2)
        if not isinstance(module, str) or not isinstance(name, str):
            raise InertPickleError("damaged (a name that is no text)")
        if len(module) + len(name) > _MAX_LINE:
            raise InertPickleError("it has a name without an end")
        self._push(Named(f"{module}.{name}"))

    def written_integer(self) -> None:
        line = self._line()
        self._push({b"00": False, b"01": True}.get(line) if line in (b"00", b"01") else int(line))

    def written_long(self) -> None:
        self._push(int(self._line().removesuffix(b"L")))

    def long(self) -> None:
        n_bytes = self._number("<B")
        if n_bytes > _MAX_LONG:
            raise InertPickleError("it has a number beyond all sizes")
        self._push(int.from_bytes(self._take(n_bytes), "little", signed=True))

    def written_text(self) -> None:
        self._push(str(self._line(None), "raw-unicode-escape"))

    def written_bytes(self) -> None:
        line = self._line()
        if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in b"'\"" or b"\\" in line:
            raise InertPickleError("damaged (a text without its quotes)")
        self._push(memoryview(line[1:-1]))

    def tuple(self) -> None:
        self._push(tuple(self._pop_to_mark()))

    def empty_tuple(self) -> None:
        self._push(())

    def empty_list(self) -> None:
        self._push([])

    def append(self) -> None:
        value, into = self._pop(), self._stack[-1]
        self._extend(into, [value])

    def appends(self) -> None:
        values = self._pop_to_mark()
        self._extend(self._stack[-1], values)

    def _extend(self, into: Any, values: list[Any]) -> None:
        if not isinstance(into, list):
            raise InertPickleError("damaged (values for what is no list)")
        into.extend(values)

    def empty_entries(self) -> None:
        self._push(Entries())

    def set_item(self) -> None:
        self._enter(list(self._pop_many(2)))

    def set_items(self) -> None:
        self._enter(self._pop_to_mark())

    def _enter(self, values: list[Any]) -> None:
        into = self._stack[-1]
        if isinstance(into, Call):  # an OrderedDict: made by a call, then filled
            if into.state is None:
                into.state = Entries()
            into = into.state
        if not isinstance(into, Entries):
            raise InertPickleError("damaged (items for what is no dictionary)")
        into.items.extend(zip(values[::2], values[1::2], strict=True))

    def call(self) -> None:
        function, arguments = self._pop_many(2)
        if not isinstance(function, Named) or not isinstance(arguments, tuple):
            raise InertPickleError("it calls what is no name")
        self._push(Call(function, arguments))

    def build(self) -> None:
        state, call = self._pop(), self._stack[-1]
        if not isinstance(call, Call):
            raise InertPickleError("it changes what is no new object")
        if (
            call.state is None
        ):  # an OrderedDict's attributes, which nobody reads, come after its items
            call.state = state

    def reference(self) -> None:
        self._push(Reference(self._pop()))

    def keep(self) -> None:
        self._memo[len(self._memo)] = self._stack[-1]

    def keep_written(self) -> None:
        self._memo[int(self._line())] = self._stack[-1]

    def keep_short(self) -> None:
        self._memo[self._number("<B")] = self._stack[-1]

    def keep_long(self) -> None:
        self._memo[self._number("<I")] = self._stack[-1]

    def recall_written(self) -> None:
        self._push(self._memo[int(self._line())])

    def recall_short(self) -> None:
        self._push(self._memo[self._number("<B")])

    def recall_long(self) -> None:
        self._push(self._memo[self._number("<I")])


_STEPS: Final = {
    pickle.PROTO: _Machine.protocol,
    pickle.FRAME: _Machine.frame,
    pickle.MARK: _Machine.mark,
    pickle.GLOBAL: _Machine.name,
    pickle.STACK_GLOBAL: _Machine.stacked_name,
    pickle.INT: _Machine.written_integer,
    pickle.LONG: _Machine.written_long,
    pickle.LONG1: _Machine.long,
    pickle.UNICODE: _Machine.written_text,
    pickle.STRING: _Machine.written_bytes,
    pickle.TUPLE: _Machine.tuple,
    pickle.EMPTY_TUPLE: _Machine.empty_tuple,
    pickle.EMPTY_LIST: _Machine.empty_list,
    pickle.APPEND: _Machine.append,
    pickle.APPENDS: _Machine.appends,
    pickle.EMPTY_DICT: _Machine.empty_entries,
    pickle.SETITEM: _Machine.set_item,
    pickle.SETITEMS: _Machine.set_items,
    pickle.REDUCE: _Machine.call,
    pickle.BUILD: _Machine.build,
    pickle.BINPERSID: _Machine.reference,
    pickle.MEMOIZE: _Machine.keep,
    pickle.PUT: _Machine.keep_written,
    pickle.BINPUT: _Machine.keep_short,
    pickle.LONG_BINPUT: _Machine.keep_long,
    pickle.GET: _Machine.recall_written,
    pickle.BINGET: _Machine.recall_short,
    pickle.LONG_BINGET: _Machine.recall_long,
}
