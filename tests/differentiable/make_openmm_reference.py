"""Make openmm_reference.json: energies and forces of OpenMM (tested with 8.6.1) for a few systems.

    python -m venv VENV; VENV/bin/pip install openmm numpy
    VENV/bin/python tests/differentiable/make_openmm_reference.py

The platform is Reference (double precision, exact erfc); there is no dispersion correction. Units
of the file are OpenMM's: nm, kJ/mol, elementary charges.
"""

import json
from pathlib import Path

import numpy as np
import openmm
from openmm import unit

BOX = 2.2
CUTOFF, ONSET = 0.9, 0.7
CHAIN, N_CHAINS = 6, 4


def chains():
    """Chains of six atoms that do not overlap, and their bonds."""
    rng = np.random.default_rng(3)
    positions = []
    while len(positions) < CHAIN * N_CHAINS:
        start = len(positions) % CHAIN == 0
        if start:
            new = rng.uniform(0, BOX, 3)
        else:
            step = rng.normal(size=3)
            new = positions[-1] + 0.15 * step / np.linalg.norm(step)
        others = np.array(positions[: -1 if not start else None]).reshape(-1, 3)
        away = new - others
        away -= BOX * np.round(away / BOX)
        if len(others) == 0 or np.linalg.norm(away, axis=1).min() > 0.24:
            positions.append(new)
    bonds = [(k, k + 1) for k in range(CHAIN * N_CHAINS - 1) if (k + 1) % CHAIN]
    return np.array(positions), bonds


def rows(bonds, n):
    linked = {a: b for a, b in bonds}
    found = []
    for first in range(CHAIN * N_CHAINS):
        row = [first]
        while len(row) < n and row[-1] in linked:
            row.append(linked[row[-1]])
        if len(row) == n:
            found.append(row)
    return found


def evaluate(force, positions, box):
    system = openmm.System()
    for _ in positions:
        system.addParticle(12.0)
    if box is not None:
        system.setDefaultPeriodicBoxVectors(*(openmm.Vec3(*row) for row in np.diag(box)))
    for one in force if isinstance(force, list) else [force]:
        system.addForce(one)
    platform = openmm.Platform.getPlatformByName("Reference")
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), platform)
    context.setPositions(positions)
    state = context.getState(getEnergy=True, getForces=True)
    return {
        "energy": state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole),
        "forces": state.getForces(asNumpy=True)
        .value_in_unit(unit.kilojoule_per_mole / unit.nanometer)
        .tolist(),
    }


def nonbonded(method, charge, sigma, epsilon, bonds, *, switch=False, scale=0.5, cutoff=CUTOFF):
    force = openmm.NonbondedForce()
    for values in zip(charge, sigma, epsilon, strict=True):
        force.addParticle(*values)
    force.createExceptionsFromBonds(bonds, scale, scale)
    force.setNonbondedMethod(method)
    force.setCutoffDistance(cutoff)
    force.setUseDispersionCorrection(False)
    force.setReactionFieldDielectric(78.3)
    if switch:
        force.setUseSwitchingFunction(True)
        force.setSwitchingDistance(ONSET)
    return force


def main():
    positions, bonds = chains()
    n = len(positions)
    rng = np.random.default_rng(4)
    zeros = np.zeros(n)
    charge = rng.uniform(-0.5, 0.5, n)
    sigma, epsilon = rng.uniform(0.22, 0.32, n), rng.uniform(0.1, 0.6, n)
    radius, screening = rng.uniform(0.11, 0.19, n), rng.uniform(0.7, 0.9, n)
    box = [BOX] * 3
    N = openmm.NonbondedForce
    cases = {}
    for name, switch in (("lennard_jones_truncated", False), ("lennard_jones_switched", True)):
        force = nonbonded(N.CutoffPeriodic, zeros, sigma, epsilon, bonds, switch=switch)
        cases[name] = evaluate(force, positions, box)
    flat = zeros + 0.3, zeros
    cases["coulomb"] = evaluate(nonbonded(N.NoCutoff, charge, *flat, bonds), positions, None)
    cases["reaction_field"] = evaluate(
        nonbonded(N.CutoffPeriodic, charge, *flat, bonds), positions, box
    )
    force = nonbonded(N.Ewald, charge, *flat, bonds, cutoff=1.05)
    force.setEwaldErrorTolerance(1e-9)
    cases["ewald"] = evaluate(force, positions, box)

    pairs, triples, quadruples = rows(bonds, 2), rows(bonds, 3), rows(bonds, 4)
    terms = {
        "bond_stiffness": rng.uniform(1e5, 3e5, len(pairs)).tolist(),
        "bond_length": rng.uniform(0.13, 0.17, len(pairs)).tolist(),
        "angle_stiffness": rng.uniform(200, 500, len(triples)).tolist(),
        "angle": rng.uniform(1.5, 2.2, len(triples)).tolist(),
        "torsion_stiffness": rng.uniform(1, 8, len(quadruples)).tolist(),
        "torsion_phase": rng.uniform(-3, 3, len(quadruples)).tolist(),
        "periodicity": rng.integers(1, 5, len(quadruples)).tolist(),
        "ryckaert_bellemans": rng.uniform(-9, 9, (6, len(quadruples))).tolist(),
    }
    force = openmm.HarmonicBondForce()
    for row, length, k in zip(pairs, terms["bond_length"], terms["bond_stiffness"], strict=True):
        force.addBond(*row, length, k)
    cases["bonds"] = evaluate(force, positions, None)
    force = openmm.CustomBondForce("D*(1-exp(-18*(r-0.14)))^2")
    force.addPerBondParameter("D")
    for row, k in zip(pairs, terms["bond_stiffness"], strict=True):
        force.addBond(*row, [k / 1000])
    cases["morse"] = evaluate(force, positions, None)
    force = openmm.HarmonicAngleForce()
    for row, angle, k in zip(triples, terms["angle"], terms["angle_stiffness"], strict=True):
        force.addAngle(*row, angle, k)
    cases["angles"] = evaluate(force, positions, None)
    force = openmm.PeriodicTorsionForce()
    for row, m, phase, k in zip(
        quadruples,
        terms["periodicity"],
        terms["torsion_phase"],
        terms["torsion_stiffness"],
        strict=True,
    ):
        force.addTorsion(*row, m, phase, k)
    cases["periodic_torsions"] = evaluate(force, positions, None)
    force = openmm.RBTorsionForce()
    for row, c in zip(quadruples, np.transpose(terms["ryckaert_bellemans"]), strict=True):
        force.addTorsion(*row, *c)
    cases["ryckaert_bellemans"] = evaluate(force, positions, None)

    force = openmm.GBSAOBCForce()
    force.setSolventDielectric(78.5)
    for values in zip(charge, radius, screening, strict=True):
        force.addParticle(*values)
    cases["generalized_born"] = evaluate(force, positions, None)

    rounded = {
        "openmm": openmm.__version__,
        "positions": positions.tolist(),
        "bonds": bonds,
        "triples": triples,
        "quadruples": quadruples,
        "box": box,
        "charge": charge.tolist(),
        "sigma": sigma.tolist(),
        "epsilon": epsilon.tolist(),
        "radius": radius.tolist(),
        "screening": screening.tolist(),
        "terms": terms,
        "cases": cases,
    }
    path = Path(__file__).with_name("openmm_reference.json")
    path.write_text(json.dumps(rounded) + "\n", encoding="utf-8")
    for name, case in cases.items():
        print(f"{name:28} {case['energy']:16.6f} kJ/mol")


main()
