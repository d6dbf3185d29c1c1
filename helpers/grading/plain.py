"""Plain data: all that may cross from a student's kernel to the process that decides.

`encode` turns a value into JSON, in the student's kernel; `decode` turns it back, in the deciding
process. The kernel may send whatever it likes, so `decode` accepts a closed list and nothing else:

- None, truth values, whole and decimal numbers (fractions and `decimal`, too), text
- lists, tuples, sets and dictionaries of these, and what is as good as a list (a range, a deque)
- NumPy arrays and scalars of truth values, numbers or text; arrays of other libraries, such as JAX,
  arrive as arrays of NumPy
- tables and columns (pandas), frames (`ase.Atoms`: elements, positions, cell, periodicity)
- the name of a file in the student's folder, as a path or as text
- an object of any other type (a function, a model, a figure) as a number; `decode` hands the number
  to `remote`, and what comes back can be asked, one attribute or call after the other, for values
  of this list

There is no pickle, and no name of a class or a module.
"""

from __future__ import annotations

import array
import base64
import decimal
import fractions
import math
import os
import sys
from collections import deque
from collections.abc import Callable, ItemsView, KeysView, Mapping, ValuesView
from pathlib import Path, PurePath, PurePosixPath
from typing import Any

from helpers.errors import WorkshopError

MOST_BYTES = 64_000_000  # of one message
DEEPEST = 12  # lists in lists in …
_DTYPES = {
    name
    for kind, sizes in (("i", (1, 2, 4, 8)), ("u", (1, 2, 4, 8)), ("f", (2, 4, 8)), ("c", (8, 16)))
    for name in (f"<{kind}{size}" for size in sizes)
} | {"|b1", "|i1", "|u1"}


class PlainError(WorkshopError, TypeError):
    """A value that is not plain data, or a message that is damaged.

    A `WorkshopError`; it stands here because nobody outside this room meets it.
    """


def encode(value: Any, keep: Callable[[Any], int], *, depth: int = 0) -> Any:
    """Return a value as JSON (lists, dictionaries, numbers and text).

    Parameters
    ----------
    value : Any
        Anything at all.
    keep : function
        Remembers an object that is not plain, and returns its number.

    Raises
    ------
    PlainError
        If lists are nested deeper than `DEEPEST`.
    """
    import numpy as np

    if depth > DEEPEST:
        raise PlainError("Lists are nested too deeply", expected=f"at most {DEEPEST} levels")
    if type(value) is str and value.startswith(_folder() + os.sep):
        return {"name": _relative(Path(value))}
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, (decimal.Decimal, fractions.Fraction)):
        return float(value)
    if isinstance(value, complex):
        value = np.complex128(value)
    if isinstance(value, np.generic):
        return {"scalar": _array(np.asarray(value), keep, depth)}
    if isinstance(value, np.ndarray):
        return {"array": _array(value, keep, depth)}
    for kind, name in _SEQUENCES:
        if isinstance(value, kind):
            return {name: [encode(one, keep, depth=depth + 1) for one in value]}
    if isinstance(value, dict):
        pairs = [[encode(x, keep, depth=depth + 1) for x in pair] for pair in value.items()]
        return {"dict": pairs}
    if isinstance(value, PurePath):
        return {"file": _relative(value)}
    for plain in (bool, int, float, str):  # an enumeration, for instance
        if isinstance(value, plain):
            return plain(value)
    return _from_libraries(value, keep, depth)


def _array(value: Any, keep: Callable[[Any], int], depth: int) -> dict[str, Any]:
    import numpy as np

    shape = list(value.shape)
    if isinstance(value, np.ma.MaskedArray):
        value = value.filled(math.nan) if value.dtype.kind in "fc" else value.filled()
    if value.dtype in (np.longdouble, np.clongdouble):
        value = value.astype(np.float64 if value.dtype.kind == "f" else np.complex128)
    if value.dtype.kind in "biufc":
        little = np.ascontiguousarray(value, value.dtype.newbyteorder("<"))
        text = base64.b64encode(little.tobytes()).decode()
        return {"dtype": little.dtype.str, "shape": shape, "base64": text}
    items = [encode(one, keep, depth=depth + 1) for one in value.ravel().tolist()]
    kind = "text" if value.dtype.kind == "U" else "objects"
    return {"dtype": kind, "shape": shape, "items": items}


_SEQUENCES = (
    (list, "list"),
    (tuple, "tuple"),
    (set, "set"),
    (frozenset, "set"),
    (range, "list"),
    (deque, "list"),
    (array.array, "list"),
    (KeysView, "list"),
    (ValuesView, "list"),
    (ItemsView, "list"),
)


def _folder() -> str:
    """Return the folder of the notebook, in which the student's kernel began."""
    return os.environ.get("MLMD_WORK") or os.getcwd()


def _relative(path: PurePath) -> str:
    inside = os.path.relpath(os.path.realpath(path), os.path.realpath(_folder()))
    return "elsewhere" if inside.startswith("..") else PurePath(inside).as_posix()


def _from_libraries(value: Any, keep: Callable[[Any], int], depth: int) -> Any:
    pd: Any = sys.modules.get("pandas")  # not imported, it has made no table

    def inside(part: Any) -> Any:
        return encode(part, keep, depth=depth + 1)

    if is_frame(value):
        parts = (value.numbers, value.positions, value.cell.array, value.pbc)
        return {"frame": [inside(part) for part in parts]}
    if pd is None:
        return _from_array(value, keep, depth)
    if isinstance(value, pd.Index):
        return {"index": inside(value.tolist()), "names": inside(list(value.names))}
    if isinstance(value, pd.Series):
        return {
            "series": inside(_values(value)),
            "rows": inside(value.index),
            "name": str(value.name),
        }
    if isinstance(value, pd.DataFrame):
        columns = [inside(_values(value.iloc[:, i])) for i in range(value.shape[1])]
        return {"table": columns, "columns": inside(value.columns), "rows": inside(value.index)}
    return _from_array(value, keep, depth)


