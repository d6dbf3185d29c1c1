#!/usr/bin/env bash
# Renew requirements.lock: one file for every supported Python and platform.
# The resolver, uv, lives in a scratch environment only.
set -euo pipefail
cd "$(dirname "$0")/.."
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT

"${PYTHON:-python3}" -m venv "$scratch/uv"
"$scratch/uv/bin/python" -m pip install --quiet uv

first="$(sed -n 's/^requires-python = ">=\([0-9.]*\),.*/\1/p' pyproject.toml)"
# No trace of where this machine gets its packages shall be in the lock.
"$scratch/uv/bin/uv" pip compile --quiet --universal --python-version "$first" --extra dev \
  --generate-hashes --no-header --no-emit-index-url --no-emit-find-links --no-annotate \
  --no-config --output-file "$scratch/lock" pyproject.toml

{
  echo "# Every package of the workshop and its tests, for all supported Pythons and platforms."
  echo "# Made by \`make lock\` from pyproject.toml; not to be edited."
  cat "$scratch/lock"
} >requirements.lock
echo "requirements.lock: $(grep -c '==' requirements.lock) pins."
