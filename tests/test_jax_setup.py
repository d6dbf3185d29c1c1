"""Precision is set for the kit's own calls only; compiled code has a folder of its own."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from helpers.jax_setup import (
    CACHE_VARIABLE,
    cache_folder,
    double_precision,
    miscomputed_cases,
)


def test_double_precision_is_not_left_on():
    before = jax.config.jax_enable_x64
    with double_precision():
        assert jnp.ones(1).dtype == jnp.float64
    assert jax.config.jax_enable_x64 == before


def test_the_cache_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    assert cache_folder().parent == tmp_path and jax.__version__ in cache_folder().name
    monkeypatch.setenv(CACHE_VARIABLE, "off")
    assert cache_folder() is None


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_this_jax_computes_many_rows_right(dtype):
    """jax 0.10.2 does not: see `miscomputed_cases`, which must not miss it either."""
    matrix = np.arange(9).reshape(3, 3) - 4
    rows = np.random.default_rng(0).integers(-9, 10, (50_000, 3))
    right = np.array([sum(int(x) ** 2 for x in matrix @ row) for row in rows])
    with double_precision():
        m, r = jnp.asarray(matrix, dtype), jnp.asarray(rows, dtype)
        sums = jax.jit(jax.vmap(lambda row: jnp.sum((m @ row) ** 2)))(r)
    np.testing.assert_array_equal(sums, right)
    assert miscomputed_cases() == []
