"""How good a learned pair energy is: against the beads, and on trajectories that were held out.

The potential of rigid bodies is the sum over their beads itself, so energies, forces and torques
can be compared arrangement by arrangement. "Range" is that of the energies where the trajectories
went, up to the 99th percentile: the wall beyond diverges.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from helpers import checks
from helpers.coarse_grained.bead_potential import BeadSum
from helpers.coarse_grained.bodies import Body
from helpers.coarse_grained.dataset import Dataset
from helpers.coarse_grained.force_matching import without_spring
from helpers.coarse_grained.neural_ode import Solver, integrate
from helpers.coarse_grained.pair_sum import (
    PairEnergy,
    energies_and_forces,
    in_double,
    pair_force_field,
)
from helpers.coarse_grained.quaternions import angle_between
from helpers.coarse_grained.rigid_dynamics import make_rigid_integrator
from helpers.coarse_grained.windows import Windows
from helpers.errors import DataError
from helpers.evaluation import rmse
from helpers.jax_setup import double_precision

# Of two flat bodies such as hexagons: direction of the line of centers, and for either body the
# axis (0, 1, 2) and the angle in degrees by which it is turned.
ARRANGEMENTS = {
    "in plane, tip to tip": ((1, 0, 0), (2, 0.0), (2, 0.0)),
    "in plane, edge to edge": ((1, 0, 0), (2, 30.0), (2, 30.0)),
    "tip on face": ((0, 0, 1), (2, 0.0), (1, 90.0)),
    "stacked": ((0, 0, 1), (2, 0.0), (2, 30.0)),
}


@dataclass(frozen=True)
class PairErrors:
    """A learned pair energy against the sum over beads, at arrangements that runs visited.

    Attributes
    ----------
    true, learned : ndarray of shape (n,)
        Energies, the spring left out, of arrangements within the cutoff.
    energy_rmse, energy_range : float
        `energy_range` is the 99th percentile of `true` (`compare_with_beads`).
    force_ratio, torque_ratio : float
        RMSE over the root mean square, of arrangements where beads touch: 0 is perfect, 1 no
        better than no force.
    n_contacts : int
        Arrangements where beads touch.
    """

    true: np.ndarray
    learned: np.ndarray
    energy_rmse: float
    energy_range: float
    force_ratio: float
    torque_ratio: float
    n_contacts: int

    @property
    def share_of_range(self) -> float:
        """RMSE of the energies over their range."""
        return self.energy_rmse / self.energy_range


def compare_with_beads(
    pair: PairEnergy, parameters: Any, dataset: Dataset, split: str = "test", *, every: int = 1
) -> PairErrors:
    """Return the errors of a pair energy at every n-th frame of a split.

    Raises
    ------
    DataError
        If beads touch in none of the frames.
    """
    checks.whole("every", every, 1)
    beads = BeadSum(dataset.body)
    poses = dataset.splits[split].poses[:, ::every].reshape(-1, 2, 7)
    poses = poses[_distances(poses) < beads.cutoff]
    true, exact = energies_and_forces(beads, (), poses)
    contact = true > 1e-6
    if not contact.any():
        raise DataError(
            f"Beads touch in no frame of {split}", fix="take longer runs, or all frames"
        )
    learned, forces = energies_and_forces(pair, parameters, poses)
    energy_range = float(np.quantile(true[contact], 0.99))
    return _pair_errors(true, learned, exact, forces, contact, energy_range)


def compare_with_records(
    pair: PairEnergy, parameters: Any, dataset: Dataset, split: str = "test", *, every: int = 1
) -> PairErrors:
    """Return the errors of a pair energy against recorded energies and forces of a split.

    All frames within the cutoff of the dataset count as contacts; the range of the energies is
    that between the first and the 99th percentile.

    Raises
    ------
    DataError
        If no forces were recorded.
    """
    checks.whole("every", every, 1)
    runs, spring = dataset.splits[split], dataset.settings.spring
    if runs.forces is None:
        raise DataError(f"The runs of {split} hold no forces")
    poses = runs.poses[:, ::every].reshape(-1, 2, 7)
    distances = _distances(poses)
    inside = distances < dataset.cutoff
    if not inside.any():
        raise DataError(f"The bodies of {split} are never nearer than {dataset.cutoff:g}")
    stretch = distances - spring.length
    true = runs.energies[:, ::every].reshape(-1) - 0.5 * spring.stiffness * stretch**2
    exact = without_spring(poses, runs.forces[:, ::every].reshape(-1, 2, 6), spring)[inside]
    learned, forces = energies_and_forces(pair, parameters, poses[inside])
    true, everywhere = true[inside], np.ones(inside.sum(), bool)
    energy_range = float(np.subtract(*np.quantile(true, [0.99, 0.01])))
    return _pair_errors(true, learned, exact, forces, everywhere, energy_range)


def _distances(poses: np.ndarray) -> np.ndarray:
    return np.linalg.norm(poses[:, 1, :3] - poses[:, 0, :3], axis=-1)


def _pair_errors(
    true: np.ndarray,
    learned: np.ndarray,
    exact: np.ndarray,
    forces: np.ndarray,
    contact: np.ndarray,
    energy_range: float,
) -> PairErrors:
    deviation, scale = (forces - exact)[contact], exact[contact]

    def ratio(part: slice) -> float:
        return float(np.sqrt((deviation[..., part] ** 2).mean() / (scale[..., part] ** 2).mean()))

    return PairErrors(
        true,
        learned,
        rmse(learned - true),
        energy_range,
        ratio(slice(3)),
        ratio(slice(3, 6)),
        int(contact.sum()),
    )


def window_errors(
    pair: PairEnergy,
    parameters: Any,
    dataset: Dataset,
    split: str = "test",
    *,
    length: int,
    steps_per_record: int = 4,
    most: int = 200,
) -> pd.DataFrame:
    """Run windows of held-out trajectories from their first frame, and return how far they part.

    Only windows in which beads touch are taken: in the others nothing has to be known.

    Parameters
    ----------
    pair, parameters
        The pair energy; the spring is added.
    dataset : Dataset
    split : str
    length : int
        Points of a window.
    steps_per_record : int
    most : int
        At most so many windows, spread over all.

    Returns
    -------
    DataFrame
        time, and means over windows of the deviation of the separation (length of the vector), of
        the orientation (angle, symmetry of the body counted), of the relative velocity and of ω.

    Raises
    ------
    DataError
        If windows are longer than the runs, or none holds a contact.
    """
    checks.whole("most", most, 1)
    spring = dataset.settings.spring
    windows = Windows(dataset.splits[split], spring, "float64")
    windows.check_length(length, "length")
    starts = windows.apart(length)
    starts = starts[windows.touch(starts, length)]
    if not len(starts):
        raise DataError(f"No window of {length} points of {split} holds a contact")
    starts = starts[:: int(np.ceil(len(starts) / most))]
    poses, momenta = windows.cut(starts, length)
    with double_precision():
        integrator = make_rigid_integrator("nve", dataset.body, timestep=1.0)
        path = partial(
            integrate,
            pair_force_field(pair, spring),
            integrator,
            in_double(parameters),
            n_records=length - 1,
            interval=dataset.settings.interval,
            solver=Solver(steps_per_record=steps_per_record),
        )
        found = jax.jit(jax.vmap(lambda x, p: path(x, p)))(poses[:, 0], momenta[:, 0])
        angles = angle_between(
            found[0][..., 3:], jnp.asarray(poses[..., 3:]), dataset.body.symmetry
        )
    rates = (np.asarray(found[1]) - momenta) / integrator.inertia
    apart = np.asarray(found[0])[..., :3] - poses[..., :3]
    return pd.DataFrame(
        {
            "time": dataset.settings.interval * np.arange(length),
            "separation": np.linalg.norm(apart[:, :, 1] - apart[:, :, 0], axis=-1).mean(0),
            "orientation": np.asarray(angles).mean((0, 2)),
            "velocity": np.linalg.norm(rates[:, :, 1, :3] - rates[:, :, 0, :3], axis=-1).mean(0),
            "omega": np.linalg.norm(rates[..., 3:], axis=-1).mean((0, 2)),
        }
    )


def arrangement_poses(distances: Iterable[float]) -> Iterator[tuple[str, float, np.ndarray]]:
    """Yield name, distance and poses (2, 7) of each of the `ARRANGEMENTS` at each distance."""
    for name, (direction, *turns) in ARRANGEMENTS.items():
        for distance in distances:
            poses = np.zeros((2, 7))
            poses[1, :3] = distance * np.array(direction, float)
            poses[:, 3:] = [_turned(axis, degrees) for axis, degrees in turns]
            yield name, float(distance), poses


def scan_arrangements(pair: PairEnergy, parameters: Any, body: Body) -> pd.DataFrame:
    """Return energies of the `ARRANGEMENTS` against the distance of the centers.

    Returns
    -------
    DataFrame
        arrangement, distance, beads (the sum over beads, where it is below 20), learned.
    """
    beads = BeadSum(body)
    distances = np.linspace(0.3 * beads.cutoff, 1.05 * beads.cutoff, 161)
    names, at, poses = zip(*arrangement_poses(distances), strict=True)
    poses = np.stack(poses)
    table = pd.DataFrame(
        {
            "arrangement": names,
            "distance": at,
            "beads": energies_and_forces(beads, (), poses)[0],
            "learned": energies_and_forces(pair, parameters, poses)[0],
        }
    )
    return table[table["beads"] < 20].reset_index(drop=True)


def _turned(axis: int, degrees: float) -> np.ndarray:
    half = np.radians(degrees) / 2
    return np.array([np.cos(half), *(np.sin(half) * np.eye(3)[axis])])
