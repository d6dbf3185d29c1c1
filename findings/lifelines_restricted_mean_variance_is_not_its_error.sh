#!/usr/bin/env bash
# lifelines' restricted_mean_survival_time(…, return_variance=True) returns the variance of the
# survival times themselves, cut at t, and not that of the estimated mean. It does not shrink as
# runs are added: with 50 runs the error of a mean stable time comes out 7 times too large, with
# 5000 runs 70 times, and two potentials that differ clearly do not seem to.
# Divided by the number of runs it is right while no run is censored before t.
#
# Measured with: lifelines 0.30.3.
# Source: CamDavidsonPilon/lifelines issue 1682 (open), earlier 1456.
# The kit: nothing yet; a mean stable time needs the bootstrap or Greenwood's formula.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv &&
    venv/bin/pip install --quiet lifelines==0.30.3 pandas==2.3.3 numpy==2.2.6 || exit 2
venv/bin/pip freeze | grep -E '^(lifelines|pandas|numpy)=='

venv/bin/python - <<'PYTHON'
import warnings

import numpy as np
from lifelines import KaplanMeierFitter
from lifelines.utils import restricted_mean_survival_time

warnings.simplefilter("ignore")
UNTIL = 2.0  # ps; stable times are exponential with a mean of 1 ps

print("expected: the standard error falls as 1/√N, to the scatter of repeated estimates")
same = True
for n_runs in (50, 500, 5000):
    rng = np.random.default_rng(0)
    fits = [KaplanMeierFitter().fit(rng.exponential(1.0, n_runs)) for _ in range(200)]
    true = np.std([restricted_mean_survival_time(fit, t=UNTIL) for fit in fits])
    told = restricted_mean_survival_time(fits[0], t=UNTIL, return_variance=True)[1] ** 0.5
    print(f"seen:     {n_runs:4} runs: told {told:.3f} ps, scatter of 200 estimates {true:.4f} ps")
    same = same and 0.6 < told < 0.75 and 0.8 < told / true / np.sqrt(n_runs) < 1.25
assert same, "CHANGED"
PYTHON
