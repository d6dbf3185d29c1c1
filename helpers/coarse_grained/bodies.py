"""Rigid bodies made of beads: shape, inertia, symmetry; and the way back from beads.

Any consistent units will do: Lennard-Jones units (ε = σ = m = kB = 1) for the hexagon; those of ASE
(eV, Å, u, and Å √(u/eV) for times) for molecules.

A *pose* is an array of 7 numbers: position of the mass center, then the quaternion w, x, y, z.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax.numpy as jnp
import numpy as np
from scipy.spatial.transform import Rotation

from helpers.coarse_grained.quaternions import IDENTITY, rotation_matrix, same_sign
from helpers.errors import ConfigError, DataError


@dataclass(frozen=True, eq=False)
class Body:
    """A rigid shape of beads, in the frame of its mass center and principal axes.

    Attributes
    ----------
    name : str
    positions : ndarray of shape (n_beads, 3)
    masses : ndarray of shape (n_beads,)
    kinds : tuple of str
        The kind of each bead; beads of one kind are alike.

    Use `from_beads`, which finds the frame.
    """

    name: str
    positions: np.ndarray
    masses: np.ndarray
    kinds: tuple[str, ...]

    @cached_property
    def mass(self) -> float:
        """Mass of the whole body."""
        return float(self.masses.sum())

    @cached_property
    def inertia(self) -> np.ndarray:
        """The three principal moments of inertia."""
        return np.diag(_inertia_tensor(self.positions, self.masses)).copy()

    @cached_property
    def radius(self) -> float:
        """Distance of the outermost bead from the mass center."""
        return float(np.linalg.norm(self.positions, axis=1).max())

    @cached_property
    def symmetry(self) -> np.ndarray:
        """All turns (n, 4) that bring each bead to the place of one of its kind."""
        return _symmetry_rotations(self)

    def place(self, poses: Any) -> Any:
        """Return the positions of the beads (..., n_beads, 3) of bodies at poses (..., 7)."""
        rotations = rotation_matrix(poses[..., 3:])
        turned = (rotations[..., None, :, :] * self.positions[:, None, :]).sum(-1)
        return poses[..., None, :3] + turned


@dataclass(frozen=True)
class RigidTrajectory:
    """Rigid bodies along a run.

    Attributes
    ----------
    times : ndarray of shape (n_times,)
    poses : ndarray of shape (n_times, n_bodies, 7)
    momenta : ndarray of shape (n_times, n_bodies, 6)
        Linear momentum in space, angular momentum in the body's frame.
    energies : ndarray of shape (n_times,)
        Potential energy; NaN where it is not known.
    forces : ndarray of shape (n_times, n_bodies, 6), or None
        Force in space, torque in the body's frame; None where they were not recorded.
    """

    times: np.ndarray
    poses: np.ndarray
    momenta: np.ndarray
    energies: np.ndarray
    forces: np.ndarray | None = None


def from_beads(
    name: str,
    positions: Any,
    masses: Any = 1.0,
    kinds: Sequence[str] | None = None,
) -> Body:
    """Return the body of some beads, moved to its mass center and turned to its principal axes.

    Parameters
    ----------
    name : str
    positions : array-like of shape (n_beads, 3)
    masses : array-like of shape (n_beads,), or one number for all
    kinds : sequence of str, optional
        By default all beads are of one kind, ``"bead"``.

    Raises
    ------
    ConfigError
        If there are fewer than three beads, all lie on a line, or a mass is not positive: such a
        body has fewer than six degrees of freedom.
    """
    positions = np.array(positions, float)
    if positions.ndim != 2 or positions.shape[1] != 3 or not np.isfinite(positions).all():
        raise ConfigError(
            f"The beads of {name} have no usable positions",
            expected="finite numbers of shape (n_beads, 3)",
            found=f"shape {positions.shape}",
        )
    masses = np.broadcast_to(np.asarray(masses, float), (len(positions),)).copy()
    if not (np.isfinite(masses) & (masses > 0)).all():
        raise ConfigError(f"The beads of {name} have unusable masses", expected="numbers above 0")
    kinds = ("bead",) * len(positions) if kinds is None else tuple(kinds)
    if len(kinds) != len(positions):
        raise ConfigError(
            f"The kinds of beads of {name} do not fit",
            expected=f"{len(positions)} kinds, one for each bead",
            found=str(len(kinds)),
        )
    positions -= masses @ positions / masses.sum()
    tensor = _inertia_tensor(positions, masses)
    scale = np.trace(tensor)
    if np.abs(tensor - np.diag(np.diag(tensor))).max() > 1e-9 * max(scale, 1e-300):
        axes = np.linalg.eigh(tensor)[1]
        positions = positions @ (axes * np.linalg.det(axes))
    moments = np.diag(_inertia_tensor(positions, masses))
    if not moments.min() > 1e-9 * max(moments.max(), 1e-300):
        raise ConfigError(
            f"The beads of {name} lie on a line or at one place",
            expected="at least three beads that do not, so that every moment of inertia is above 0",
            found=f"moments {np.round(moments, 6).tolist()}",
        )
    return Body(name, positions, masses, kinds)


def hexagon() -> Body:
    """Return seven beads of mass 1 in a plane: six on a circle of radius 1, one in the center."""
    angles = np.arange(6) * np.pi / 3
    ring = np.stack([np.cos(angles), np.sin(angles), np.zeros(6)], axis=1)
    return from_beads("hexagon", np.concatenate([ring, np.zeros((1, 3))]))


def water() -> Body:
    """Return a rigid water molecule (Å, u): SPC/E, Berendsen et al., J. Phys. Chem. 91, 6269."""
    half = np.radians(109.47) / 2
    h = np.array([[np.sin(half), 0, np.cos(half)], [-np.sin(half), 0, np.cos(half)]])
    return from_beads(
        "water", np.concatenate([np.zeros((1, 3)), h]), [15.999, 1.008, 1.008], ("O", "H", "H")
    )


def benzene() -> Body:
    """Return rigid benzene (Å, u): C–C 1.40, C–H 1.08; Jorgensen, Severance, JACS 112, 4768."""
    angles = np.arange(6) * np.pi / 3
    ring = np.stack([np.cos(angles), np.sin(angles), np.zeros(6)], axis=1)
    return from_beads(
        "benzene",
        np.concatenate([1.40 * ring, 2.48 * ring]),
        [12.011] * 6 + [1.008] * 6,
        ("C",) * 6 + ("H",) * 6,
    )


BODIES = {"hexagon": hexagon, "water": water, "benzene": benzene}


def reduce(
    body: Body,
    positions: Any,
    velocities: Any,
    times: Any = None,
) -> RigidTrajectory:
    """Return the rigid motion of beads: mass centers, quaternions, momenta.

    The orientation is that of the body's shape superposed on the beads with the least squares of
    distances, weighted by the masses (Kabsch, Acta Cryst. A32, 922 (1976)). It is found for the
    whole shape in each frame, not from the axes of inertia of the frame, which are not unique
    for symmetric bodies. For beads that are stiffly bonded, not rigid, it is the best fit.

    Parameters
    ----------
    body : Body
    positions, velocities : array of shape (n_times, n_bodies, n_beads, 3)
        Not wrapped into a cell.
    times : array of shape (n_times,), optional
        By default 0, 1, 2, …

    Raises
    ------
    DataError
        If the shapes do not fit the body, or a number is not finite.
    """
    positions, velocities = np.asarray(positions, float), np.asarray(velocities, float)
    expected = (len(body.masses), 3)
    if positions.ndim != 4 or positions.shape[2:] != expected:
        raise DataError(
            f"These are not the beads of {body.name}",
            expected=f"positions of shape (n_times, n_bodies, {expected[0]}, 3)",
            found=str(positions.shape),
        )
    if velocities.shape != positions.shape:
        raise DataError(
            "Positions and velocities do not belong together",
            expected=f"velocities of shape {positions.shape}",
            found=str(velocities.shape),
        )
    if not (np.isfinite(positions).all() and np.isfinite(velocities).all()):
        raise DataError("Positions or velocities of beads are not finite")
    n_times = len(positions)
    weights = body.masses[:, None]
    centers = (weights * positions).sum(2) / body.mass
    relative = positions - centers[:, :, None]
    momenta = (weights * velocities).sum(2)
    moving = velocities - momenta[:, :, None] / body.mass
    spin = (weights * np.cross(relative, moving)).sum(2)
    # Kabsch: R maximizes Σ m x'·R x
    correlation = np.einsum("b,tnbi,bj->tnij", body.masses, relative, body.positions)
    left, _, right = np.linalg.svd(correlation)
    handed = np.linalg.det(left) * np.linalg.det(right)
    left[..., :, 2] *= handed[..., None]
    rotations = left @ right
    quaternions = Rotation.from_matrix(rotations.reshape(-1, 3, 3)).as_quat()[:, [3, 0, 1, 2]]
    quaternions = same_sign(quaternions.reshape(n_times, -1, 4))
    spin_body = np.einsum("tnji,tnj->tni", rotations, spin)
    return RigidTrajectory(
        times=np.arange(n_times, dtype=float) if times is None else np.asarray(times, float),
        poses=np.concatenate([centers, quaternions], -1),
        momenta=np.concatenate([momenta, spin_body], -1),
        energies=np.full(n_times, np.nan),
    )


def bead_velocities(body: Body, poses: Any, momenta: Any) -> Any:
    """Return the velocities (..., n_beads, 3) of the beads of rigid bodies."""
    rotations = rotation_matrix(poses[..., 3:])
    omega = momenta[..., 3:] / body.inertia
    turning = jnp.cross(omega[..., None, :], jnp.asarray(body.positions))
    in_space = (rotations[..., None, :, :] * turning[..., None, :]).sum(-1)
    return momenta[..., None, :3] / body.mass + in_space


def _inertia_tensor(positions: np.ndarray, masses: np.ndarray) -> np.ndarray:
    squares = (positions**2).sum(1)
    return (masses * squares).sum() * np.eye(3) - np.einsum(
        "b,bi,bj->ij", masses, positions, positions
    )


def _symmetry_rotations(body: Body) -> np.ndarray:
    """Try all turns that bring two beads, which fix the frame, to the places of two others."""
    x = body.positions
    scale = body.radius
    labels = [(kind, round(mass, 9)) for kind, mass in zip(body.kinds, body.masses, strict=True)]
    first = int(np.linalg.norm(x, axis=1).argmax())
    second = int(np.linalg.norm(np.cross(x[first], x), axis=1).argmax())
    sides = _sides(x[first], x[second])
    turns: list[np.ndarray] = []
    for i in range(len(x)):
        for j in range(len(x)):
            alike = labels[i] == labels[first] and labels[j] == labels[second]
            if not alike or np.abs(_sides(x[i], x[j]) - sides).max() > 1e-6 * scale:
                continue
            rotation = _frame(x[i], x[j]) @ _frame(x[first], x[second]).T
            distances = np.linalg.norm((x @ rotation.T)[:, None] - x[None], axis=-1)
            partner = distances.argmin(1)
            matched = all(labels[a] == labels[b] for a, b in enumerate(partner))
            if matched and distances.min(1).max() < 1e-6 * scale:
                turns.append(rotation)
    quaternions = Rotation.from_matrix(np.array(turns)).as_quat()[:, [3, 0, 1, 2]]
    order = np.argsort(-np.abs(quaternions @ np.array(IDENTITY)), kind="stable")
    return quaternions[order]


def _sides(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the lengths of two vectors and of their difference."""
    return np.linalg.norm([a, b, a - b], axis=1)


def _frame(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return three orthonormal columns made of two vectors."""
    normal = np.cross(a, b)
    x, z = a / np.linalg.norm(a), normal / np.linalg.norm(normal)
    return np.stack([x, np.cross(z, x), z], axis=1)
