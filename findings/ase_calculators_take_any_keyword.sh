#!/usr/bin/env bash
# The base class of ASE's calculators keeps every keyword that it is given. A name that the calculator
# does not know is stored among its parameters and has no effect: LennardJones(sigma=3.4, eps=0.0104)
# computes argon with epsilon 1 eV, a hundred times too deep, EMT(asap_cutof=True) leaves the cutoff as
# it was, and MorsePotential(De=4.5) its depth. Calculators of other packages on the same base do so,
# too: TBLite(charges=1) is neutral, TBLite(solvent="water") a gas, TBLite(Method="GFN1-xTB") is
# GFN2-xTB. What is in set(calculator.parameters) - set(calculator.default_parameters) is misspelled,
# where the calculator lists its defaults (EMT does not).
#
# Measured with: ase 3.29.0, tblite 0.8.0.
# Source: ase/calculators/calculator.py (Calculator.__init__, set). Issue: none known.
# The kit: nothing yet.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv &&
    venv/bin/pip install --quiet ase==3.29.0 tblite==0.8.0 numpy==2.2.6 || exit 2
venv/bin/pip freeze | grep -E '^(ase|tblite|numpy)=='

OMP_NUM_THREADS=1 venv/bin/python - <<'PYTHON'
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.emt import EMT
from ase.calculators.lj import LennardJones
from ase.calculators.morse import MorsePotential
from tblite.ase import TBLite

argon = Atoms("Ar2", positions=[[0, 0, 0], [0, 0, 3.8]])
hydrogen = Atoms("H2", positions=[[0, 0, 0], [0, 0, 1.0]])
trials = [
    (LennardJones, argon, {"sigma": 3.4, "epsilon": 0.0104}, {"sigma": 3.4, "eps": 0.0104}),
    (EMT, bulk("Cu"), {"asap_cutoff": True}, {"asap_cutof": True}),
    (MorsePotential, hydrogen, {"epsilon": 4.5}, {"De": 4.5}),
    (TBLite, molecule("H2O"), {"charge": 1}, {"charges": 1}),
    (TBLite, molecule("H2O"), {"solvation": ("alpb", "water")}, {"solvent": "water"}),
    (TBLite, molecule("H2O"), {"method": "GFN1-xTB"}, {"Method": "GFN1-xTB"}),
]


def energy_eV(calculator, atoms, **keywords):
    """Return the energy of the atoms with these keywords."""
    if calculator is TBLite:
        keywords["verbosity"] = 0
    atoms.calc = calculator(**keywords)
    return atoms.get_potential_energy()


print("expected: TypeError or ValueError for a keyword that does not exist")
same = True
for calculator, atoms, right, wrong in trials:
    energies = [energy_eV(calculator, atoms, **keywords) for keywords in (right, wrong, {})]
    if calculator is LennardJones:
        energies[2] = energy_eV(calculator, atoms, sigma=3.4)
    print(
        f"seen:     {calculator.__name__:14} {right}: {energies[0]:.4f} eV;"
        f" {wrong}: {energies[1]:.4f} eV, as without it"
    )
    same = same and abs(energies[1] - energies[2]) < 1e-6 < 1e-4 < abs(energies[0] - energies[1])
assert same, "CHANGED"
PYTHON
