"""A cluster that cannot be reached is named; what it computes is a journey of its own."""

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
