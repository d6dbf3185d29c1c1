"""The kit's exceptions: each message says what was expected, what was found, and how to fix it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class WorkshopError(Exception):
    """Base class of all exceptions that the kit raises on purpose.

    Parameters
    ----------
    problem : str
        What went wrong, in one sentence, naming the file, key or value.
    expected, found, fix : str, optional
        What was expected, what was found instead, and how to fix it.
    """

    def __init__(
        self,
        problem: str,
        *,
        expected: str | None = None,
        found: str | None = None,
        fix: str | None = None,
    ) -> None:
        self.problem, self.expected, self.found, self.fix = problem, expected, found, fix
        parts = [problem]
        for label, text in (("Expected", expected), ("Found", found), ("Fix", fix)):
            if text:
                parts.append(f"{label}: {text}")
        super().__init__(" ".join(part if part[-1] in ".?!" else part + "." for part in parts))

    def __reduce__(self) -> tuple:  # pickle cannot pass keyword-only arguments by itself
        return _rebuild, (type(self), self.problem, self.expected, self.found, self.fix)


class DataError(WorkshopError, ValueError):
    """Frames or labels that are missing, damaged or malformed."""


class ConfigError(WorkshopError, ValueError):
    """A setting whose name is unknown or whose value cannot be used."""


class FitError(WorkshopError, RuntimeError):
    """A fit that failed. An older model file at the same path is untouched."""


class ModelFileError(WorkshopError, ValueError):
    """A model file that is missing, damaged, or not a GAP."""


class UnsupportedModelError(ModelFileError):
    """A valid GAP with terms that only quippy evaluates."""


class PredictionError(WorkshopError, ValueError):
    """Atoms for which a model cannot predict anything, such as elements it does not know."""


class MissingToolError(WorkshopError, RuntimeError):
    """A program or package that the kit needs is not installed."""


class OutputError(WorkshopError, OSError):
    """A result that cannot be written. An older file at the same path is untouched."""


class CheckpointError(WorkshopError, ValueError):
    """A checkpoint of another run than the one to be resumed."""


class CacheError(WorkshopError):
    """A cache folder that this version of the kit cannot use."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint for a misspelled name: ``did you mean 'cutoff'?``, or all known names."""
    known = sorted(known)
    folded = {k.casefold(): k for k in known}
    match = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.55)
    if match:
        return f"did you mean {folded[match[0]]!r}?"
    return "use one of " + ", ".join(known)


def _rebuild(
    kind: type[WorkshopError],
    problem: str,
    expected: str | None,
    found: str | None,
    fix: str | None,
) -> WorkshopError:
    return kind(problem, expected=expected, found=found, fix=fix)
