"""Orientations of rigid bodies as unit quaternions.

A quaternion is an array (..., 4) in the order w, x, y, z. It turns vectors of the body's own frame
into vectors of space: ``rotate(q, vector)``. q and −q are the same orientation.

The functions compute with JAX: work inside ``with double_precision():``.

Sources: Goldstein, Poole, Safko, Classical Mechanics, chapter 4; the gradient: Miller et al.,
J. Chem. Phys. 116, 8649 (2002).
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from helpers.errors import DataError

IDENTITY = (1.0, 0.0, 0.0, 0.0)


def _product_table() -> np.ndarray:
    """Return T with (a b)ₖ = Σ aᵢ bⱼ Tᵢⱼₖ: i j = k, j k = i, k i = j, i² = j² = k² = −1."""
    table = np.zeros((4, 4, 4))
    for i in range(4):
        table[0, i, i] = table[i, 0, i] = 1.0
    for i, j, k in ((1, 2, 3), (2, 3, 1), (3, 1, 2)):
        table[i, i, 0] = -1.0
        table[i, j, k], table[j, i, k] = 1.0, -1.0
    return table


# As products with constant tables these functions are a few operations each, which JAX compiles
# several times faster than sums over components written out.
PRODUCT = _product_table()
_SIGNS = np.array([1.0, -1.0, -1.0, -1.0])
# q v q* for the three unit vectors v: (…)ₘ = Σ qᵢ qⱼ Σₖₗ T(i, v, k) s(j) T(k, j, m)
MATRIX = np.einsum("ivk,j,kjm->ijmv", PRODUCT[:, 1:], _SIGNS, PRODUCT[:, :, 1:]).reshape(4, 4, 9)


def multiply(a: Any, b: Any) -> Any:
    """Return the product a b, shape (..., 4): first the turn b, then the turn a."""
    return _bilinear(a, b, PRODUCT)


def conjugate(q: Any) -> Any:
    """Return the quaternion of the opposite turn."""
    return q * jnp.asarray(_SIGNS, q.dtype)


def rotation_matrix(q: Any) -> Any:
    """Return R (..., 3, 3) with ``R @ vector_body = vector_space``.

    Its entries are polynomials of second degree of the components, so that gradients are finite
    everywhere.
    """
    return _bilinear(q, q, MATRIX).reshape(*q.shape[:-1], 3, 3)


def rotate(q: Any, vectors: Any) -> Any:
    """Turn vectors (..., 3) of the body's frame into vectors of space."""
    return (rotation_matrix(q) * vectors[..., None, :]).sum(-1)


def rotate_back(q: Any, vectors: Any) -> Any:
    """Turn vectors (..., 3) of space into vectors of the body's frame."""
    return (rotation_matrix(q) * vectors[..., :, None]).sum(-2)


def body_torque(q: Any, energy_gradient: Any) -> Any:
    """Return the torque (..., 3) in the body's frame from ∂U/∂q, shape (..., 4).

    τ = −½ G(q) ∂U/∂q. Since G(q) q = 0, it does not matter how U continues off the unit sphere.
    """
    return _bilinear(conjugate(q), energy_gradient, -0.5 * PRODUCT[..., 1:])


def turn_about_axis(q: Any, axis: int, angle: Any) -> Any:
    """Turn bodies by an angle (...) about an axis (0, 1, 2) of their own frame."""
    half = 0.5 * jnp.asarray(angle)[..., None]
    turned = _product(q, PRODUCT[:, 1 + axis])
    return jnp.cos(half) * q + jnp.sin(half) * turned


def random_quaternions(key: Any, shape: tuple[int, ...] = ()) -> Any:
    """Return orientations, ``(*shape, 4)``, that are uniform over all turns."""
    draws = jax.random.normal(key, (*shape, 4))
    return draws / jnp.linalg.norm(draws, axis=-1, keepdims=True)


def angle_between(a: Any, b: Any, symmetry: Any = None) -> Any:
    """Return by how much b is turned against a, in radians from 0 to π, shape (...).

    Parameters
    ----------
    a, b : array of shape (..., 4)
    symmetry : array of shape (n, 4), optional
        Turns that leave the body as it is: the smallest angle over all of them is returned.
    """
    turns = jnp.array([IDENTITY]) if symmetry is None else jnp.asarray(symmetry)
    images = multiply(b[..., None, :], turns)
    difference = multiply(conjugate(a)[..., None, :], images)
    sine = jnp.linalg.norm(difference[..., 1:], axis=-1)  # arccos alone is inaccurate near 0
    return (2 * jnp.arctan2(sine, jnp.abs(difference[..., 0]))).min(-1)


def same_sign(quaternions: np.ndarray) -> np.ndarray:
    """Choose the sign of each quaternion of a series (n_times, ..., 4) so that it is continuous."""
    products = (quaternions[1:] * quaternions[:-1]).sum(-1)
    signs = np.cumprod(np.where(products < 0, -1.0, 1.0), axis=0)
    result = np.array(quaternions, float)
    result[1:] *= signs[..., None]
    return result


def check_unit(quaternions: Any, *, tolerance: float = 1e-6) -> None:
    """Raise `DataError` unless all quaternions have length 1 within the tolerance."""
    norms = np.linalg.norm(np.asarray(quaternions), axis=-1)
    worst = float(np.max(np.abs(norms - 1), initial=0.0)) if np.isfinite(norms).all() else np.nan
    if not worst <= tolerance:
        raise DataError(
            "The quaternions are not of length 1",
            expected=f"|q| = 1 within {tolerance:g}",
            found=f"a deviation of {worst:g}",
            fix="divide them by their length, and check that their order is w, x, y, z",
        )


def _bilinear(a: Any, b: Any, table: np.ndarray) -> Any:
    """Return Σ aᵢ bⱼ Tᵢⱼₖ, shape (..., n), for a table (4, 4, n)."""
    outer = a[..., :, None] * b[..., None, :]
    return _product(outer.reshape(*outer.shape[:-2], 16), table.reshape(16, -1))


def _product(rows: Any, table: np.ndarray) -> Any:
    return jnp.matmul(rows, jnp.asarray(table, rows.dtype), precision="highest")
