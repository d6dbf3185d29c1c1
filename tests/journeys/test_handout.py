"""The public workshop's own files, run unchanged: a config, and dynamics with quippy and ASE."""

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest
from ase.io import read
from tiny_fits import small_frames, train_as_written, write_frames

from helpers.doctor import QUIPPY_IN_ASE

KIT = Path(__file__).parents[2]
CONFIG = """atoms_filename=frames.xyz
  gap={
  soap
  cutoff=3.0
  atom_sigma=0.3
  l_max=2
  n_max=2
  n_sparse=8000
  delta=1.0
  covariance_type=dot_product
  zeta=2
  }
 default_sigma={0.01 0.5 0.0 0.0}
 e0={H:-3.5:O:-7.25}
 sparse_jitter=1.0e-8
 sparse_separate_file=F
 gp_file=gap.xml
"""
# The structure of its molecular_dynamics.py: quippy's calculator, ASE's integrator and trajectory.
DYNAMICS = """
from ase import units
from ase.io import read
from ase.io.trajectory import Trajectory
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
from ase.md.verlet import VelocityVerlet
from quippy.potential import Potential

atoms = read("frames.xyz", index=0)
atoms.calc = Potential(param_filename="gap.xml")
MaxwellBoltzmannDistribution(atoms, temperature_K=300)
dynamics = VelocityVerlet(atoms, timestep=0.5 * units.fs)
trajectory = Trajectory("md.traj", "w", atoms)
dynamics.attach(trajectory.write, interval=1)
dynamics.run(3)
"""


def environment(folder: Path) -> Path:
    """Make an environment with the packages of this one, but without the kit; return its Python."""
    venv.create(folder, with_pip=False, symlinks=True)
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "packages.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin" / "python"


def run(python, folder, *arguments):
    command = [python, "-P" if sys.version_info >= (3, 11) else "-s", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_dynamics_of_the_handout_with_quippy_and_ase(tmp_path):
    train_as_written(CONFIG, tmp_path)
    python = environment(tmp_path / "environment")
    before = run(python, tmp_path, "-c", QUIPPY_IN_ASE)
    if before.returncode:  # a quippy that knows its name needs no help
        assert "has no attribute 'name_'" in before.stderr
    completed = run(python, tmp_path, KIT / "tools" / "complete_quippy.py")
    assert completed.returncode == 0, completed.stderr
    done = run(python, tmp_path, "-c", DYNAMICS)
    assert done.returncode == 0, done.stderr
    frames = read(tmp_path / "md.traj", ":")
    assert len(frames) == 4 and frames[-1].calc.name == "quip"
    assert frames[-1].get_forces().shape == (6, 3)


def test_the_handouts_config_by_its_own_command_and_by_ours(tmp_path, mlmd):
    """It is trained by gap_fit as it stands, read by every command, and mlmd fit takes it, too."""
    write_frames(tmp_path / "frames.xyz", small_frames())
    model = train_as_written(CONFIG, tmp_path)
    frames = ["--frames", tmp_path / "frames.xyz"]
    done = mlmd("evaluate", model, *frames, "--no-progress")
    assert done.code == 0, done.errors
    done = mlmd("fit", tmp_path / "gap.cfg", "--output", tmp_path / "ours.xml", "--no-progress")
    assert done.code == 0, done.errors
    assert (tmp_path / "ours.xml").is_file()
