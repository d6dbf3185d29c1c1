#!/usr/bin/env bash
# The gradient of diffrax.diffeqsolve, with its default RecursiveCheckpointAdjoint, can be wrong by
# 13 % and more without a word, depending on max_steps alone: 20 steps of a harmonic oscillator give
# the exact gradient with max_steps 21, 128 or 4096, and another one with 36. The solution itself is
# right each time, and BacksolveAdjoint gives the right gradient.
#
# Measured with: diffrax 0.7.2, equinox 0.13.8, jax 0.10.1.
# Source: none known.
# The kit: takes no gradient by diffrax's checkpoints (helpers/coarse_grained/neural_ode.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv &&
    venv/bin/pip install --quiet diffrax==0.7.2 equinox==0.13.8 jax==0.10.1 jaxlib==0.10.1 || exit 2
venv/bin/pip freeze | grep -E '^(diffrax|equinox|jax|jaxlib)=='

venv/bin/python - <<'PYTHON'
import diffrax
import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_enable_x64", True)


def loss(stiffness, max_steps):
    """Sum over six times of k x²(t) for x'' = −stiffness x, x(0) = 1, x'(0) = 0.3."""
    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(lambda t, y, p: jnp.stack([y[1], -p * y[0]])),
        diffrax.Tsit5(),
        t0=0.0,
        t1=0.5,
        dt0=0.025,
        y0=jnp.array([1.0, 0.3]),
        args=stiffness,
        saveat=diffrax.SaveAt(ts=0.1 * jnp.arange(6.0)),
        max_steps=max_steps,
    )
    return (solution.ys[:, 0] ** 2 * jnp.arange(6)).sum()


def exact(p):
    times = 0.1 * np.arange(6)
    x = np.cos(np.sqrt(p) * times) + 0.3 / np.sqrt(p) * np.sin(np.sqrt(p) * times)
    return (x**2 * np.arange(6)).sum()


h = 1e-5
right = (exact(2 + h) - exact(2 - h)) / (2 * h)
print(f"expected: the exact gradient, {right:.6f}, whatever max_steps is")
found = {}
for max_steps in (21, 36, 128, 4096):
    value, found[max_steps] = jax.jit(jax.value_and_grad(loss), static_argnums=1)(2.0, max_steps)
    print(f"seen: max_steps={max_steps}: loss {value:.6f}, gradient {found[max_steps]:.6f}")
raise SystemExit(0 if abs(found[36] - right) > 0.1 and abs(found[128] - right) < 1e-6 else 1)
PYTHON
