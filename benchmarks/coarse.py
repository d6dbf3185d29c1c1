"""Coarse-grained bodies: gradients, memory, speed against beads, and long runs.

    .venv/bin/python benchmarks/coarse.py              # all parts, some minutes
    .venv/bin/python benchmarks/coarse.py gradient speed

gradient  value and gradient of a loss of 16 windows of 50 steps, by the kit's three ways and, where
          PyTorch and torchdiffeq are installed, by dopri5 of the latter
memory    of that gradient (one window, ten records) against the number of steps
speed     steps of 2 to 200 bodies: sum over beads, learned potential, and all beads stiffly bonded
long      100,000 steps: drift of beads at constant energy; ten pairs with a stored potential
boxes     averages of 2 to 200 bodies, by beads (two runs) and by a stored potential

Times are CPU seconds of one process after compilation, the least of several calls in turns: on a
busy machine they say what the clock does not. Writes coarse.csv beside it.
"""

from __future__ import annotations

import argparse
import importlib.util
import time
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from helpers.coarse_grained import (
    BeadSum,
    BodyLists,
    BondedBeads,
    Solver,
    Spring,
    compare_boxes,
    fill_box,
    hexagon,
    integrate,
    kinetic_energies,
    make_rigid_integrator,
    pair_force_field,
    rotation_matrix,
    run_bodies,
    run_bonded,
    stored_pairs,
    thermal_momenta,
)
from helpers.differentiable import memory_needed_MB
from helpers.files import write_table
from helpers.jax_setup import double_precision, enable_compilation_cache

BODY = hexagon()
SPRING = Spring(3.0, 2.0)
KT, INTERVAL, WINDOWS, STEPS = 2.5, 0.01, 16, 50
WAYS = {
    "symplectic, checkpoints": Solver(),
    "symplectic, reversible": Solver(gradient="reversible"),
    "tsit5 (fixed step), adjoint": Solver("tsit5", "adjoint"),
}
BODIES = (2, 8, 27, 64, 200)


def starts(n, seed=0):
    """Return poses and momenta of n pairs, 2.4 apart and turned at random."""
    rng = np.random.default_rng(seed)
    poses = np.zeros((n, 2, 7))
    poses[:, 1, 0] = 2.4
    q = rng.normal(size=(n, 2, 4))
    poses[..., 3:] = q / np.linalg.norm(q, axis=-1, keepdims=True)
    noise = rng.normal(size=(n, 2, 6))
    return poses, np.array(thermal_momenta(BODY, KT, jnp.asarray(noise)))


def least_cpu_s(calls, n_times=5):
    """Return the least CPU seconds of each function, called in turns."""
    times = dict.fromkeys(calls, np.inf)
    for _ in range(n_times):
        for name, call in calls.items():
            begun = time.process_time()
            call()
            times[name] = min(times[name], time.process_time() - begun)
    return times


def loss_of(field, solver, records, interval=INTERVAL):
    integrator = make_rigid_integrator("nve", BODY, timestep=INTERVAL)

    def loss(weights, poses, momenta):
        path = jax.vmap(
            lambda x, p: integrate(field, integrator, weights, x, p, records, interval, solver)
        )(poses, momenta)
        return jnp.abs(path[0][:, -1]).mean() + jnp.abs(path[1][:, -1]).mean()

    return loss


def gradient(rows):
    (pair, weights), _ = stored_pairs()
    weights = jax.tree.map(lambda x: jnp.asarray(x, float), weights)
    poses, momenta = starts(WINDOWS)
    field = pair_force_field(pair, SPRING)
    calls, values = {}, {}
    for name, solver in WAYS.items():
        function = jax.jit(jax.value_and_grad(loss_of(field, solver, STEPS)))
        values[name] = float(function(weights, poses, momenta)[0])
        calls[name] = lambda f=function: jax.block_until_ready(f(weights, poses, momenta))
    if importlib.util.find_spec("torch") and importlib.util.find_spec("torchdiffeq"):
        import torch

        torch.set_num_threads(1)
        for name, options in (
            ("torchdiffeq dopri5, its tolerances (1e-7, 1e-9)", {}),
            ("torchdiffeq dopri5, 1e-4 and 1e-6", {"rtol": 1e-4, "atol": 1e-6}),
        ):
            calls[name] = in_torch(pair, weights, poses, momenta, options)
            values[name] = calls[name]()
    else:
        print("PyTorch and torchdiffeq are not installed: nothing to compare with")
    times = least_cpu_s(calls, 3)
    print(f"\nGradient of {WINDOWS} windows of {STEPS} steps")
    for name, seconds in times.items():
        ratio = seconds / times["symplectic, checkpoints"]
        print(f"{name}: {1000 * seconds:.0f} ms, {ratio:.1f} times; loss {values[name]:.6f}")
        rows.append(("gradient", name, "CPU ms", 1000 * seconds))


