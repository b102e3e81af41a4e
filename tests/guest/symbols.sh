#!/usr/bin/env bash
# symbols.sh LIBPTRUN: it shows only names of ptrun, and uses nothing that prints, exits or changes the host. The C
# interface has what c_symbols.txt lists, which only grows.
set -euo pipefail
library="$1"

# Defined: the C interface, namespace ptrun with its vtables and type information.
defined="$(nm -D --defined-only -C "${library}" | cut -d ' ' -f 3-)"
foreign="$(grep -Ev '^(ptrun_[a-z_]+|ptrun::.*|(vtable|typeinfo|typeinfo name) for ptrun::.*)$' <<<"${defined}" || true)"
if [[ -n "${foreign}" ]]; then
  printf 'symbols that are not ptrun'"'"'s:\n%s\n' "${foreign}" >&2
  exit 1
fi
for wanted in 'ptrun_load' 'ptrun::load_model(' 'typeinfo for ptrun::Error'; do
  if ! grep -qF "${wanted}" <<<"${defined}"; then
    printf '%s is missing\n' "${wanted}" >&2
    exit 1
  fi
done

# Neither less, which breaks programs, nor more, which nobody would keep.
diff -u "$(dirname "${BASH_SOURCE[0]}")/c_symbols.txt" <(nm -D --defined-only "${library}" | awk '{ print $3 }' |
  grep -E '^ptrun_' | LC_ALL=C sort) >&2

# Undefined, without the version behind @. What writes to a FILE may stay: those of the host have names of their own.
used="$(nm -D --undefined-only -C "${library}" | awk '{ sub(/@.*/, "", $2); print $2 }' | sort -u)"
forbidden='exit _exit _Exit quick_exit abort atexit signal sigaction sigaltstack raise kill setlocale uselocale setenv
putenv unsetenv clearenv fesetround fesetenv printf vprintf puts putchar perror
stdout stderr std::cout std::cerr std::clog mallopt chdir umask setrlimit prctl fork system popen
omp_set_dynamic at::set_num_threads at::set_num_interop_threads'
for name in ${forbidden}; do
  if grep -qE "^${name}(\(.*)?$" <<<"${used}"; then
    printf 'libptrun uses %s, which changes its host\n' "${name}" >&2
    exit 1
  fi
done
