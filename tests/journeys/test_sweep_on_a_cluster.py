"""The same sweep on a Dask cluster: a real scheduler, two worker processes, one of them killed."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading

import numpy as np
import psutil
import pytest
from waiting import descendants, until

from helpers import evaluate, load_frames, sweep

SECONDS = 120


@pytest.fixture
def cluster(tmp_path):
    """The address of a scheduler, and its two workers."""
    file = tmp_path / "scheduler.json"
    common = ["--scheduler-file", str(file), "--no-dashboard"]
    worker = ["distributed.cli.dask_worker", *common, "--no-nanny", "--nthreads", "1"]
    worker += ["--local-directory", str(tmp_path)]
    scheduler = ["distributed.cli.dask_scheduler", *common, "--host", "127.0.0.1", "--port", "0"]
    processes = []
    with contextlib.ExitStack() as stack:
        for command in (scheduler, worker, worker):
            log = stack.enter_context((tmp_path / f"{len(processes)}.log").open("wb"))
            one = psutil.Popen([sys.executable, "-m", *command], stdout=log, stderr=log)
            processes.append(one)
            assert until(file.exists), (tmp_path / "0.log").read_text()
        from distributed import Client

        with Client(scheduler_file=str(file), set_as_default=False) as client:
            client.wait_for_workers(2, timeout=SECONDS)
            address = client.scheduler.address
        yield address, processes[1:]
        for one in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
                one.wait()


def kill_one_that_fits(workers, killed):
    """Kill the first worker whose gap_fit is computing."""

    def one_that_fits():
        return next(([one, *fits] for one in workers if (fits := descendants(one))), None)

    if family := until(one_that_fits, SECONDS):
        os.kill(family[0].pid, signal.SIGKILL)
        killed.extend(family)


@pytest.mark.slow
def test_a_worker_dies_in_the_middle_and_every_point_is_computed(
    tmp_path, small_water, tiny_config, cluster
):
    address, workers = cluster
    killed = []
    killer = threading.Thread(target=kill_one_that_fits, args=(workers, killed))
    killer.start()
    table = sweep(
        {"cutoff": [3.0, 3.2], "default_sigma": [0.001, 0.01]},
        sizes=[8],
        config=tiny_config,
        cache=tmp_path / "cache",
        client=address,
        progress=False,
    )
    killer.join()
    assert len(killed) == 2, "no worker was killed"
    assert until(lambda: not psutil.pid_exists(killed[1].pid) or not killed[1].is_running())
    assert (table["failure"] == "").all() and len(table) == 8
    assert (table["rmse_energy_meV_per_atom"] > 0).all()
    assert sorted(table["method"].unique()) == ["gap_fit", "one K_NM"]
    row = table.iloc[-1]
    found = evaluate(row["model_path"], load_frames("water", "validate"), processes=1)
    assert np.isclose(found.rmse_forces_meV_per_A, row["rmse_forces_meV_per_A"], rtol=1e-6)
