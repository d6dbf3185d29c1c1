"""A cluster that cannot be reached, or has too little memory; the rest is a journey of its own."""

import socket

import pytest

from helpers import sweep
from helpers.errors import WorkshopError
from helpers.sweeps import cluster


def test_an_address_where_nobody_answers(tmp_path, small_water, smallest_config, monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE_SECONDS", 1)
    with socket.socket() as nobody:  # bound, so that no other takes it, but not listening
        nobody.bind(("127.0.0.1", 0))
        address = "tcp://{}:{}".format(*nobody.getsockname())
        with pytest.raises(WorkshopError, match=f"no Dask scheduler at {address}.*dask scheduler"):
            sweep({}, sizes=[4], config=smallest_config, cache=tmp_path, client=address)


@pytest.mark.slow
def test_a_fit_too_large_for_a_worker_fails_and_others_finish(
    tmp_path, small_water, smallest_config
):
    from distributed import Client, LocalCluster

    one = {"n_workers": 1, "threads_per_worker": 2, "processes": False, "dashboard_address": None}
    with LocalCluster(memory_limit="8GB", **one) as cluster, Client(cluster) as client:
        table = sweep(
            {"n_sparse": [5, 100_000]},
            sizes=[4],
            config=smallest_config,
            cache=tmp_path,
            client=client,
            progress=False,
        )
    failures = table.groupby("n_sparse")["failure"].first()
    assert failures[5] == ""
    assert "not enough memory" in failures[100_000] and "Found: 8000 MB" in failures[100_000]