def _from_array(value: Any, keep: Callable[[Any], int], depth: int) -> Any:
    """Return an array of another library (JAX, for instance) as one of NumPy."""
    import numpy as np

    if all(hasattr(type(value), name) for name in ("__array__", "shape", "dtype")):
        try:
            return {"array": _array(np.asarray(value), keep, depth)}
        except (TypeError, ValueError, RuntimeError):  # it has no values yet, or lies on a GPU
            pass
    return {"object": keep(value)}


def is_frame(value: Any) -> bool:
    """Return whether a value is an `ase.Atoms`, without importing ASE for it."""
    ase = sys.modules.get("ase")
    return ase is not None and isinstance(value, ase.Atoms)


def _values(column: Any) -> Any:
    plain = column.to_numpy()
    return plain if plain.dtype.kind in "biufc" else column.astype(object).tolist()


def decode(data: Any, remote: Callable[[int], Any], folder: Path, *, depth: int = 0) -> Any:
    """Return the value that `encode` was given, from what `json.loads` made of the message.

    Parameters
    ----------
    data : Any
        What arrived; nothing about it is trusted.
    remote : function
        Takes the number of an object and returns what stands for it here.
    folder : Path
        Where the student's files were copied to.

    Raises
    ------
    PlainError
        If the message is anything but plain data.
    """
    if depth > 4 * DEEPEST:
        raise PlainError("A message is nested too deeply")
    if data is None or type(data) in (bool, int, float, str):
        return data
    if type(data) is not dict or not data:
        raise PlainError("A message is damaged", found=type(data).__name__)

    def inside(part: Any) -> Any:
        return decode(part, remote, folder, depth=depth + 1)

    try:
        return _KINDS[next(iter(data))](data, inside, remote, folder)
    except PlainError:
        raise
    except Exception as error:  # too few parts, a shape that does not fit, an unknown kind, …
        raise PlainError(
            "A message is damaged", found=f"{type(error).__name__}: {error}"[:200]
        ) from error


def _open_array(data: dict, inside: Callable, *_: Any) -> Any:
    import numpy as np

    (content,) = data.values()
    shape = tuple(int(n) for n in content["shape"])
    if content["dtype"] in ("text", "objects"):
        items = [inside(one) for one in content["items"]]
        if content["dtype"] == "text":
            flat: Any = np.array([str(item) for item in items], dtype=str)
        else:
            flat = np.empty(len(items), object)
            flat[:] = items
        return flat.reshape(shape)
    if content["dtype"] not in _DTYPES:
        raise PlainError("An array of this type cannot be used", found=str(content["dtype"])[:40])
    raw = base64.b64decode(content["base64"], validate=True)
    return np.frombuffer(raw, np.dtype(content["dtype"])).reshape(shape).copy()


def _open_scalar(data: dict, inside: Callable, *_: Any) -> Any:
    return _open_array(data, inside)[()]


def _open_items(data: dict, inside: Callable, *_: Any) -> Any:
    (kind,) = data
    return {"list": list, "tuple": tuple, "set": set}[kind](inside(one) for one in data[kind])


def _open_dict(data: dict, inside: Callable, *_: Any) -> Any:
    return {inside(key): inside(value) for key, value in data["dict"]}


def _open_index(data: dict, inside: Callable, *_: Any) -> Any:
    import pandas as pd

    entries, names = inside(data["index"]), inside(data["names"])
    if len(names) > 1:
        return pd.MultiIndex.from_tuples(entries, names=names)
    return pd.Index(entries, name=names[0])


def _open_series(data: dict, inside: Callable, *_: Any) -> Any:
    import pandas as pd

    return pd.Series(inside(data["series"]), index=inside(data["rows"]), name=str(data["name"]))


def _open_table(data: dict, inside: Callable, *_: Any) -> Any:
    import pandas as pd

    rows, columns = inside(data["rows"]), inside(data["columns"])
    table = pd.DataFrame({i: inside(one) for i, one in enumerate(data["table"])}, index=rows)
    table.columns = columns
    return table


def _open_frame(data: dict, inside: Callable, *_: Any) -> Any:
    from ase import Atoms

    numbers, positions, cell, pbc = (inside(part) for part in data["frame"])
    return Atoms(numbers=numbers, positions=positions, cell=cell, pbc=pbc)


def _open_object(data: dict, _inside: Callable, remote: Callable[[int], Any], _: Path) -> Any:
    number = data["object"]
    if type(number) is not int:
        raise PlainError("The number of an object is a whole number")
    return remote(number)


def _open_file(data: dict, _inside: Callable, _remote: Callable, folder: Path) -> Any:
    (text,) = data.values()
    name = PurePosixPath(str(text))
    if name.is_absolute() or ".." in name.parts:
        return folder / "elsewhere"
    return folder / name


def _open_name(data: dict, inside: Callable, remote: Callable, folder: Path) -> str:
    return str(_open_file(data, inside, remote, folder))


_KINDS: Mapping[str, Callable[..., Any]] = {
    "array": _open_array,
    "scalar": _open_scalar,
    "list": _open_items,
    "tuple": _open_items,
    "set": _open_items,
    "dict": _open_dict,
    "index": _open_index,
    "series": _open_series,
    "table": _open_table,
    "frame": _open_frame,
    "object": _open_object,
    "file": _open_file,
    "name": _open_name,
}
