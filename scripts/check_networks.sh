#!/usr/bin/env bash
# Compares every classifier of torchvision, recognised from the names and shapes of its weights, with Python: fills both
# by the same rule, prints what each is recognised as and its largest difference. Needs a Python with
# scripts/fixtures/requirements.txt and 8 GB of memory; the weights are not stored.
#   scripts/check_networks.sh BUILD_FOLDER PYTHON FOLDER [NAME...]
set -euo pipefail
if [ "$#" -lt 3 ]; then
  sed -n '2,5s/^# \{0,1\}//p' "$0" >&2
  exit 2
fi
build=$1 python=$2 folder=$3
shift 3
here=$(cd "$(dirname "$0")" && pwd)
"$python" "$here/fixtures/make_golden_networks.py" "$folder" --all "$@" >&2
cmake --build "$build" --target networks_check >&2
# MaxViT with these numbers lies 1.2e-4 from float64 in Python itself; all others agree to 1e-6.
exec "$build/bin/networks_check" "$folder" 5e-4
