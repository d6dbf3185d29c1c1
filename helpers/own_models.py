"""`own_or_stored`: which model a lesson uses, a student's own or the one that the kit stores."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from helpers.errors import ModelFileError, nearest


class _Summary(NamedTuple):
    elements: frozenset[str]
    settings: str


def own_or_stored(
    own: str | os.PathLike, stored: str | os.PathLike, *, what: str = "potential"
) -> Path:
    """Return a student's own model file where it can be used, else the stored one.

    One printed line says which of the two it is, and with which settings it was trained.

    Parameters
    ----------
    own : str or path
        The file that an earlier lesson wrote: a potential (.xml) or a model of polarizabilities
        (.joblib, or .npz of `save_model`). A .joblib file can run any code while it is loaded, so
        it has to be one's own.
    stored : str or path
        The file to use where the own one is missing, damaged, or knows other elements.
    what : str
        What the models are, for the printed line.

    Returns
    -------
    Path
        `own` or `stored`.

    Raises
    ------
    ModelFileError
        If the stored file cannot be used, or a name ends differently.
    """
    own, stored = Path(own), Path(stored)
    fallback = _summary(stored)
    if not own.exists():
        reason = f"There is no {own} yet."
    else:
        try:
            summary = _summary(own)
            if summary.elements != fallback.elements:
                raise ModelFileError(
                    f"it is a model of {', '.join(sorted(summary.elements))}, "
                    f"not of {', '.join(sorted(fallback.elements))}"
                )
        except ModelFileError as error:
            problem = error.problem.replace(f"{own} ", "it ", 1)
            reason = f"{own} cannot be used ({problem}); train it again."
        else:
            written = datetime.fromtimestamp(own.stat().st_mtime)
            print(f"Your own {what} is used: {own} of {written:%d %b, %H:%M} ({summary.settings}).")
            return own
    print(f"{reason} The stored {what} is used: {stored.name} ({fallback.settings}).")
    return stored


def _summary(path: Path) -> _Summary:
    """Return elements and settings of a model, or raise `ModelFileError`."""
    if path.suffix not in _READERS:
        raise ModelFileError(
            f"{path} cannot be a model: its name ends with {path.suffix!r}",
            fix=nearest(path.suffix, _READERS),
        )
    return _READERS[path.suffix](path)


def _potential(path: Path) -> _Summary:
    from helpers.gap.xml import read_model

    model = read_model(path)
    soap = next((term for term in model.terms if term.kind == "soap"), None)
    settings = f"{model.n_sparse} sparse points"
    if soap is not None:
        n_max, l_max, cutoff = (soap.number(key) for key in ("n_max", "l_max", "cutoff"))
        settings = f"SOAP: cutoff {cutoff:g} Å, n_max {n_max:g}, l_max {l_max:g}; {settings}"
    return _Summary(frozenset(model.elements), settings)


def _own_regression(path: Path) -> _Summary:
    import joblib

    try:
        model = joblib.load(path)
        return _regression(model)
    except Exception as error:  # what unpickling raises depends on where the file is damaged
        raise ModelFileError(
            f"it does not hold a trained model of polarizabilities: {error}"
        ) from error


def _stored_regression(path: Path) -> _Summary:
    from helpers.sagpr.model_file import load_model

    return _regression(load_model(path))


def _regression(model: Any) -> _Summary:
    from sklearn.utils.validation import check_is_fitted

    check_is_fitted(model)
    soap = model.soap
    settings = f"λ-SOAP: cutoff {soap.cutoff_A:g} Å, n_max {soap.n_max}, l_max {soap.l_max}"
    return _Summary(
        frozenset(soap.elements), f"{settings}; {len(model.loo_predictions_)} training frames"
    )


_READERS: dict[str, Callable[[Path], _Summary]] = {
    ".xml": _potential,
    ".joblib": _own_regression,
    ".npz": _stored_regression,
}
