#!/usr/bin/env bash
# ptrun beside Python on the same files, weights and precision: from folders of JPEGs to labels, the model alone,
# decoding and preprocessing alone, the first label of a fresh process. Writes a Markdown report and the raw numbers.
#
#   scripts/bench/run.sh [--short] [--prepare] [--docs] [--output FOLDER] [--sections ...] [--networks ...] ...
#
# --short takes about five minutes, without it an hour; --prepare makes everything that need not be timed (environment,
# images, models, compiled kernels) and ends; --docs puts the tables into README.md and docs/benchmark.md. All options:
# scripts/bench/run.sh --help. The peers live in PTRUN_DEPS/bench, with the versions of requirements.txt; PTRUN_PYTHON
# names a Python that has them already, PTRUN_TOOL a ptrun that is built.

set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../setup/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../setup/common.sh"
folder="${PTRUN_ROOT}/scripts/bench"
kept="${PTRUN_DEPS}/bench"
mkdir -p "${kept}"
# What torch.compile made in --prepare is there in the run.
export TORCHINDUCTOR_CACHE_DIR="${kept}/inductor"

python="${PTRUN_PYTHON:-}"
if [[ -z "${python}" ]]; then
  # A change of a version makes a new environment.
  environment="${kept}/python-$(sha256sum "${folder}/requirements.txt" | cut -c 1-12)"
  python="${environment}/bin/python"
  if [[ ! -e "${environment}/complete" ]]; then
    need_space 12000
    say "installing the peers into ${environment}"
    python3 -m venv "${environment}" || fail "python3 -m venv failed; on Debian: apt-get install python3-venv"
    "${python}" -m pip install --quiet --disable-pip-version-check -r "${folder}/requirements.txt" >&2
    touch "${environment}/complete"
  fi
fi

tool="${PTRUN_TOOL:-}"
if [[ -z "${tool}" && " $* " != *" --help "* ]]; then
  set_up
  configure release
  build release --target ptrun_tool >&2
  tool="${PTRUN_ROOT}/build/bin/ptrun"
fi

exec "${python}" "${folder}/bench.py" --tool "${tool:-ptrun}" --kept "${kept}" --real-weights "${PTRUN_WEIGHTS}" "$@"