def in_torch(pair, weights, poses, momenta, options):
    """Return a function that computes the same loss and its gradient in PyTorch."""
    import torch
    from torchdiffeq import odeint

    from helpers.coarse_grained.learned_potential import FLOOR, ONSET, WIDTHS

    torch.set_default_dtype(torch.float64)
    layers = [
        tuple(torch.tensor(np.array(x), requires_grad=True) for x in layer) for layer in weights
    ]
    sites = torch.tensor(BODY.positions)
    scales = torch.tensor(np.array(WIDTHS) * BODY.radius**2)
    inertia = torch.tensor(make_rigid_integrator("nve", BODY, timestep=1.0).inertia)

    def matrix(q):
        w, x, y, z = q.unbind(-1)
        rows = [
            (w * w + x * x - y * y - z * z, 2 * (x * y - w * z), 2 * (x * z + w * y)),
            (2 * (x * y + w * z), w * w - x * x + y * y - z * z, 2 * (y * z - w * x)),
            (2 * (x * z - w * y), 2 * (y * z + w * x), w * w - x * x - y * y + z * z),
        ]
        return torch.stack([torch.stack(row, -1) for row in rows], -2)

    def product(a, b):
        vector = a[..., :1] * b[..., 1:] + b[..., :1] * a[..., 1:]
        vector = vector + torch.linalg.cross(a[..., 1:], b[..., 1:])
        scalar = a[..., :1] * b[..., :1] - (a[..., 1:] * b[..., 1:]).sum(-1, keepdim=True)
        return torch.cat([scalar, vector], -1)

    def energy(poses):
        r = poses[:, 1, :3] - poses[:, 0, :3]
        distance = r.norm(dim=-1)
        places = sites @ matrix(poses[..., 3:]).transpose(-1, -2)
        away = places[:, 1, None] + r[:, None, None] - places[:, 0, :, None]
        squares = (away**2).sum(-1).flatten(1)
        sums = torch.exp(-squares[:, None] / scales[:, None]).sum(-1)
        scaled = distance / pair.cutoff
        radial = torch.stack([4 * scaled - 2, 0.5 / scaled - 1], -1)
        hidden = torch.cat([radial, 0.5 * torch.log(sums + FLOOR)], -1)
        for w, b in layers[:-1]:
            hidden = torch.tanh(hidden @ w + b)
        w, b = layers[-1]
        value = (hidden @ w + b)[:, 0] + ((pair.core**2 / squares) ** 6).sum(-1)
        t = ((distance / pair.cutoff - ONSET) / (1 - ONSET)).clamp(0, 1)
        value = value * (1 - t**3 * (10 - 15 * t + 6 * t**2))
        return value + 0.5 * SPRING.stiffness * (distance - SPRING.length) ** 2

    def field(t, state):
        poses, momenta = state[..., :7], state[..., 7:]
        q = poses[..., 3:] / poses[..., 3:].norm(dim=-1, keepdim=True)
        poses = torch.cat([poses[..., :3], q], -1)
        with torch.enable_grad():
            at = poses if poses.requires_grad else poses.detach().requires_grad_()
            slope = torch.autograd.grad(energy(at).sum(), at, create_graph=True)[0]
        conjugate = q * torch.tensor([1.0, -1.0, -1.0, -1.0])
        torque = -0.5 * product(conjugate, slope[..., 3:])[..., 1:]
        rates = momenta / inertia
        omega = rates[..., 3:]
        turning = 0.5 * product(q, torch.cat([torch.zeros_like(omega[..., :1]), omega], -1))
        twist = torque + torch.linalg.cross(momenta[..., 3:], omega)
        return torch.cat([rates[..., :3], turning, -slope[..., :3], twist], -1)

    start = torch.tensor(np.concatenate([poses, momenta], -1))
    times = torch.tensor([0.0, STEPS * INTERVAL])

    def call():
        end = odeint(field, start, times, method="dopri5", **options)[-1]
        loss = end[..., :7].abs().mean() + end[..., 7:].abs().mean()
        torch.autograd.grad(loss, [x for layer in layers for x in layer])
        return float(loss.detach())

    return call


