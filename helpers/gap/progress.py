"""Progress of a fit, read from what gap_fit prints; stages are weighted by the size it reports."""

from __future__ import annotations

import re

from helpers.terminal import progress_bar

_DERIVATIVES = re.compile(r"Number of partial derivatives of descriptors:\s*(\d+)")
_DIMENSIONS = re.compile(r"Descriptor (\d+) :: xPrime (\d+) (\d+)")
_MATRIX = re.compile(r"^\s*A\s+(\d+)\s+(\d+)\s+memory")
_COORDINATE = re.compile(r"Started sparse covariance matrix calculation of coordinate\s+(\d+)")
_PERCENT = re.compile(r"Covariance matrix\s+(\d+)%")
_TARGETS = re.compile(r"Number of target (energies|forces|virials).*found:\s*(\d+)")
_PEAK = re.compile(r"^PEAK\s+([\d.]+)\s*([KMG]?B)")

# Seconds per unit of work on one core, measured once; only their ratios matter.
_DESCRIPTOR_COST = 1.1e-7  # per derivative and dimension
_COVARIANCE_COST = 7.0e-10  # per derivative, dimension and sparse point
_SOLVE_COST = 6.0e-11  # per element of the matrix and sparse point


class FitProgress:
    """Follows the output of gap_fit, line by line, and redraws a bar if one is shown.

    Attributes
    ----------
    targets : dict of int
        How many ``"energies"``, ``"forces"`` and ``"virials"`` gap_fit found in the frames.
    estimated_memory_MB : float or None
        What it expects to need.
    fraction : float
        Part of the work that is done.
    stage : str
        What it is doing.
    """

    def __init__(self, *, n_sparse: int, show: bool) -> None:
        self.targets: dict[str, int] = {}
        self.estimated_memory_MB: float | None = None
        self.fraction = 0.0
        self.stage = "reading frames"
        self._n_sparse = n_sparse
        self._covariance: dict[int, float] = {}
        self._descriptors = self._solve = 0.0
        self._coordinate = 0
        layout = "{desc} {percentage:3.0f}% |{bar}| {elapsed} so far, about {remaining} left"
        self._bar = progress_bar(100, "gap_fit", show=show, bar_format=layout)

    def __call__(self, line: str) -> None:
        """Take in one line of gap_fit's output."""
        if match := _DIMENSIONS.search(line):
            number, dimension, derivatives = map(int, match.groups())
            size = dimension * derivatives
            self._descriptors += size * _DESCRIPTOR_COST
            self._covariance[number] = size * self._n_sparse * _COVARIANCE_COST
        elif match := _MATRIX.search(line):
            n_sparse, n_rows = map(int, match.groups())
            self._solve = n_sparse**2 * n_rows * _SOLVE_COST
        elif match := _PEAK.search(line):
            unit = {"B": 1e-6, "KB": 1e-3, "MB": 1.0, "GB": 1e3}[match.group(2)]
            self.estimated_memory_MB = float(match.group(1)) * unit
        elif match := _TARGETS.search(line):
            self.targets[match.group(1)] = int(match.group(2))
            self._to("computing descriptors", 0.0)
        elif line.startswith("Started CUR"):
            self._to("choosing sparse points", self._descriptors * 0.9)
        elif line.startswith("Cartesian coordinates transformed"):
            self._to("computing descriptors", self._descriptors)
        elif match := _COORDINATE.search(line):
            self._coordinate = int(match.group(1))
            self._to("comparing environments", self._before_coordinate())
        elif match := _PERCENT.search(line):
            part = self._covariance.get(self._coordinate, 0.0) * int(match.group(1)) / 100
            self._to("comparing environments", self._before_coordinate() + part)
        elif "Build linear system" in line:
            self._to("solving", self._descriptors + sum(self._covariance.values()))
        elif "GP sparsify" in line:
            self._to("writing the model", self._total())

    def close(self, *, done: bool) -> None:
        """Finish the bar; full only when the fit is done."""
        if done:
            self._to("done", self._total())
        self._bar.close()

    def _before_coordinate(self) -> float:
        done = sum(cost for n, cost in self._covariance.items() if n < self._coordinate)
        return self._descriptors + done

    def _total(self) -> float:
        return self._descriptors + sum(self._covariance.values()) + self._solve

    def _to(self, stage: str, seconds: float) -> None:
        self.stage = stage
        # The model is written last: the bar is full only when the file is there.
        limit = 1.0 if stage == "done" else 0.99
        self.fraction = max(self.fraction, min(limit, seconds / (self._total() or 1.0)))
        self._bar.set_description(f"gap_fit: {stage}", refresh=False)
        self._bar.n = round(100 * self.fraction)
        self._bar.refresh()
