#!/usr/bin/env bash
# deeptime's TICA, VAMP and covariances take several trajectories as a list. A tuple of two arrays is
# something else: the frames now and the frames one lag time later. TICA(lagtime=5).fit((run1, run2))
# therefore correlates one run with the other, leaves out the lag time, and gives time scales that
# mean nothing, without a word. zip, dict.items or a function that returns two runs gives such a
# tuple. A tuple of three is refused.
#
# Measured with: deeptime 0.5.0.
# Source: deeptime/covariance (Covariance.fit) and deeptime/util/data.py. Issue: none known.
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
from deeptime.decomposition import TICA, VAMP

TRUE = np.array([50.0, 3.0])  # correlation times of two independent coordinates, in frames
LAG = 5


def run(seed, n_frames=20000):
    """Return a trajectory whose two coordinates forget themselves after TRUE frames."""
    decay = np.exp(-1 / TRUE)
    noise = np.random.default_rng(seed).normal(size=(n_frames, 2)) * np.sqrt(1 - decay**2)
    frames = np.zeros((n_frames, 2))
    for t in range(1, n_frames):
        frames[t] = decay * frames[t - 1] + noise[t]
    return frames


runs = [run(1), run(2)]
print(f"expected: time scales near {TRUE} frames")
same = True
for method in (TICA, VAMP):
    times = {}
    for kind in (list, tuple):
        model = method(lagtime=LAG).fit(kind(runs)).fetch_model()
        times[kind] = model.timescales(lagtime=LAG)
        print(f"seen:     {method.__name__:4}, a {kind.__name__:5} of both runs: {times[kind]}")
    same = same and np.allclose(times[list], TRUE, rtol=0.25) and times[tuple].max() < 5
try:
    TICA(lagtime=LAG).fit((*runs, run(3)))
    same = False
except ValueError as error:
    print(f"seen:     TICA, a tuple of three runs: ValueError, {error}")
assert same, "CHANGED"
PYTHON
