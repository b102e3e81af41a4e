#!/usr/bin/env bash
# Compares whole torch.export programs with Python: makes networks of torchvision and timm with seeded weights, runs
# both, prints the largest difference of each. Needs a Python with scripts/fixtures/requirements.txt and timm, and about
# 2 GB in FOLDER.
#   scripts/check_exported_programs.sh BUILD_FOLDER PYTHON FOLDER [NAME...]
set -euo pipefail
if [ "$#" -lt 3 ]; then
  sed -n '2,5s/^# \{0,1\}//p' "$0" >&2
  exit 2
fi
build=$1 python=$2 folder=$3
shift 3
here=$(cd "$(dirname "$0")" && pwd)
[ -f "$folder/expected.json" ] || "$python" "$here/fixtures/make_exported_program_models.py" "$folder" "$@"
cmake --build "$build" --target torchscript_check >&2
exec "$build/bin/torchscript_check" "$folder" 1e-4
