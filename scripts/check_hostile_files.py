#!/usr/bin/env python3
"""Shows that nothing in hostile model files runs: `inspect` and `predict` on every file of a folder, watched by strace.

  scripts/check_hostile_files.py PTRUN FOLDER PHOTO

For example the samples in tests/ of github.com/mmaitre314/picklescan. Counts what ended how, and prints every process
that was started, every socket and every file made or written outside /dev and /proc; exit code 1 when there was one, or
when ptrun crashed, took longer than 10 s or gave a result for a file that Python would have had to run. Needs strace.
"""
import collections
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

WATCHED = "execve,execveat,fork,vfork,clone,clone3,socket,connect,bind,openat,open,creat,mkdir,rename,unlink,link,symlink"
WRITES = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC")
HARMLESS = re.compile(r'"/(dev|proc)/')


def harm(line):
    """What a line of strace shows that no model file may cause; None for the others."""
    call = re.sub(r"^\d+\s+", "", line)
    name = call.split("(", 1)[0]
    if name in ("fork", "vfork", "execveat", "socket", "connect", "bind", "creat", "mkdir", "rename", "unlink", "link",
                "symlink"):
        return call
    if name == "execve":
        return call
    if name in ("clone", "clone3"):
        return None if "CLONE_THREAD" in call or "resumed" in call else call
    if name in ("open", "openat"):
        return call if WRITES.search(call) and not HARMLESS.search(call) else None
    return None


def watch(words):
    with tempfile.NamedTemporaryFile(mode="r", suffix=".strace") as log:
        begun = time.perf_counter()
        try:
            done = subprocess.run(["strace", "-f", "-qq", "-e", f"trace={WATCHED}", "-o", log.name, *words],
                                  capture_output=True, text=True, errors="replace", timeout=60, check=False)
            code = done.returncode
        except subprocess.TimeoutExpired:
            return "took over 60 s", [], 60.0
        lines = log.read().splitlines()
    own = next((i for i, line in enumerate(lines) if "execve(" in line), 0)  # the tool itself
    found = [call for line in lines[own + 1:] if (call := harm(line)) is not None]
    return code, found, time.perf_counter() - begun


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    tool, folder, photo = sys.argv[1:]
    files = sorted(path for path in pathlib.Path(folder).rglob("*") if path.is_file())
    ends, bad, slowest = collections.Counter(), [], 0.0
    # What ptrun does on a file of its own world, so that strace is known to see it.
    baseline, _, _ = watch([tool, "--version"])
    if baseline != 0:
        sys.exit(f"{tool} --version ended with {baseline}")
    for path in files:
        for verb in (["inspect", str(path)], ["predict", str(path), photo]):
            code, found, took = watch([tool, *verb])
            slowest = max(slowest, took)
            ends[f"{verb[0]}, exit {code}"] += 1
            if not isinstance(code, int) or code < 0 or code >= 128 or took > 10:
                bad.append(f"{path.name}: {verb[0]} ended with {code} after {took:.1f} s"
                           + (f" ({signal.Signals(-code).name})" if isinstance(code, int) and code < 0 else ""))
            if verb[0] == "predict" and code == 0:
                bad.append(f"{path.name}: predict gave a result")
            bad += [f"{path.name}: {verb[0]}: {call}" for call in found]
    print(f"{len(files)} files; " + "; ".join(f"{end}: {count}" for end, count in sorted(ends.items())))
    print(f"processes, sockets and files made: {sum(': inspect: ' in b or ': predict: ' in b for b in bad)}; "
          f"the slowest took {slowest:.1f} s under strace")
    for line in bad:
        print(line)
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    os.environ["LC_ALL"] = "C.UTF-8"
    main()
