#!/usr/bin/env bash
# Compares whole models of ultralytics with Python: makes them with random weights outside the tree (ultralytics is
# AGPL-3.0), runs both, prints the largest difference of each. Needs a Python with ultralytics 8.4.190 and about 1 GB in
# FOLDER.
#   scripts/check_ultralytics.sh BUILD_FOLDER PYTHON FOLDER [NAME...]
set -euo pipefail
if [ "$#" -lt 3 ]; then
  sed -n '2,5s/^# \{0,1\}//p' "$0" >&2
  exit 2
fi
build=$1 python=$2 folder=$3
shift 3
here=$(cd "$(dirname "$0")" && pwd)
[ -f "$folder/expected.json" ] || "$python" "$here/fixtures/make_ultralytics_models.py" "$folder" "$@"
cmake --build "$build" --target pickled_check >&2
# Random weights multiply rounding: the projects' own fuse() moves these outputs by as much.
exec "$build/bin/pickled_check" "$folder" 1e-3
