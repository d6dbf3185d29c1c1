"""Runs in the student's kernel: tells values of the notebook, and calls functions when asked to.

The kernel reads requests, which the grader writes, and writes replies; both are files with JSON.
A student may change any of this; it would change what is claimed, never how it is judged.
"""

from __future__ import annotations

import base64
import json
import os
import warnings
from pathlib import Path
from typing import Any

from helpers.grading.plain import MOST_BYTES, decode, encode, is_frame

_objects: dict[int, Any] = {}  # what cannot be told: the other side asks for its parts


def answer(number: int) -> None:
    """Read request ``NUMBER`` and write the reply."""
    request = json.loads(Path(os.environ["MLMD_ASKED"], f"{number}.json").read_text("utf-8"))
    try:
        reply = _reply(request)
        text = json.dumps(reply)
        if len(text) > MOST_BYTES:
            raise ValueError("a value is too large to be told")
    except Exception as error:
        kind = next(c.__name__ for c in type(error).__mro__ if c.__module__ == "builtins")
        text = json.dumps({"error": f"{type(error).__name__}: {error}"[:500], "kind": kind})
    path = Path(os.environ["MLMD_TOLD"], f"{number}.json")
    path.with_suffix(".part").write_text(text, "utf-8")
    path.with_suffix(".part").rename(path)


def _reply(request: dict[str, Any]) -> dict[str, Any]:
    if "names" in request:
        return {"values": _values(request["names"]), "folder": encode(Path.cwd(), _keep)}
    thing = _objects[request["object"]]
    step = request["step"]
    arguments = [_argument(one, request) for one in request.get("arguments", [])]
    if step == "attribute":
        value = getattr(thing, arguments[0])
    elif step == "item":
        value = thing[arguments[0]]
    elif step == "length":
        value = len(thing)
    else:
        named = {name: _argument(one, request) for name, one in request["named"].items()}
        value = thing(*arguments, **named)
    # A function may have changed what it was given: the other side should see that, too.
    return {"value": encode(value, _keep), "arguments": [_after(one) for one in arguments]}


def _values(names: list[str]) -> dict[str, Any]:
    from IPython import get_ipython

    namespace, values = get_ipython().user_ns, {}
    for name in names:
        if name in namespace:
            try:
                with warnings.catch_warnings():  # the notebook may have made errors of them
                    warnings.simplefilter("ignore")
                    values[name] = encode(namespace[name], _keep)
            except Exception as error:
                values[name] = {"untold": f"{type(error).__name__}: {error}"[:200]}
    return values


def _keep(value: Any) -> int:
    number = len(_objects) + 1
    _objects[number] = value
    return number


def _argument(data: Any, request: dict[str, Any]) -> Any:
    def given(number: int) -> Any:
        if number < 0:
            return _objects[-number]
        import cloudpickle

        return cloudpickle.loads(base64.b64decode(request["pickled"][str(number)]))

    return decode(data, given, Path.cwd())


def _after(argument: Any) -> Any:
    import numpy as np

    changes = isinstance(argument, np.ndarray) or is_frame(argument)
    return encode(argument, _keep) if changes else None
