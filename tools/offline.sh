#!/usr/bin/env bash
# Make a folder from which the workshop installs without a network.
#
#   tools/offline.sh check   see that DEST will do, before anything slow is done
#   tools/offline.sh make    fill it: install.sh, site/, source/, wheelhouse/
#
# DEST      the folder
# PYTHON    the interpreter the kit is for: the one of .venv
# STUDENTS  1 leaves out what holds answers
# FIGURES   0 leaves out the figures of the site, for which all lessons are run
set -euo pipefail
DEST="${DEST:-}"

fail() { echo "make offline: $*" >&2; exit 2; }

check() {
  [ -n "$DEST" ] || fail "say where the kit shall go: make offline DEST=/path/to/folder"
  mkdir -p "$DEST" 2>/dev/null || fail "cannot make the folder $DEST"
  : 2>/dev/null >"$DEST/.writable" || fail "cannot write in $DEST"
  rm "$DEST/.writable"
  DEST="$(cd "$DEST" && pwd -P)"
  case "$DEST/" in
    "$(pwd -P)"/*) fail "$DEST lies in this checkout, and would be copied into itself" ;;
  esac
  # A kit made (or begun) before is renewed; anybody's other files are left alone.
  if [ -n "$(ls -A "$DEST")" ] && ! grep -qs "^# Install the workshop" "$DEST/install.sh"; then
    fail "$DEST is not empty, and holds no kit made before"
  fi
}

# What belongs to the project, one path a line: all that git does not ignore.
# A copy without git (a downloaded archive) is taken whole but for what make made.
files() {
  if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
    git -c core.quotePath=false ls-files --cached --others --exclude-standard | while IFS= read -r file; do
      if [ -e "$file" ]; then printf '%s\n' "$file"; fi
    done
  else
    find . \( -name .venv -o -name results -o -path ./site -o -name .site_cache -o -name __pycache__ -o -name '.*_cache' -o -name '*.egg-info' -o -path ./grading \) -prune \
      -o -type f -print
  fi
}

# Tests hold answers, too: those of the class that they grade.
without_answers() {
  if [ -n "${STUDENTS:-}" ]; then
    grep -vE '^(\./)?(solutions/|tests/|docs/mark_scheme\.md$)'
  else
    cat
  fi
}

make_kit() {
  check
  cat >"$DEST/install.sh" <<'END'
#!/usr/bin/env bash
# Install the workshop from this folder; the network is not used.
#
#   bash install.sh          into source/.venv, where make looks for it
#   bash install.sh FOLDER   into a virtual environment elsewhere
set -euo pipefail
kit="$(cd "$(dirname "$0")" && pwd)"
venv="${1:-$kit/source/.venv}"
case "$venv" in /*) ;; *) venv="$PWD/$venv" ;; esac
WHEELHOUSE="$kit/wheelhouse" bash "$kit/source/tools/setup.sh" "$venv"
END
  chmod +x "$DEST/install.sh"

  rm -rf "$DEST/wheelhouse" "$DEST/source" "$DEST/site"
  mkdir "$DEST/wheelhouse" "$DEST/source"

  files | without_answers | tar -cf - -T - | tar -xf - -C "$DEST/source"
  "$PYTHON" -m pip --disable-pip-version-check download --quiet --dest "$DEST/wheelhouse" \
    --only-binary=:all: --no-deps --require-hashes -r requirements.lock

  case "$("$PYTHON" tools/check_python.py --identity)" in
    "Python 3.10 on Linux"*) bash tools/gap_fit_for_310.sh download "$DEST/wheelhouse" ;;
  esac

  local options=()
  if [ "${FIGURES:-1}" = 0 ]; then options+=(--no-run); fi
  "$PYTHON" docs/site/build.py --output "$DEST/site" ${options[@]+"${options[@]}"}

  # Written last: install.sh refuses a kit without it.
  "$PYTHON" tools/check_python.py --identity >"$DEST/wheelhouse/made-for.txt"
  echo "The kit for $(cat "$DEST/wheelhouse/made-for.txt") is in $DEST ($(du -sh "$DEST" | cut -f1))."
  echo "Copy the folder anywhere and run:  bash install.sh, or read:  site/index.html"
}

case "${1:-}" in
  check) check ;;
  make) make_kit ;;
  *) fail "usage: tools/offline.sh check|make" ;;
esac
