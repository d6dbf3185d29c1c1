#!/usr/bin/env bash
# On Linux, the gap_fit in quippy-ase's wheel for Python 3.10 crashes before it starts. The program
# in the wheel for 3.11, of the same release, needs no Python: use that one.
#
#   tools/gap_fit_for_310.sh download FOLDER   fetch that wheel
#   tools/gap_fit_for_310.sh install VENV      put its gap_fit into an environment with 3.10
#
# WHEELHOUSE  take the wheel from this folder, without the network
set -euo pipefail
cd "$(dirname "$0")/.."
PYTHON="${PYTHON:-python3}"

scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT

download() {
  local from=()
  if [ -n "${WHEELHOUSE:-}" ]; then from=(--no-index --find-links "$WHEELHOUSE"); fi
  sed -n '/^quippy-ase==/,/[^\\]$/p' requirements.lock >"$1/quippy-ase.txt"
  "$PYTHON" -m pip --disable-pip-version-check download --quiet ${from[@]+"${from[@]}"} \
    --no-deps --only-binary=:all: --require-hashes -r "$1/quippy-ase.txt" --dest "$1" \
    --python-version 3.11 --implementation cp --abi cp311 --platform manylinux_2_28_x86_64
  rm "$1/quippy-ase.txt"
}

install() {
  local site
  PYTHON="$1/bin/python"
  site="$("$PYTHON" -c 'import sysconfig; print(sysconfig.get_path("platlib"))')"
  download "$scratch"
  "$PYTHON" -m zipfile -e "$scratch"/quippy_ase-*.whl "$scratch/wheel"
  cp "$scratch"/wheel/quippy_ase.libs/* "$site/quippy_ase.libs/"
  cp "$scratch/wheel/quippy/gap_fit" "$site/quippy/gap_fit"
  chmod +x "$site/quippy/gap_fit"
}

case "${1:-}" in
  download | install) "$1" "$2" ;;
  *) echo "usage: tools/gap_fit_for_310.sh download FOLDER | install VENV" >&2; exit 2 ;;
esac
