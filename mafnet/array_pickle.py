"""Reading the authors' feature pickles without trusting them: numpy arrays and nothing else.

A pickle is a program, and numpy's own functions are no safe ones to call with a stranger's
arguments: `numpy.ndarray` takes any address for its strides. So nothing is called. The program is
read as data (`weights.inert_pickle`), it must be what numpy writes for one array, and the array is
made here from the file's bytes once its type, shape and byte count fit together.
"""

import math
import mmap
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mafnet.errors import FeaturesError
from weights.inert_pickle import Call, InertPickleError, Named, read_program

# numpy 1 and 2 name the same functions; protocol 5 has a call of its own.
_MAKES_ARRAY: Final = {"numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct"}
_FROM_BUFFER: Final = {"numpy.core.numeric._frombuffer", "numpy._core.numeric._frombuffer"}
_MAKES_TYPE: Final = "numpy.dtype"
_MAKES_BYTES: Final = "_codecs.encode"  # protocols below 3 have no bytes of their own
_KNOWN: Final = {*_MAKES_ARRAY, *_FROM_BUFFER, _MAKES_TYPE, _MAKES_BYTES, "numpy.ndarray"}
_TYPES: Final = {"b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"}
_MAX_DIMENSIONS: Final = 8  # a sound feature has five
_PLAIN_TYPE: Final = (3, None, None, None, -1, -1, 0)  # dtype's state without its byte order


def read_array_pickle(path: Path) -> NDArray[Any]:
    """Read one pickled array.

    Returns:
        Numbers of the file's type and shape, read-only; of protocol 3 and up they stay in the
        mapped file until they are looked at.

    Raises:
        FeaturesError: It cannot be read, is damaged, or holds anything but a number array.
    """
    try:
        with path.open("rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except ValueError as error:  # mmap's word for an empty file
        raise FeaturesError(f"{path}: damaged or not a pickle (it is empty)") from error
    except OSError as error:
        raise FeaturesError(f"{path}: cannot be read ({error.strerror or error})") from error
    try:
        program, _ = read_program(memoryview(mapped))
        return _array(program)
    except InertPickleError as error:
        raise FeaturesError(f"{path}: not a pickle of one numpy array: {error}") from error


def _array(program: Any) -> NDArray[Any]:
    call = _called(program)
    name, arguments = call.function.name, call.arguments
    if name in _FROM_BUFFER and len(arguments) == 4 and call.state is None:
        data, dtype, shape, order = arguments
        return _laid_out(data, dtype, shape, order == "F")
    if name in _MAKES_ARRAY and isinstance(call.state, tuple) and len(call.state) == 5:
        _, shape, dtype, is_fortran, data = call.state
        return _laid_out(data, dtype, shape, is_fortran is True)
    raise InertPickleError("must hold one array of numbers")


def _called(value: Any) -> Call:
    if isinstance(value, Named):
        raise InertPickleError(f"it names {value.name}")
    if not isinstance(value, Call):
        raise InertPickleError("must hold one array of numbers")
    if value.function.name not in _KNOWN:
        raise InertPickleError(f"it names {value.function.name}")
    return value


def _laid_out(data: Any, dtype: Any, shape: Any, is_fortran: bool) -> NDArray[Any]:
    kind = _type(dtype)
    if (
        not isinstance(shape, tuple)
        or len(shape) > _MAX_DIMENSIONS
        or not all(type(size) is int and size >= 0 for size in shape)
    ):
        raise InertPickleError(f"an array has up to {_MAX_DIMENSIONS} sizes that are whole numbers")
    raw = _bytes(data)
    n_bytes = kind.itemsize * math.prod(shape)
    if raw.nbytes != n_bytes:
        raise InertPickleError(f"its shape {shape} takes {n_bytes} bytes, it has {raw.nbytes}")
    array: NDArray[Any] = np.frombuffer(raw, kind)
    return array.reshape(shape, order="F" if is_fortran else "C")


def _type(value: Any) -> np.dtype[Any]:
    call = _called(value)
    code = _text(call.arguments[0]) if call.arguments else None
    state = call.state if isinstance(call.state, tuple) else ()
    order = _text(state[1]) if len(state) == 8 else None
    plain = (state[0], *state[2:]) if len(state) == 8 else None
    if (
        call.function.name != _MAKES_TYPE
        or code not in _TYPES
        or order not in ("<", ">", "|")
        or plain != _PLAIN_TYPE
    ):
        raise InertPickleError("must hold one array of numbers")
    return np.dtype(f"{order}{code}")


def _bytes(value: Any) -> memoryview:
    if isinstance(value, memoryview):
        return value
    call = _called(value)
    if call.function.name != _MAKES_BYTES or len(call.arguments) != 2:
        raise InertPickleError("must hold its numbers as bytes")
    text, encoding = (_text(argument) for argument in call.arguments)
    if text is None or encoding != "latin1":
        raise InertPickleError("must hold its numbers as bytes")
    try:
        return memoryview(text.encode("latin1"))
    except UnicodeEncodeError as error:
        raise InertPickleError("damaged (text where bytes are wanted)") from error


def _text(value: Any) -> str | None:
    if isinstance(value, memoryview):  # Python 2's str
        return str(value, "latin1")
    return value if isinstance(value, str) else None
