"""The fluid of lesson 09 in PyTorch, eager, beside the kit: CPU time of simulation and gradient.

    python benchmarks/through_simulations/torch_beside.py   # needs torch and the kit, one core

50 Lennard-Jones atoms, 500 steps, velocities rescaled, 64 bit, the same start; value and gradient
of the mean distance to the nearest neighbor with respect to σ.
"""

from __future__ import annotations

import time

import jax
import numpy as np
import torch
from ase import units

from helpers.differentiable import Fluid
from helpers.jax_setup import double_precision

KJ = units.kJ / units.mol
ACCELERATION, MASS, KELVIN = units.fs**2, 10.0, units.kB
fluid = Fluid()
positions, velocities = fluid.draw(0)


def in_torch(sigma_nm, steps=500):
    L, cut = 10 * fluid.length_nm, 10 * fluid.cutoff_nm
    x, v = torch.tensor(positions), torch.tensor(velocities)
    n, dt = len(x), fluid.timestep_fs
    eye = torch.eye(n, dtype=torch.bool)
    eps = fluid.epsilon_kJ_per_mol * KJ

    def forces(x):
        away = x[:, None] - x[None]
        away = away - L * torch.round(away / L)
        r2 = (away**2).sum(-1).masked_fill(eye, 1e9)
        s6 = ((10 * sigma_nm) ** 2 / r2) ** 3
        size = torch.where(r2 < cut**2, 24 * eps * (2 * s6**2 - s6) / r2, 0.0)
        return (size[..., None] * away).sum(1)

    f = forces(x)
    for _ in range(steps):
        v = v + f * (ACCELERATION * dt / 2 / MASS)
        x = x + v * dt
        f = forces(x)
        v = v + f * (ACCELERATION * dt / 2 / MASS)
        T = MASS * (v**2).sum() / ACCELERATION / ((3 * n - 3) * KELVIN)
        v = v * torch.sqrt(fluid.temperature_K / T)
    away = x[:, None] - x[None]
    away = away - L * torch.round(away / L)
    r2 = (away**2).sum(-1).masked_fill(eye, 1e9)
    return torch.sqrt(r2.min(1).values).mean() / 10


def shortest(function, n=3):
    times = []
    for _ in range(n):
        begun = time.process_time()
        value = function()
        times.append(time.process_time() - begun)
    return 1000 * min(times), value


def main():
    torch.set_num_threads(1)

    def eager_gradient():
        sigma = torch.tensor(0.45, dtype=torch.float64, requires_grad=True)
        (slope,) = torch.autograd.grad(in_torch(sigma), sigma)
        return float(slope)

    def func_gradient():
        return float(torch.func.grad(in_torch)(torch.tensor(0.45, dtype=torch.float64)))

    with torch.no_grad():
        forward, value = shortest(lambda: float(in_torch(torch.tensor(0.45, dtype=torch.float64))))
    rows = [("torch, simulation", forward, value)]
    rows.append(("torch, gradient (autograd)", *shortest(eager_gradient)))
    rows.append(("torch, gradient (torch.func)", *shortest(func_gradient)))
    with double_precision():
        loss = lambda s, **more: fluid.loss(s, (positions, velocities), **more)[1]  # noqa: E731
        ways = {
            "kit, simulation": jax.jit(loss),
            "kit, gradient": jax.jit(jax.grad(lambda s: loss(s, checkpoint_every=1))),
        }
        for name, way in ways.items():
            float(way(0.45))
            rows.append((name, *shortest(lambda way=way: float(way(0.45)), 5)))
    print(f"torch {torch.__version__}, jax {jax.__version__}")
    for name, ms, number in rows:
        print(f"{name:30} {ms:9.1f} ms   {number:.10f}")
    assert np.isclose(rows[0][2], rows[3][2], rtol=1e-6)


if __name__ == "__main__":
    main()
