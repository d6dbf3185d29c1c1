#!/usr/bin/env bash
# With Ewald summation and periodic boundaries, OpenMM takes the interaction of excluded pairs (the
# atoms of one molecule) out of the sum over waves at the distance at which they lie in the input,
# not at that of the nearest images. Positions wrapped into the cell, as most programs write them,
# give another energy as soon as a molecule is cut by an edge: here two charges of +1 and -1,
# excluded from each other, 0.1 nm apart. Nothing warns. Bonds and angles do the same.
#
# Measured with: openmm 8.6.1.
# Source: none known as a bug; setExceptionsUsePeriodicBoundaryConditions(True) changes it for
# exceptions, setUsesPeriodicBoundaryConditions(True) for bonds and angles; both are off.
# The kit: benchmarks/through_simulations/spcfw_openmm.py makes molecules whole before it compares.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv &&
    venv/bin/pip install --quiet openmm==8.6.1 numpy==2.2.6 || exit 2
venv/bin/pip freeze | grep -i -E '^(openmm|numpy)=='

venv/bin/python - <<'PYTHON'
import numpy as np
import openmm


def energy(positions, periodic_exceptions=False):
    system = openmm.System()
    system.setDefaultPeriodicBoxVectors(*(openmm.Vec3(*row) for row in 2.0 * np.eye(3)))
    force = openmm.NonbondedForce()
    for charge in (1.0, -1.0):
        system.addParticle(1.0)
        force.addParticle(charge, 1.0, 0.0)
    force.addException(0, 1, 0.0, 1.0, 0.0)
    force.setNonbondedMethod(openmm.NonbondedForce.Ewald)
    force.setCutoffDistance(0.9)
    force.setExceptionsUsePeriodicBoundaryConditions(periodic_exceptions)
    system.addForce(force)
    platform = openmm.Platform.getPlatformByName("Reference")
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), platform)
    context.setPositions(positions)
    found = context.getState(getEnergy=True).getPotentialEnergy()
    return found.value_in_unit(openmm.unit.kilojoule_per_mole)


whole = np.array([[1.95, 1.0, 1.0], [2.05, 1.0, 1.0]])
wrapped = whole % 2.0
print("expected: the same energy for the same atoms, wrapped into the cell or not")
a, b, c = energy(whole), energy(wrapped), energy(wrapped, periodic_exceptions=True)
print(f"seen:     whole {a:.2f}, wrapped {b:.2f}, wrapped with periodic exceptions {c:.2f} kJ/mol")
assert abs(a - b) > 10 and abs(a - c) < 1e-2, "CHANGED"
PYTHON
