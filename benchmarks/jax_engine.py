"""How much faster than quippy is the kit's own engine? Ratios from one run, on one core and two.

Example: python benchmarks/jax_engine.py results/gap.xml

Everything is timed twice: on the clock, and in processor time of this process. On a machine that
does other work, compare the processor times. Nothing here is a test.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

START_UP = """
import time; start = time.perf_counter()
import sys
from helpers import load_frames, load_potential
atoms = load_frames("water", "validate")[0]
atoms.calc = load_potential(sys.argv[1], engine="jax")
loaded = time.perf_counter()
atoms.get_forces()
print(loaded - start, time.perf_counter() - loaded)
"""


def main() -> None:
    """Pin this process to one core, then measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="a gap.xml that both engines know")
    parser.add_argument("--steps", type=int, default=100, help="MD steps of each JAX run")
    parser.add_argument("--replicas", type=int, default=32)
    parser.add_argument("--core", type=int, default=0, help="where to pin (Linux only)")
    parser.add_argument("--no-start-up", action="store_true", help="leave the start-up times out")
    parser.add_argument("--no-scaling", action="store_true", help="leave the larger cells out")
    parser.add_argument("--no-clusters", action="store_true", help="leave the clusters out")
    parser.add_argument("--no-cores", action="store_true", help="leave two cores out")
    parser.add_argument("--throughput-on", type=int, help=argparse.SUPPRESS)  # see `cores`
    options = parser.parse_args()
    if options.throughput_on:
        os.sched_setaffinity(0, range(options.throughput_on))
        return print(*throughput(options))
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {options.core})
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1"
    load = " ".join(f"{x:.1f}" for x in os.getloadavg())
    print(f"One core of {os.cpu_count()}; load averages at the start: {load}")
    engines(options)
    if not options.no_clusters:
        clusters(options)
    if not options.no_cores:
        cores(options)
    if not options.no_scaling:
        scaling(options)
    if not options.no_start_up:
        start_up(options)


def measured(work: Callable[[], object], units: int) -> tuple[float, float]:
    """Return milliseconds per unit of work: on the clock and of the processor; best of three."""
    times = []
    for _ in range(3):
        clock, processor = time.perf_counter(), time.process_time()
        work()
        times.append((time.perf_counter() - clock, time.process_time() - processor))
    return tuple(1000 * min(column) / units for column in zip(*times, strict=True))


def ase_run(atoms: object, steps: int) -> None:
    """Run NVE with ASE, one calculator call per step."""
    from ase import units
    from ase.md.verlet import VelocityVerlet

    VelocityVerlet(atoms, 0.5 * units.fs).run(steps)


def engines(options: argparse.Namespace) -> None:
    """Compare milliseconds per MD step (for a batch: per step of one replica), 48 atoms."""

    from helpers import load_frames, load_potential
    from helpers.md.integrators import maxwell_boltzmann
    from helpers.md.runs import run_nve, run_replicas
    from helpers.md.trajectory import A_PER_FS

    start = load_frames("water", "validate")[0]
    rows = {}
    for engine, steps in (("quippy", 12), ("jax", min(options.steps, 100))):
        atoms = start.copy()
        velocities = maxwell_boltzmann(
            atoms.get_masses(), 300, _rng().standard_normal((len(atoms), 3))
        )
        atoms.set_velocities(velocities * A_PER_FS)
        atoms.calc = load_potential(options.model, engine=engine)
        ase_run(atoms, 5)
        rows[f"{engine} + ASE"] = measured(lambda a=atoms, n=steps: ase_run(a, n), steps)
    jax = load_potential(options.model, engine="jax")
    run = {"steps": options.steps, "temperature_K": 300, "progress": False}
    seeds = list(range(options.replicas))
    run_nve(jax, start, **run)
    rows["jax, compiled loop"] = measured(lambda: run_nve(jax, start, **run), options.steps)
    run_replicas(jax, start, seeds=seeds, **run)
    rows[f"jax, {len(seeds)} replicas"] = measured(
        lambda: run_replicas(jax, start, seeds=seeds, **run), options.steps * len(seeds)
    )
    print("\n48 atoms               clock ms  processor ms   times faster (clock, processor)")
    reference = rows["quippy + ASE"]
    for name, (clock, processor) in rows.items():
        ratios = f"{reference[0] / clock:12.1f} {reference[1] / processor:12.1f}"
        print(f"{name:22s} {clock:8.2f} {processor:13.2f} {ratios}")


