#!/usr/bin/env bash
# ASE counts 3 N degrees of freedom even when the center of mass is at rest and its thermostat can
# never move it. So after Stationary(atoms), Bussi and Nosé–Hoover chains at 300 K put the thermal
# energy of 3 N degrees of freedom into 3 N − 3: all internal motion has N/(N − 1) times the
# temperature, a diatomic molecule 600 K, while get_temperature() shows 300 K. Water (N = 3) gets
# 450 K, 48 atoms 306 K. The constraint FixCom, of which one hopes that it sets the count right,
# does so for Bussi; the Nosé–Hoover chain goes on to count 3 N, and get_temperature() now says so.
# Here the true temperature is read off the bond: <d²> = 3 kT/k for a spring of zero length.
#
# Measured with: ase 3.29.0.
# Source: none known for these two; ASE's Langevin warns of its own fixcm option since 3.28.
# The kit: sets FixCom for Bussi, uses no chain of ASE's, and counts 3 N − 3 itself.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv &&
    venv/bin/pip install --quiet ase==3.29.0 numpy==2.2.6 || exit 2
venv/bin/pip freeze | grep -E '^(ase|numpy)=='

venv/bin/python - <<'PYTHON'
import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import Calculator, all_changes
from ase.constraints import FixCom
from ase.md.bussi import Bussi
from ase.md.nose_hoover_chain import NoseHooverChainNVT
from ase.md.velocitydistribution import Stationary, thermalize_momenta

SPRING = 5.0  # eV/Å²


class Spring(Calculator):
    """A spring of zero length between two atoms."""

    implemented_properties = ("energy", "forces")

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        bond = atoms.positions[1] - atoms.positions[0]
        forces = SPRING * np.array([bond, -bond])
        self.results = {"energy": SPRING * bond @ bond / 2, "forces": forces}


def temperatures(thermostat, fix_com):
    """Return the temperature of the bond and the one that ASE shows, in K."""
    rng = np.random.default_rng(1)
    atoms = Atoms("O2", positions=[[0, 0, 0], [0.05, 0.02, 0.01]])
    atoms.calc = Spring()
    if fix_com:
        atoms.set_constraint(FixCom())
    thermalize_momenta(atoms, temperature_K=300, rng=rng)
    Stationary(atoms)
    if thermostat == "Bussi":
        run = Bussi(atoms, units.fs, temperature_K=300, taut=20 * units.fs, rng=rng)
    else:
        run = NoseHooverChainNVT(atoms, units.fs, temperature_K=300, tdamp=20 * units.fs)
    run.run(500)
    squares, shown = [], []
    for _ in range(1800):
        run.run(5)
        bond = atoms.positions[1] - atoms.positions[0]
        squares.append(bond @ bond)
        shown.append(atoms.get_temperature())
    return SPRING * np.mean(squares) / (3 * units.kB), np.mean(shown)


print("expected: the bond of a diatomic molecule at rest, thermostatted at 300 K, has 300 K")
same = True
for thermostat in ("Bussi", "Nosé–Hoover chain"):
    bond, shown = temperatures(thermostat, fix_com=False)
    fixed, fixed_shown = temperatures(thermostat, fix_com=True)
    print(
        f"seen:     {thermostat}: bond {bond:.0f} K, get_temperature() {shown:.0f} K;"
        f" with FixCom: {fixed:.0f} K, {fixed_shown:.0f} K"
    )
    same = same and 500 < bond < 700 and 250 < shown < 350
    low, high = (230, 370) if thermostat == "Bussi" else (500, 700)
    same = same and low < fixed < high and low < fixed_shown < high
assert same, "CHANGED"
PYTHON
