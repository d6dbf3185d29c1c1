#!/usr/bin/env bash
# deeptime's Covariance does not subtract the mean unless asked (remove_data_mean=False by default):
# cov_00 and the lagged cov_0t are second moments about zero. For bond lengths or energies,
# whose mean is much larger than their fluctuation, it is the squared mean that comes out, all
# coordinates seem to be correlated, and nothing seems to decay with the lag time, without a word. TICA
# and VAMP of the same package do subtract it. Pass remove_data_mean=True.
#
# Measured with: deeptime 0.5.0.
# Source: deeptime/covariance/_covariance.py, which documents the default. Issue: none known.
# The kit: no deeptime.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv &&
    venv/bin/pip install --quiet deeptime==0.5.0 numpy==2.2.6 || exit 2
venv/bin/pip freeze | grep -E '^(deeptime|numpy)=='

venv/bin/python - <<'PYTHON'
import numpy as np
from deeptime.covariance import Covariance

rng = np.random.default_rng(0)
bonds_A = rng.normal([0.97, 1.54], [0.02, 0.03], size=(10000, 2))  # independent, without memory


def told(**keywords):
    """Return the variances, the correlation coefficient, and what is left after one step."""
    model = Covariance(lagtime=1, compute_c0t=True, **keywords).fit(bonds_A).fetch_model()
    now, later = model.cov_00, model.cov_0t
    correlation = now[0, 1] / np.sqrt(now[0, 0] * now[1, 1])
    return np.array([now[0, 0], now[1, 1], correlation, later[0, 0] / now[0, 0]])


true = np.cov(bonds_A.T)
default, centered = told(), told(remove_data_mean=True)
print(f"expected: variances {true[0, 0]:.5f} and {true[1, 1]:.5f} Å², correlation and memory 0")
for name, values in (("Covariance()", default), ("remove_data_mean=True", centered)):
    print(
        f"seen:     variances {values[0]:.5f} and {values[1]:.5f} Å², correlation {values[2]:.3f},"
        f" memory {values[3]:.3f}: {name}"
    )
assert np.all(default[2:] > 0.99) and default[0] > 100 * true[0, 0], "CHANGED"
assert np.allclose(centered[:2], np.diag(true), rtol=0.01), "CHANGED"
assert np.all(abs(centered[2:]) < 0.05), "CHANGED"
PYTHON
