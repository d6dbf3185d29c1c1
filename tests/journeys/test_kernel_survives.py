"""A notebook whose kernel lives on, whatever it is asked to load or to compute.

quippy alone ends the kernel, without a word, when it reads a damaged model file.
"""

from __future__ import annotations

import os
import re
import shutil
import threading
import time

import psutil
import pytest
from ase.io import write
from jupyter_client.manager import KernelManager

from helpers import GapConfig

pytestmark = pytest.mark.slow

ENGINES = ["quippy", "auto"]


class Notebook:
    """A real Jupyter kernel, fed one cell after another."""

    def __init__(self, folder):
        self.folder = folder
        self.kernel = KernelManager(connection_file=str(folder / "kernel.json"))
        self.kernel.start_kernel(
            cwd=str(folder), env={**os.environ, "IPYTHONDIR": str(folder / "ipython")}
        )
        self.client = self.kernel.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)

    def run(self, code, *, on_start=None):
        """Execute a cell → its status, and everything it shows."""
        shown = []

        def hook(message):
            kind, content = message["msg_type"], message["content"]
            if kind == "stream":
                shown.append(content["text"])
            elif kind == "execute_result":
                shown.append(content["data"]["text/plain"])
            elif kind == "error":
                shown.append(f"{content['ename']}: {content['evalue']}")
            elif kind == "execute_input" and on_start is not None:
                on_start()

        reply = self.client.execute_interactive(code, timeout=120, output_hook=hook)
        return reply["content"]["status"], "".join(shown)

    def is_well(self):
        return self.kernel.is_alive() and self.run("1 + 1") == ("ok", "2")

    def close(self):
        self.client.stop_channels()
        self.kernel.shutdown_kernel(now=True)


@pytest.fixture(scope="module")
def notebook(tmp_path_factory, smallest_fit, _frames10):
    folder = tmp_path_factory.mktemp("notebook")
    shutil.copy(smallest_fit.model_path, folder / "good.xml")
    write(folder / "frames.xyz", _frames10, format="extxyz")
    opened = Notebook(folder)
    setup = """
import helpers, numpy as np
from ase import Atoms
frames = helpers.read_frames("frames.xyz")
potentials = {
    engine: helpers.load_potential("good.xml", engine=engine) for engine in ("quippy", "auto")
}

def told(function, *arguments):
    try:
        print("answer", function(*arguments))
    except helpers.WorkshopError as error:
        print(type(error).__name__, error)
"""
    assert opened.run(setup) == ("ok", "")
    yield opened
    opened.close()


def test_it_survives_every_bad_model_file(notebook, bad_models):
    code = (
        "float(helpers.load_potential('good.xml', engine='quippy').get_potential_energy(frames[0]))"
    )
    energy = notebook.run(code)
    assert energy[0] == "ok" and float(energy[1])
    for bad in bad_models.values():
        for arguments in (f"{str(bad.path)!r}", f"{str(bad.path)!r}, engine='quippy'"):
            status, shown = notebook.run(f"told(lambda: helpers.load_potential({arguments}))")
            assert status == "ok", bad.name
            assert re.match(f"ModelFileError .*({bad.message})", shown), (bad.name, shown)
            assert notebook.is_well(), bad.name
    assert notebook.run(code) == energy


def test_it_survives_a_bad_model_that_nobody_catches(notebook, bad_models):
    status, shown = notebook.run(f"helpers.load_potential({str(bad_models['html'].path)!r})")
    assert status == "error" and shown.startswith("ModelFileError: ") and "whole XML" in shown
    assert notebook.is_well()


