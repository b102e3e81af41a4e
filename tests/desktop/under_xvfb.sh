#!/usr/bin/env bash
# under_xvfb.sh COMMAND...: runs the command on an X server without a screen, which ends with it.
#
# PTRUN_SCREEN is its size, by default 2560x1600x24. Debian's xvfb-run needs xauth, which only xvfb's recommendations bring.
set -euo pipefail
command -v Xvfb >/dev/null || {
  echo "error: no Xvfb here; scripts/setup/packages.sh --desktop installs it" >&2
  exit 1
}
number="$(mktemp)"
trap 'rm -f "${number}"' EXIT
exec {display}>"${number}"
Xvfb -displayfd "${display}" -screen 0 "${PTRUN_SCREEN:-2560x1600x24}" -nolisten tcp >/dev/null 2>&1 &
server=$!
trap 'kill "${server}" 2>/dev/null || true; wait "${server}" 2>/dev/null || true; rm -f "${number}"' EXIT
for ((i = 0; i < 300; i++)); do
  if [[ -s "${number}" ]] || ! kill -0 "${server}" 2>/dev/null; then break; fi
  sleep 0.1
done
[[ -s "${number}" ]] || {
  echo "error: Xvfb did not start" >&2
  exit 1
}
# The xcb platform by name: an environment that says "offscreen" would test no window.
DISPLAY=":$(tr -d '[:space:]' <"${number}")" QT_QPA_PLATFORM=xcb "$@"
