#!/usr/bin/env python3
"""Loads, predicts and unloads a model again and again through the C interface, in one process.

    load_cycles.py LIBPTRUN MODEL PHOTO [--cycles 1000] [--workers 1] [--threads 1]

Prints resident memory and threads after the 10th cycle and then ten times. Fails when memory ends more than 5 % above
that of the 10th cycle, or when there are more threads than then.
"""

import argparse
import ctypes
import os
import sys
import time


def resident():
    with open("/proc/self/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def threads():
    return len(os.listdir("/proc/self/task"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library")
    parser.add_argument("model")
    parser.add_argument("photo")
    parser.add_argument("--cycles", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    ptrun = ctypes.CDLL(arguments.library)
    ptrun.ptrun_last_error.restype = ctypes.c_char_p

    # ptrun_predict_options of c_api.h up to threads_per_worker; _init writes the rest.
    size = 96
    options = (ctypes.c_char * size)()

    def call(name, *given):
        if getattr(ptrun, name)(*given) != 0:
            sys.exit(f"{name}: {ptrun.ptrun_last_error().decode()}")

    call("ptrun_predict_options_init", options, ctypes.c_size_t(size))
    ctypes.c_int32.from_buffer(options, 24).value = arguments.workers
    ctypes.c_int32.from_buffer(options, 28).value = arguments.threads

    tenth = None
    begin = time.monotonic()
    for cycle in range(1, arguments.cycles + 1):
        model, predictor, result = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p()
        call("ptrun_load", arguments.model.encode(), None, ctypes.byref(model))
        call("ptrun_predictor_create", model, options, ctypes.byref(predictor))
        call("ptrun_predict_file", predictor, arguments.photo.encode(), ctypes.byref(result))
        call("ptrun_result_free", result)
        call("ptrun_predictor_free", predictor)
        call("ptrun_model_free", model)
        if cycle == 10 or cycle % max(arguments.cycles // 10, 1) == 0:
            print(f"cycle {cycle:5}: {resident():7.1f} MiB resident, {threads()} threads, "
                  f"{time.monotonic() - begin:.0f} s", flush=True)  # fmt: skip
        if cycle == 10:
            tenth = resident(), threads()
    if tenth is None:
        sys.exit("at least 10 cycles are needed")
    grown = resident() / tenth[0] - 1
    print(f"memory {grown:+.1%} since the 10th cycle, threads {tenth[1]} -> {threads()}")
    return 0 if grown <= 0.05 and threads() <= tenth[1] else 1


if __name__ == "__main__":
    sys.exit(main())
