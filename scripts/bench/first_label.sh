#!/usr/bin/env bash
# Time from a fresh process to the first label: ptrun beside Python with torch and torchvision, same file, same photo,
# alternating. Prints every run and the medians, seconds of wall time and of CPU time.
#
# Usage: first_label.sh PTRUN PYTHON WEIGHTS PHOTO [RUNS]
set -euo pipefail
if [ $# -lt 4 ]; then
  sed -n '2,6p' "$0" >&2
  exit 2
fi
ptrun=$1 python=$2 weights=$3 photo=$4 runs=${5:-7}
folder=$(cd "$(dirname "$0")" && pwd)
times=$(mktemp)
trap 'rm -f "${times}"' EXIT

timed() { # NAME COMMAND...: adds "NAME wall cpu" to the list
  local name=$1
  shift
  local TIMEFORMAT="%R %U %S" line
  line=$({ time "$@" >/dev/null 2>&1; } 2>&1)
  awk -v name="${name}" '{ printf "%s %s %.3f\n", name, $1, $2 + $3 }' <<<"${line}" | tee -a "${times}"
}

"${ptrun}" predict "${weights}" "${photo}" --topk 1 --quiet
"${python}" "${folder}/first_label.py" "${weights}" "${photo}"
for _ in $(seq "${runs}"); do
  timed ptrun "${ptrun}" predict "${weights}" "${photo}" --topk 1 --quiet
  timed ptrun-help "${ptrun}" --help
  timed python "${python}" "${folder}/first_label.py" "${weights}" "${photo}"
  # Waiting OpenMP threads spin; on a machine that does something else too, one thread is Python's better choice.
  timed python-1-thread env OMP_NUM_THREADS=1 "${python}" "${folder}/first_label.py" "${weights}" "${photo}"
  timed python-import-torch "${python}" -c "import torch"
done
echo "medians of ${runs}:"
for name in ptrun ptrun-help python python-1-thread python-import-torch; do
  for column in 2 3; do
    awk -v name="${name}" -v column="${column}" '$1 == name { print $column }' "${times}" | sort -n |
      awk -v name="${name}" -v what="$([ "${column}" = 2 ] && echo wall || echo cpu)" \
        '{ v[NR] = $1 } END { printf "  %-20s %-4s %.3f s\n", name, what, v[int((NR + 1) / 2)] }'
  done
done