def clusters(options: argparse.Namespace) -> None:
    """Compare seconds for 24 clusters of 8 to 28 molecules: 21 compositions."""
    import numpy as np

    from helpers import load_frames, load_potential
    from helpers.water import bonds

    frame = load_frames("water", "validate")[0]
    water = frame.repeat((2, 2, 1))
    bonded = bonds(frame)
    molecules = [[o, *bonded[bonded[:, 0] == o, 1]] for o in np.unique(bonded[:, 0])]
    molecules = [np.add(molecule, k * len(frame)) for k in range(4) for molecule in molecules]
    frames = []
    for k in range(24):
        center = water.positions[molecules[2 * k][0]]
        distance = [np.linalg.norm(water.positions[one[0]] - center) for one in molecules]
        nearest = np.argsort(distance)[: 8 + k % 21]
        cluster = water[np.concatenate([molecules[n] for n in nearest])]
        cluster.pbc = False
        frames.append(cluster)
    quippy = load_potential(options.model, engine="quippy")
    jax = load_potential(options.model, engine="jax")
    print("\n24 clusters, 21 compositions      clock s  processor s")

    def with_quippy() -> list:
        return [(quippy.get_potential_energy(one), quippy.get_forces(one)) for one in frames]

    def with_jax() -> list:
        return jax.predict_frames(frames)

    for name, work in (("quippy", with_quippy), ("jax, first call", with_jax), ("jax", with_jax)):
        clock, processor = time.perf_counter(), time.process_time()
        work()
        clock, processor = time.perf_counter() - clock, time.process_time() - processor
        print(f"{name:30s} {clock:10.2f} {processor:12.2f}")


def cores(options: argparse.Namespace) -> None:
    """Compare two cores with one, on the clock, each in a process of its own."""
    if not hasattr(os, "sched_getaffinity") or (os.cpu_count() or 1) < 2:
        return
    command = [sys.executable, __file__, options.model, "--steps", str(options.steps)]
    command += ["--replicas", str(options.replicas), "--throughput-on"]
    times = []
    for n_cores in "12":
        done = subprocess.run([*command, n_cores], capture_output=True, text=True, check=True)
        times.append([float(word) for word in done.stdout.split()])
    print("\nclock seconds            one core  two cores  times faster")
    names = (f"{options.replicas} replicas", "64 molecules")
    for name, one, two in zip(names, *times, strict=True):
        print(f"{name:22s} {one:10.2f} {two:10.2f} {one / two:13.2f}")


def throughput(options: argparse.Namespace) -> list[float]:
    """Return clock seconds of a run of replicas and of one of 64 molecules; best of three."""
    from helpers import load_frames, load_potential
    from helpers.md.runs import run_nve, run_replicas

    start = load_frames("water", "validate")[0]
    large = start.repeat((2, 2, 1))
    jax = load_potential(options.model, engine="jax")
    run = {"steps": options.steps, "temperature_K": 300, "progress": False}
    seeds = list(range(options.replicas))
    works = (
        lambda: run_replicas(jax, start, seeds=seeds, **run),
        lambda: run_nve(jax, large, **run),
    )
    times = []
    for work in works:
        work()
        times.append(measured(work, 1000)[0])
    return times


def scaling(options: argparse.Namespace) -> None:
    """Print the time of one MD step with ASE and JAX against the number of atoms."""
    import numpy as np

    from helpers import load_frames, load_potential
    from helpers.md.integrators import maxwell_boltzmann
    from helpers.md.trajectory import A_PER_FS

    start = load_frames("water", "validate")[0]
    sizes, times = [], []
    print("\natoms   clock ms  processor ms   (a step with ASE and JAX)")
    for repeat in (1, 2, 4):
        atoms = start.repeat(repeat)
        velocities = maxwell_boltzmann(
            atoms.get_masses(), 300, _rng().standard_normal((len(atoms), 3))
        )
        atoms.set_velocities(velocities * A_PER_FS)
        atoms.calc = load_potential(options.model, engine="jax")
        ase_run(atoms, 2)
        steps = max(20, 100 // repeat**3)
        clock, processor = measured(lambda a=atoms, n=steps: ase_run(a, n), steps)
        sizes.append(len(atoms))
        times.append(processor)
        print(f"{len(atoms):5d} {clock:10.2f} {processor:13.2f}")
    exponent = np.polyfit(np.log(sizes), np.log(times), 1)[0]
    print(f"processor time grows with the number of atoms to the power {exponent:.2f}")


def start_up(options: argparse.Namespace) -> None:
    """Print seconds until the first forces in a new process, with and without compiled code."""
    print("\nnew process            import and load s   first forces s")
    with tempfile.TemporaryDirectory() as folder:
        for name, cache in (("no cache", "off"), ("empty cache", folder), ("full cache", folder)):
            done = subprocess.run(
                [sys.executable, "-c", START_UP, options.model],
                env={**os.environ, "MLMD_JAX_CACHE": cache},
                capture_output=True,
                text=True,
                check=True,
            )
            load, first = map(float, done.stdout.split())
            print(f"{name:22s} {load:17.1f} {first:16.1f}")


def _rng() -> object:
    import numpy as np

    return np.random.default_rng(0)


if __name__ == "__main__":
    main()
