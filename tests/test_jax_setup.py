"""Precision is set for the kit's own calls only; compiled code has a folder of its own."""

import jax
import jax.numpy as jnp

from helpers.jax_setup import CACHE_VARIABLE, cache_folder, double_precision


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
