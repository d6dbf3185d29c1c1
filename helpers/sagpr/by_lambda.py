"""Settings that are given once, or for λ = 0 and 2 apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from helpers.gap import checks
from helpers.sagpr.gram import REGULARIZATIONS
from helpers.sagpr.tensors import LAMBDAS


def regularizations_to_try(given: float | Mapping[int, float] | None) -> dict[int, Sequence[float]]:
    """Return what to try for each λ: the one that was given, or the usual ones.

    Raises
    ------
    ConfigError
        If one is not above 0, or a λ has none.
    """
    if given is None:
        return dict.fromkeys(LAMBDAS, REGULARIZATIONS)
    chosen = _of_each_lambda("regularization", given)
    for value in chosen.values():
        checks.number("regularization", value)
    return {k: [value] for k, value in chosen.items()}


def zeta_of_each(given: int | Mapping[int, int]) -> dict[int, int]:
    """Return ζ by λ.

    Raises
    ------
    ConfigError
        If one is neither 1 nor 2, or a λ has none.
    """
    zetas = _of_each_lambda("zeta", given)
    for value in zetas.values():
        if value not in (1, 2):
            checks.refuse("zeta", value, "1 or 2")
    return zetas


def _of_each_lambda(name: str, value: Any) -> dict[int, Any]:
    chosen = dict(value) if isinstance(value, Mapping) else dict.fromkeys(LAMBDAS, value)
    if set(chosen) != set(LAMBDAS):
        checks.refuse(name, value, "one value, or one for each λ: {0: …, 2: …}")
    return chosen
