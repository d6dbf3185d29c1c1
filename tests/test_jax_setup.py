"""Precision is set for the kit's own calls only; compiled code has a folder of its own."""

import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from helpers.jax_setup import (
    CACHE_VARIABLE,
    cache_folder,
    double_precision,
    is_first_run,
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


def test_a_first_run_is_one_that_finds_nothing_compiled(monkeypatch, tmp_path):
    before = jax.config.jax_compilation_cache_dir
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    jax.config.update("jax_compilation_cache_dir", None)
    try:
        assert is_first_run()
        cache_folder().mkdir()
        assert is_first_run()
        (cache_folder() / "code").write_text("")
        assert not is_first_run()
    finally:
        jax.config.update("jax_compilation_cache_dir", before)


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


def test_compiled_code_is_loaded_without_a_word(tmp_path):
    """jax up to 0.10.1 prints false alarms to the error stream when it finds code in the cache."""
    code = (
        "import helpers\n"
        "from helpers.jax_setup import enable_compilation_cache\n"
        "import jax, jax.numpy as jnp\n"
        "enable_compilation_cache()\n"
        "jax.config.update('jax_persistent_cache_min_compile_time_secs', 0.0)\n"
        "print(jax.jit(lambda x: (jnp.sin(x) @ x.T).sum())(jnp.ones((8, 8))))"
    )
    environment = {**os.environ, "MLMD_JAX_CACHE": str(tmp_path)}
    environment.pop("TF_CPP_MIN_LOG_LEVEL", None)
    runs = [
        subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True
        )
        for _ in range(2)
    ]
    assert runs[0].stdout == runs[1].stdout != ""
    assert [run.stderr for run in runs] == ["", ""]
    assert any(tmp_path.rglob("*jit*"))
