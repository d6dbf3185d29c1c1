"""`TwoBody`: settings of the optional pair term of a GAP."""

from __future__ import annotations

from dataclasses import dataclass

from helpers.gap import checks


@dataclass(frozen=True)
class TwoBody(checks.CheckedNames):
    """The pair term (``distance_2b``): a smooth function of each interatomic distance.

    Parameters
    ----------
    cutoff : float
        Å; pairs further apart do not interact.
    n_sparse : int
        Sparse points (distances) per pair of elements.
    delta : float
        eV; how much energy one pair is expected to vary by.
    theta_uniform : float
        Å; length scale of the squared-exponential kernel.
    covariance_type, sparse_method : str
        Kernel and choice of sparse points; ``"ard_se"`` and ``"uniform"``.
    """

    cutoff: float = 6.0
    n_sparse: int = 25
    delta: float = 0.5
    theta_uniform: float = 0.5
    covariance_type: str = "ard_se"
    sparse_method: str = "uniform"

    def __post_init__(self) -> None:
        checks.number("cutoff", self.cutoff, unit="Å")
        checks.whole("n_sparse", self.n_sparse, 1)
        checks.number("delta", self.delta, unit="eV")
        checks.number("theta_uniform", self.theta_uniform, unit="Å")
        checks.one_of("covariance_type", self.covariance_type, ("ard_se",))
        checks.one_of("sparse_method", self.sparse_method, ("uniform",))
