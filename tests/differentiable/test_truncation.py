"""Truncated windows and what they leave out of a gradient."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from helpers.differentiable import stack, truncation_bias
from helpers.errors import ConfigError, DataError
from helpers.jax_setup import double_precision
from helpers.md.integrators import make_integrator
from helpers.md.simulation import from_energy, initialize, simulate

WELL = from_energy(lambda k, x, cell, lists: (k * x**2).sum() + 0.3 * (x**2).sum() ** 2)


def slopes(window):
    """Derivatives of where atoms in a well are after 40 steps, from three starts."""
    integrator = make_integrator("langevin", 2, timestep_fs=0.7, relaxation_fs=30.0, n_dof=6)
    masses = np.array([4.0, 9.0])

    def end(k, start):
        x, key = start
        begun = initialize(WELL, integrator, x, 0 * x, masses, key, parameters=k)
        run = simulate(WELL, begun, integrator, 40, parameters=k, record_every=40, window=window)
        return (run.records.positions**2).sum()

    rng = np.random.default_rng(0)
    with double_precision():
        starts = stack([(0.3 * rng.normal(size=(2, 3)), jax.random.key(n)) for n in range(3)])
        return jax.jit(jax.vmap(jax.grad(end), (None, 0)))(0.8, starts)


@pytest.mark.slow  # compiles four gradients: 4 s
def test_the_bias_falls_with_the_window_and_is_zero_for_all_steps():
    table = truncation_bias(slopes, [4, 20, 40]).set_index("window_steps")
    bias = table["relative_bias"].abs()
    assert bias[4] > 0.5 and bias[40] < 1e-9 and table.loc[40, "cosine"] == pytest.approx(1)
    assert table.loc[20, "standard_error"] > 0


def test_a_reference_of_its_own_and_what_cannot_be_used():
    rows = {None: [[3.0, 4.0]] * 2, 5: [[0.0, 4.0], [0.0, 6.0]], 7: [[0.0, np.nan]] * 2}
    table = truncation_bias(rows.get, [5])
    assert table.loc[0].tolist() == pytest.approx([5, 5.0, -0.2, 0.16, 0.8])
    own = truncation_bias(rows.get, [5], reference=[0.0, 10.0])
    assert own.loc[0].tolist() == pytest.approx([5, 5.0, -0.5, 0.1, 1.0])
    with pytest.raises(DataError, match="window 7 is not finite"):
        truncation_bias(rows.get, [7])
    with pytest.raises(DataError, match="whole gradient is 0"):
        truncation_bias(rows.get, [5], reference=0.0)
    with pytest.raises(ConfigError, match="window=0"):
        truncation_bias(rows.get, [0])
