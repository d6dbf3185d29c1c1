#!/usr/bin/env bash
# Build the virtual environment, or bring it up to date:  tools/setup.sh [.venv]
#
# PYTHON      the interpreter to use; by default the first that will do
# WHEELHOUSE  install from this folder of wheels, without the network
set -euo pipefail
venv="${1:-.venv}"
cd "$(dirname "$0")/.."

# Only a virtual environment may be replaced.
if [ -e "$venv" ] && [ ! -f "$venv/pyvenv.cfg" ] && [ -n "$(ls -A "$venv")" ]; then
  echo "$venv exists and is no virtual environment: it is left alone." >&2
  exit 1
fi

# The stamp is written last and removed first, so that a set-up cut short is
# never taken for a finished one; without it the environment starts anew.
stamp="$venv/.ready"
fresh=yes
if [ -f "$stamp" ]; then fresh=no; fi
rm -f "$stamp"

# With no PYTHON given, a working environment keeps the interpreter it has.
if [ -n "${PYTHON:-}" ]; then
  candidates=("$PYTHON")
else
  candidates=(python3 python3.13 python3.12 python3.11 python3.10)
  if [ "$fresh" = no ]; then candidates=("$venv/bin/python" "${candidates[@]}"); fi
fi

python=""
for candidate in "${candidates[@]}"; do
  command -v "$candidate" >/dev/null || continue
  if "$candidate" tools/check_python.py >&2; then
    python="$candidate"
    break
  fi
done
if [ -z "$python" ]; then
  cat >&2 <<END
No Python that will do was found (tried: ${candidates[*]}).
Install one (Debian, Ubuntu: python3 and python3-venv), or name one you have:
    make setup PYTHON=python3.12
END
  exit 1
fi

identity() { "$1" tools/check_python.py --identity 2>/dev/null; }
if [ "$fresh" = no ] && [ "$(identity "$venv/bin/python")" != "$(identity "$python")" ]; then
  fresh=yes
fi
if [ "$fresh" = yes ]; then
  echo "Setting up $venv with $(identity "$python"): about two minutes, once."
  "$python" -m venv --clear "$venv"
fi

# Hashes are checked; nothing is compiled; pip need not resolve a finished lock.
pip() { "$venv/bin/python" -m pip --disable-pip-version-check "$@"; }
from=()
if [ -n "${WHEELHOUSE:-}" ]; then from=(--no-index --find-links "$WHEELHOUSE"); fi
pip install --quiet ${from[@]+"${from[@]}"} --only-binary=:all: --no-deps \
  --require-hashes -r requirements.lock
case "$(identity "$venv/bin/python")" in
  "Python 3.10 on Linux"*) bash tools/gap_fit_for_310.sh install "$venv" ;;
esac
pip install --quiet --no-index --no-deps --no-build-isolation -e .
"$venv/bin/python" tools/complete_quippy.py

touch "$stamp"
echo "$venv is ready."
