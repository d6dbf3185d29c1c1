#!/usr/bin/env bash
# freud's Box.wrap is documented as equivalent to the minimum image convention, and Box's
# compute_distances and compute_all_distances rest on it. That holds for right angles only: in any
# tilted box, a hexagonal one of ice or graphene included, wrapping into the parallelepiped does not
# find the nearest image, and distances come out too long, by a third of the box and more. Its
# neighbor queries (AABBQuery) are right: g(r) is right, a distance matrix of the same frame is not.
#
# Measured with: freud-analysis 3.4.0, ase 3.29.0.
# Source: none known for freud (MaginnGroup/Cassandra issue 110 explains the same fault).
# The kit: finds pairs with vesin; no freud.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv &&
    venv/bin/pip install --quiet freud-analysis==3.4.0 ase==3.29.0 numpy==2.2.6 || exit 2
venv/bin/pip freeze | grep -E '^(freud-analysis|ase|numpy)=='

venv/bin/python - <<'PYTHON'
from itertools import product

import freud
import numpy as np
from ase.cell import Cell
from ase.geometry import find_mic

rng = np.random.default_rng(0)
print("expected: distances of 2000 random pairs are those to the nearest of all images")
same = True
for name, angles in (("cubic", (90, 90, 90)), ("hexagonal", (90, 90, 120)), ("fcc", (60, 60, 60))):
    cell = Cell.fromcellpar([10, 10, 10, *angles])
    starts, ends = rng.random((2, 2000, 3)) @ cell.array
    box = freud.box.Box.from_matrix(cell.array.T)
    by_freud = np.asarray(box.compute_distances(starts, ends))
    images = np.array(list(product((-2, -1, 0, 1, 2), repeat=3))) @ cell.array
    nearest = np.linalg.norm((ends - starts)[:, None] + images, axis=2).min(1)
    by_ase = np.linalg.norm(find_mic(ends - starts, cell, pbc=True)[0], axis=1)

    points = starts - cell.array.sum(0) / 2  # freud's box has its origin in the center
    query = freud.locality.AABBQuery(box, points).query(points, {"r_max": 4.0, "exclude_ii": True})
    pairs = query.toNeighborList()
    separations = (points[pairs.point_indices] - points[pairs.query_point_indices]).astype(float)
    shortest = np.linalg.norm(find_mic(separations, cell, pbc=True)[0], axis=1)

    wrong = int(np.sum(np.abs(by_freud - nearest) > 0.01))
    worst = np.max(by_freud - nearest)
    print(
        f"seen:     {name:9}: compute_distances wrong for {wrong} pairs, by up to {worst:.2f} Å"
        f" (ASE: {np.abs(by_ase - nearest).max():.0e}; AABBQuery:"
        f" {np.abs(pairs.distances - shortest).max():.0e})"
    )
    same = same and np.allclose(by_ase, nearest) and np.allclose(pairs.distances, shortest, atol=1e-3)
    same = same and (wrong == 0 if name == "cubic" else wrong > 100 and worst > 1)
assert same, "CHANGED"
PYTHON
