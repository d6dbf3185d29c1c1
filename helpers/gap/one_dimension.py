"""A Gaussian process in one dimension: what sigma and the length scale do to a fitted curve.

The curve is the energy of an O–H bond against its length, a Morse potential. Its labels carry
noise, so that learning them by heart can be seen. Source of the method: Rasmussen, Williams,
*Gaussian Processes for Machine Learning*, MIT Press (2006), chapter 2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from helpers import checks

DEPTH_EV, STEEPNESS_PER_A, LENGTH_A = 5.1, 2.3, 0.96  # Morse potential, roughly that of water
PRIOR_EV = 2.5  # how much the energy is expected to vary by: delta
N_POINTS, NOISE_EV, SEED = 14, 0.25, 3
RANGE_A = (0.7, 2.0)


@dataclass(frozen=True)
class CurveFit:
    """One fit: what its figure shows.

    Attributes
    ----------
    sigma_eV, length_A : float
        The error that labels are expected to have, and the length scale of the kernel.
    x_A, true_eV, mean_eV, error_eV : ndarray of shape (n,)
        Bond lengths, the curve without noise, the fitted curve and its standard deviation.
    training_x_A, training_eV : ndarray of shape (n_points,)
        The labels.
    rmse_training_eV, rmse_validation_eV : float
        RMSE of the fitted curve at the labels, and of it at new labels with the same noise.
    """

    sigma_eV: float
    length_A: float
    x_A: np.ndarray
    true_eV: np.ndarray
    mean_eV: np.ndarray
    error_eV: np.ndarray
    training_x_A: np.ndarray
    training_eV: np.ndarray
    rmse_training_eV: float
    rmse_validation_eV: float

    def __str__(self) -> str:
        return (
            f"RMSE: training {self.rmse_training_eV:.2f} eV, "
            f"validation {self.rmse_validation_eV:.2f} eV"
        )


def bond_energy_eV(length_A: np.ndarray) -> np.ndarray:
    """Return the energy of an O–H bond (a Morse potential) above its minimum, eV."""
    return DEPTH_EV * (1 - np.exp(-STEEPNESS_PER_A * (np.asarray(length_A) - LENGTH_A))) ** 2


def fit_curve(sigma_eV: float, length_A: float, n_points: int = N_POINTS) -> CurveFit:
    """Fit the energies of a bond at some lengths, which carry noise, with a Gaussian process.

    Parameters
    ----------
    sigma_eV : float
        Expected error of the labels.
    length_A : float
        Length scale of the squared-exponential kernel.
    n_points : int
        How many labels.

    Raises
    ------
    ConfigError
        If a number is not above 0.
    """
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel

    checks.number("sigma_eV", sigma_eV, unit="eV")
    checks.number("length_A", length_A, unit="Å")
    checks.whole("n_points", n_points, 1)
    training, validation = (_labels(n, seed) for n, seed in ((n_points, SEED), (100, SEED + 1)))
    offset = float(training[1].mean())
    process = GaussianProcessRegressor(
        ConstantKernel(PRIOR_EV**2) * RBF(length_A), alpha=sigma_eV**2 + 1e-10, optimizer=None
    ).fit(training[0][:, None], training[1] - offset)
    x_A = np.linspace(*RANGE_A, 300)
    mean, error = process.predict(x_A[:, None], return_std=True)
    return CurveFit(
        sigma_eV=sigma_eV,
        length_A=length_A,
        x_A=x_A,
        true_eV=bond_energy_eV(x_A),
        mean_eV=mean + offset,
        error_eV=error,
        training_x_A=training[0],
        training_eV=training[1],
        **{
            f"rmse_{name}_eV": float(
                np.sqrt(np.mean((process.predict(lengths[:, None]) + offset - energies) ** 2))
            )
            for name, (lengths, energies) in (("training", training), ("validation", validation))
        },
    )


def _labels(n_points: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return bond lengths (Å), spread evenly at random, and energies with noise (eV)."""
    rng = np.random.default_rng(seed)
    cells = np.linspace(RANGE_A[0] + 0.03, RANGE_A[1] - 0.03, n_points + 1)
    lengths = rng.uniform(cells[:-1], cells[1:])
    return lengths, bond_energy_eV(lengths) + rng.normal(scale=NOISE_EV, size=n_points)
