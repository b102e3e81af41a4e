#!/usr/bin/env bash
# Compares whole TorchScript models with Python: makes torchvision's networks with seeded weights, one after another in
# FOLDER, runs both and prints the largest difference of each. Needs a Python with scripts/fixtures/requirements.txt,
# 2 GB of disk for a moment, and an hour for all of them.
#   scripts/check_torchscript.sh BUILD_FOLDER PYTHON FOLDER [NAME...]
set -euo pipefail
if [ "$#" -lt 3 ]; then
  sed -n '2,5s/^# \{0,1\}//p' "$0" >&2
  exit 2
fi
build=$1 python=$2 folder=$3
shift 3
here=$(cd "$(dirname "$0")" && pwd)
cmake --build "$build" --target torchscript_check >&2
exec "$python" "$here/fixtures/make_torchscript_models.py" "$folder" --check "$build/bin/torchscript_check" "$@"
