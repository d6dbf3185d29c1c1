"""i-PI with an ASE calculator: its pressure is that of ASE, and the cell moves as it should."""

import secrets
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from ase import units
from ase.build import bulk, molecule
from ase.calculators.emt import EMT
from ase.calculators.tip3p import TIP3P
from ase.io import write

from helpers.errors import ConfigError, PredictionError
from helpers.md.ipi import serve_ipi

INPUT = """
<simulation verbosity='quiet'>
  <output prefix='run'>
    <properties stride='1' filename='out'>
      [ conserved{electronvolt}, potential{electronvolt}, virial_md{megapascal}, volume{angstrom3} ]
    </properties>
  </output>
  <total_steps>150</total_steps>
  <prng><seed>1</seed></prng>
  <ffsocket name='ase' mode='unix'><address>ADDRESS</address></ffsocket>
  <system>
    <initialize nbeads='1'>
      <file mode='ase'> start.xyz </file>
      <velocities mode='thermal' units='kelvin'> 100 </velocities>
    </initialize>
    <forces><force forcefield='ase'/></forces>
    <ensemble>
      <temperature units='kelvin'> 100 </temperature>
      <pressure units='megapascal'> 0 </pressure>
    </ensemble>
    <motion mode='dynamics'>
      <dynamics mode='npt'>
        <timestep units='femtosecond'> 2 </timestep>
        <barostat mode='isotropic'>
          <tau units='femtosecond'> 1000 </tau>
          <thermostat mode='langevin'><tau units='femtosecond'> 100 </tau></thermostat>
        </barostat>
        <thermostat mode='langevin'><tau units='femtosecond'> 100 </tau></thermostat>
      </dynamics>
    </motion>
  </system>
</simulation>
"""


@pytest.mark.slow
def test_a_run_at_constant_pressure(tmp_path):
    program = shutil.which("i-pi") or shutil.which("i-pi", path=Path(sys.executable).parent)
    if program is None:
        pytest.skip("i-PI is not installed: pip install ipi")
    start = bulk("Cu", a=3.65, cubic=True) * (2, 2, 2)  # EMT's own lattice constant is 3.59 Å
    start.rattle(0.02, seed=1)
    write(tmp_path / "start.xyz", start, format="extxyz")
    address = f"kit-{secrets.token_hex(4)}"
    (tmp_path / "input.xml").write_text(INPUT.replace("ADDRESS", address))
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(
            [program, "input.xml"], cwd=tmp_path, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        socket = Path("/", "tmp", f"ipi_{address}")  # where i-PI puts it
        deadline = time.monotonic() + 60
        while not socket.exists() and time.monotonic() < deadline:
            assert server.poll() is None, (tmp_path / "log").read_text()
            time.sleep(0.1)
        serve_ipi(start, EMT(), address=address, timeout_s=60)
        server.wait(30)
    finally:
        if server.poll() is None:
            server.kill()
            server.wait()
    conserved, energies, *virials, volumes = np.loadtxt(tmp_path / "run.out").T
    start.calc = EMT()
    xx_yy_zz_xy_xz_yz = [0, 1, 2, 5, 4, 3]
    expected_MPa = -start.get_stress()[xx_yy_zz_xy_xz_yz] / (1e6 * units.Pascal)
    assert energies[0] == pytest.approx(start.get_potential_energy(), rel=1e-6)
    assert [each[0] for each in virials] == pytest.approx(expected_MPa, rel=1e-4, abs=0.1)
    # The cell shrinks and swings; its work is the energy that the atoms gain. With a virial of
    # zero, or of the wrong sign, nothing would be conserved.
    assert volumes.min() < 0.97 * volumes[0]
    assert np.ptp(energies) > 0.2
    assert np.ptp(conserved) < 0.05 * np.ptp(energies)


def test_what_would_give_a_wrong_pressure_is_refused():
    with pytest.raises(ConfigError, match="knows no stress.*take it for zero.*virial=False"):
        serve_ipi(bulk("Cu"), TIP3P())
    with pytest.raises(ConfigError, match="not periodic.*virial=False"):
        serve_ipi(molecule("H2O"), EMT())
    with pytest.raises(PredictionError, match="no i-PI at nobody-there .*start i-PI first"):
        serve_ipi(bulk("Cu"), EMT(), address="nobody-there")