def test_it_survives_atoms_that_no_potential_can_answer_for(notebook):
    for code, message in [
        ("atoms.positions[3, 1] = np.nan", "Positions or cell are not finite numbers"),
        ("atoms.positions[3, 1] = np.inf", "Positions or cell are not finite numbers"),
        ("atoms.symbols[5] = 'Si'", r"good\.xml knows nothing about Si"),
        ("atoms.positions[1] = atoms.positions[0]", r"gives no \w+ energy.*pair of 0\.000 Å"),
        ("del atoms[:]", "There are no atoms"),
        ("atoms.positions[7, 2] = 1e8", "atoms have flown apart.*within 100000 Å.*Found: 1e.08 Å"),
        ("atoms.set_cell([9, 9, 0])", "periodic cell is flat.*set the cell, or pbc: atoms.pbc ="),
        ("atoms.set_cell([1e-9, 9, 9])", "periodic cell is flat"),
        ("atoms.set_cell([[9, 0, 0], [9, 0, 0], [0, 0, 9]])", "periodic cell is flat"),
    ]:
        for engine in ENGINES:
            ask = f"told(potentials[{engine!r}].get_potential_energy, atoms)"
            status, shown = notebook.run(f"atoms = frames[0].copy(); {code}\n{ask}")
            assert status == "ok", (engine, code, shown)
            assert re.match(f"PredictionError .*{message}", shown), (engine, code, shown)
            assert notebook.is_well(), (engine, code)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_used_potential_travels_to_another_process(notebook, engine):
    status, shown = notebook.run(f"""
import pickle, subprocess, sys, warnings
from joblib import Parallel, delayed
warnings.simplefilter("ignore", UserWarning)  # a worker that grew, as JAX compiles, is replaced
potential = potentials[{engine!r}]
atoms = frames[0].copy()
atoms.calc = potential
here = atoms.get_potential_energy()
code = "import pickle, sys; a = pickle.load(sys.stdin.buffer); print(a.get_potential_energy())"
bare = pickle.dumps(potential), pickle.dumps(atoms)
there = subprocess.run([sys.executable, "-c", code], input=bare[1], capture_output=True)
print(there.returncode, abs(float(there.stdout) - here) < 1e-9)
print(abs(pickle.loads(bare[0]).get_potential_energy(frames[0]) - here) < 1e-9)
energies = Parallel(n_jobs=2)(delayed(potential.get_potential_energy)(f) for f in frames[:4])
print(np.allclose(energies, [potential.get_potential_energy(f) for f in frames[:4]], atol=1e-9))
""")
    assert (status, shown) == ("ok", "0 True\nTrue\nTrue\n")
    assert notebook.is_well()


@pytest.mark.parametrize("engine", ENGINES)
def test_threads_get_the_same_energies(notebook, engine):
    status, shown = notebook.run(f"""
from concurrent.futures import ThreadPoolExecutor
one, two = (helpers.load_potential("good.xml", engine={engine!r}) for _ in range(2))
alone = [one.get_potential_energy(f) for f in frames]
for pair in ([one, one], [one, two]):  # shared, and one for each
    with ThreadPoolExecutor(2) as threads:
        jobs = [threads.submit(pair[n % 2].get_potential_energy, f.copy())
                for n, f in enumerate(5 * frames)]
    print(np.allclose([job.result() for job in jobs], 5 * alone, atol=1e-9))
""")
    assert (status, shown) == ("ok", "True\nTrue\n")
    assert notebook.is_well()


def test_a_fit_can_be_interrupted(notebook):
    """The stop button: the cell ends, gap_fit with it, and the kernel and its variables stay."""
    GapConfig(n_sparse=1000).write(notebook.folder / "gap_config.cfg")
    kernel = psutil.Process(notebook.kernel.provisioner.pid)
    others, begun = set(kernel.children(recursive=True)), set()

    def stop_when_it_computes():
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            new = set(kernel.children()) - others
            fits = [one for one in new if one.name() == "gap_fit"]
            if fits and fits[0].cpu_times().user > 0.3:
                begun.update(new)
                break
            time.sleep(0.05)
        notebook.kernel.interrupt_kernel()

    stopping = threading.Thread(target=stop_when_it_computes)
    status, shown = notebook.run(
        "helpers.fit_gap(helpers.GapConfig.read('gap_config.cfg'), output='good.xml')",
        on_start=stopping.start,
    )
    stopping.join()
    assert status == "error" and "KeyboardInterrupt" in shown
    assert len(begun) == 2  # gap_fit and its watcher
    assert psutil.wait_procs(begun, timeout=20)[1] == []
    assert [name for name in os.listdir(notebook.folder) if name.startswith(".gap_fit-")] == []
    assert notebook.is_well()
    status, shown = notebook.run(
        "helpers.load_potential('good.xml').get_potential_energy(frames[0])"
    )
    assert status == "ok" and re.match(r"np\.float64|-\d+", shown), shown