def memory(rows):
    (pair, weights), _ = stored_pairs()
    weights = jax.tree.map(lambda x: jnp.asarray(x, float), weights)
    poses, momenta = starts(1)
    field = pair_force_field(pair, SPRING)
    print("\nMemory of the gradient of one window, MB")
    for name, solver in WAYS.items():
        needed = {}
        for steps in (50, 500, 5000):
            between = solver.replace(steps_per_record=steps // 10)  # ten records, whatever steps
            slope = jax.grad(loss_of(field, between, 10, INTERVAL * steps / 10))
            needed[steps] = memory_needed_MB(slope, weights, poses, momenta)
            rows.append(("memory", f"{name}, {steps} steps", "MB", needed[steps]))
        print(f"{name}: " + ", ".join(f"{k} steps {v:.2f}" for k, v in needed.items()))
    print("\nMemory of the forces in a box, MB; numbers in a recorded frame")
    beads = BeadSum(BODY)
    for n_bodies in BODIES:
        box = fill_box(BODY, n_bodies, density=0.03, kT=KT, reach=beads.cutoff)
        near = BodyLists(beads.cutoff).build(box.poses, box.cell)
        shown = []
        for name, energy, numbers, of_body in (
            ("beads", beads, (), 6 * len(BODY.positions)),
            ("learned", pair, weights, box.poses.shape[1] + box.momenta.shape[1]),
        ):
            forces = partial(pair_force_field(energy), cell=box.cell, neighbors=near)
            needed_MB = memory_needed_MB(forces, numbers, box.poses)
            rows.append(("memory", f"forces, {name}, {n_bodies} bodies", "MB", needed_MB))
            shown.append(f"{name} {needed_MB:.3f} ({of_body * n_bodies})")
        print(f"{n_bodies} bodies: " + ", ".join(shown), flush=True)


def runs_of(n_bodies):
    """Return functions of the number of steps, by name, for a box of bodies."""
    (pair, weights), _ = stored_pairs()
    box = fill_box(BODY, n_bodies, density=0.03, kT=KT, reach=BeadSum(BODY).cutoff)
    bonded = BondedBeads(BODY, 4e4)
    at = {"cell": box.cell, "timestep": 0.0005}
    beads = BeadSum(BODY)
    lists = BodyLists(beads.cutoff)
    near = lists.build(box.poses, box.cell)

    def rigid(energy, numbers, n):
        run_bodies(
            energy,
            BODY,
            box.poses,
            box.momenta,
            timestep=0.005,
            steps=n,
            record_every=n,
            parameters=numbers,
            cell=box.cell,
            neighbors=near,
            update_neighbors=lists.update,
        )

    calls = {
        "beads, rigid": partial(rigid, pair_force_field(beads), ()),
        "learned": partial(rigid, pair_force_field(pair), weights),
    }
    if n_bodies <= 64:  # it computes all pairs of beads
        calls["beads, bonded"] = lambda n: run_bonded(
            bonded, box.poses, box.momenta, steps=n, record_every=n, **at
        )
    return calls


def speed(rows):
    """Compare steps; one of bonded beads is a tenth as long as one of rigid bodies."""
    print("\nSteps in a CPU second; of bonded beads with steps a tenth as long")
    for n_bodies in BODIES:
        shown = []
        for name, call in runs_of(n_bodies).items():
            steps = 200 if name == "beads, bonded" else 1000
            call(steps)  # compiles
            per_second = steps / least_cpu_s({"": partial(call, steps)}, 2)[""]
            shown.append(f"{name} {per_second:.0f}")
            rows.append(("speed", f"{name}, {n_bodies} bodies", "steps/CPU s", per_second))
        print(f"{n_bodies} bodies: " + ", ".join(shown), flush=True)


def long(rows):
    (pair, weights), _ = stored_pairs()
    poses, momenta = starts(10, seed=3)
    momenta[..., :3] -= momenta[..., :3].mean(-2, keepdims=True)
    inertia = make_rigid_integrator("nve", BODY, timestep=1.0).inertia
    common = {"steps": 100_000, "record_every": 100}
    run = run_bodies(
        pair_force_field(BeadSum(BODY), SPRING),
        BODY,
        poses[0],
        momenta[0],
        timestep=0.001,
        **common,
    )
    total = run.energies + kinetic_energies(run.momenta, inertia).sum((1, 2))
    thirds = np.array_split(total, 3)
    drift = abs(thirds[2].mean() - thirds[0].mean()) / total[0]
    norm = np.abs(np.linalg.norm(run.poses[..., 3:], axis=-1) - 1).max()
    print(f"\n100,000 steps of beads: relative drift {drift:.1e}, |q| − 1 {norm:.1e}")
    rows += [("long", "drift of beads", "relative", drift), ("long", "|q| − 1", "", norm)]
    seen = {}
    for name, energy, numbers in (("beads", BeadSum(BODY), ()), ("learned", pair, weights)):
        run = run_bodies(
            pair_force_field(energy, SPRING),
            BODY,
            poses,
            momenta,
            method="langevin",
            kT=KT,
            friction=0.2,
            timestep=0.01,
            parameters=numbers,
            seed=len(name),
            **common,
        )
        finite = np.isfinite(run.energies).all(0) & (run.energies.max(0) < 40 * KT)
        centers, q = run.poses[100:, ..., :3], run.poses[100:, ..., 3:]
        normals = np.asarray(rotation_matrix(jnp.asarray(q)))[..., 2]
        seen[name] = {
            "separation": np.linalg.norm(centers[:, :, 1] - centers[:, :, 0], axis=-1),
            "|n·n'|": np.abs((normals[:, :, 0] * normals[:, :, 1]).sum(-1)),
        }
        temperature = 2 * kinetic_energies(run.momenta, inertia)[100:].mean()
        print(f"{name}: {finite.sum()} of 10 pairs stable, temperature {temperature:.3f} ({KT})")
        rows.append(("long", f"{name}: stable of 10", "", int(finite.sum())))
    for quantity in ("separation", "|n·n'|"):
        both = [seen[name][quantity] for name in ("beads", "learned")]
        halves = both[0][:, :5], both[0][:, 5:]
        apart, noise = (_largest_gap(*(one.ravel() for one in two)) for two in (both, halves))
        print(
            f"{quantity}: largest difference of cumulative distributions {apart:.3f}; between two "
            f"halves of the runs with beads {noise:.3f}"
        )
        rows.append(("long", f"{quantity}, beads and learned", "Kolmogorov–Smirnov", apart))
        rows.append(("long", f"{quantity}, two halves of beads", "Kolmogorov–Smirnov", noise))


def _largest_gap(a, b):
    from scipy.stats import ks_2samp

    return float(ks_2samp(a, b).statistic)


def boxes(rows):
    """Compare averages of boxes of 2 to 200 bodies, beads (twice) and learned, from one start."""
    (pair, weights), _ = stored_pairs()
    print("\nBoxes: energy of a body, diffusion, differences of g(r) and orientations from beads")
    for n_bodies in BODIES:
        steps = min(20_000, 400_000 // n_bodies)
        box = compare_boxes(
            pair, weights, n_bodies=n_bodies, steps=steps, record_every=steps // 200
        )
        shown = []
        for one in box.summary.itertuples():
            for what in ("energy", "temperature", "diffusion"):
                rows.append(
                    ("boxes", f"{what}, {one.run}, {n_bodies} bodies", "", getattr(one, what))
                )
            shown.append(f"{one.run}: {one.energy:.3f} ε, {one.diffusion:.3f} σ²/τ")
        for column in ("g", "orientation"):
            for run in ("learned", "beads, another run"):
                value = box.difference(column, of=run)
                rows.append(
                    ("boxes", f"{column} off the beads, {run}, {n_bodies} bodies", "", value)
                )
                shown.append(f"{column} {value:.3f} ({run})")
        print(f"{n_bodies} bodies, {steps} steps: " + "; ".join(shown), flush=True)


PARTS = {"gradient": gradient, "memory": memory, "speed": speed, "long": long, "boxes": boxes}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="default: all")
    options = parser.parse_args()
    print(f"jax {jax.__version__}, {jax.devices()[0].device_kind}")
    enable_compilation_cache()
    path = Path(__file__).with_name("coarse.csv")
    with double_precision():
        for name in options.parts or PARTS:
            rows = []
            PARTS[name](rows)
            table = pd.DataFrame(rows, columns=["part", "what", "unit", "value"])
            if path.is_file():
                known = pd.read_csv(path)
                table = pd.concat([known[known["part"] != name], table])
            write_table(path, table)


if __name__ == "__main__":
    main()
