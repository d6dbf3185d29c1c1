"""One family of exceptions. Every message says what was expected, what came, and how to mend it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class WorkshopError(Exception):
    """Base of every error that the kit raises on purpose.

    Parameters
    ----------
    problem : str
        What went wrong, in one sentence, naming the file, key or value.
    expected, found, fix : str, optional
        What was expected, what came instead, and how to mend it.
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

    def __reduce__(self) -> tuple:  # keyword-only arguments need help to cross process borders
        return _rebuild, (type(self), self.problem, self.expected, self.found, self.fix)


def _rebuild(
    kind: type[WorkshopError],
    problem: str,
    expected: str | None,
    found: str | None,
    fix: str | None,
) -> WorkshopError:
    return kind(problem, expected=expected, found=found, fix=fix)


class DataError(WorkshopError, ValueError):
    """Frames or labels that cannot be used."""


class ConfigError(WorkshopError, ValueError):
    """A setting that gap_fit or the kit cannot use."""


class FitError(WorkshopError, RuntimeError):
    """A fit that failed; the old model, if there was one, is untouched."""


class ModelFileError(WorkshopError, ValueError):
    """A model file that is missing, damaged, or not a GAP."""


class PredictionError(WorkshopError, ValueError):
    """Atoms that a model cannot be asked about."""


class MissingToolError(WorkshopError, RuntimeError):
    """A program or package that the kit needs is not installed."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint such as ``did you mean 'cutoff'?``, or the list of known names."""
    known = sorted(known)
    folded = {k.casefold(): k for k in known}
    match = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.55)
    if match:
        return f"did you mean {folded[match[0]]!r}?"
    return "use one of " + ", ".join(known)


class OutputError(WorkshopError, OSError):
    """A result that cannot be written; what stood there before is untouched."""


class UnsupportedModelError(ModelFileError):
    """A well-formed GAP with parts that the kit does not evaluate itself."""


class CheckpointError(WorkshopError, ValueError):
    """An interrupted run that does not fit what was asked for."""


class CacheError(WorkshopError):
    """A cache folder that this version cannot use."""
