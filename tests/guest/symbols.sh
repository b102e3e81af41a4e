#!/usr/bin/env bash
# symbols.sh LIBPTRUN MODULE...: they show only names of ptrun, and use nothing that prints, exits or changes the host.
# The C interface has what c_symbols.txt lists, which only grows.
set -euo pipefail
library="$1"

# Defined: the C interface, namespace ptrun with its vtables and type information. The linker's own names are no symbols
# of a module's.
shown='^(ptrun_[a-z_]+|ptrun::.*|(vtable|typeinfo|typeinfo name) for ptrun::.*)$'
for file in "$@"; do
  defined="$(nm -D --defined-only -C "${file}" | cut -d ' ' -f 3- | grep -vxE '__bss_start|_edata|_end' || true)"
  foreign="$(grep -Ev "${shown}" <<<"${defined}" || true)"
  if [[ -n "${foreign}" ]]; then
    printf '%s shows symbols that are not ptrun'"'"'s:\n%s\n' "${file}" "${foreign}" >&2
    exit 1
  fi
done
defined="$(nm -D --defined-only -C "${library}" | cut -d ' ' -f 3-)"
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
# The CUDA device is chosen by guards only, which put the host's back.
forbidden='exit _exit _Exit quick_exit abort atexit signal sigaction sigaltstack raise kill setlocale uselocale setenv
putenv unsetenv clearenv fesetround fesetenv printf vprintf puts putchar perror
stdout stderr std::cout std::cerr std::clog mallopt chdir umask setrlimit prctl fork system popen
omp_set_dynamic at::set_num_threads at::set_num_interop_threads
cudaSetDevice cudaDeviceReset cudaSetDeviceFlags c10::cuda::set_device c10::cuda::SetDevice c10::cuda::MaybeSetDevice'
for file in "$@"; do
  used="$(nm -D --undefined-only -C "${file}" | awk '{ sub(/@.*/, "", $2); print $2 }' | sort -u)"
  for name in ${forbidden}; do
    if grep -qE "^${name}(\(.*)?$" <<<"${used}"; then
      printf '%s uses %s, which changes its host\n' "${file}" "${name}" >&2
      exit 1
    fi
  done
done
