#!/usr/bin/env python3
"""Memory of one `ptrun predict` over very many images: resident memory at each tenth of the way.

    many_images.py PTRUN MODEL FOLDER [--count 100000] [-- OPTION OF PREDICT...]

A list names the JPEGs of FOLDER (the small set of images.py) again and again. Prints a Markdown table; fails when
memory at any later tenth is more than 5 % above that at the first.
"""
import argparse
import itertools
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time


def resident(pid):
    """MiB now, and at most so far."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return [int(re.search(rf"{name}:\s+(\d+)", status)[1]) / 1024 for name in ("VmRSS", "VmHWM")]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tool")
    parser.add_argument("model")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--count", type=int, default=100_000)
    own, words = sys.argv[1:], []
    if "--" in own:
        own, words = own[:own.index("--")], own[own.index("--") + 1:]
    given = parser.parse_args(own)
    files = sorted(str(path) for path in given.folder.glob("*.jpg"))
    if not files:
        sys.exit(f"{given.folder}: no .jpg files were found")
    with tempfile.TemporaryDirectory() as folder:
        listed = pathlib.Path(folder) / "list.txt"
        listed.write_text("\n".join(itertools.islice(itertools.cycle(files), given.count)) + "\n", encoding="utf-8")
        start, done, curve = time.monotonic(), 0, []
        process = subprocess.Popen([given.tool, "predict", given.model, f"@{listed}", "-q", *words],
                                   stdout=subprocess.PIPE)
        print("| images | resident MiB | most so far MiB | seconds |\n| --- | --- | --- | --- |")
        for chunk in iter(lambda: os.read(process.stdout.fileno(), 1 << 16), b""):
            done += chunk.count(b"\n")
            # Of the last tenth a little earlier: the process must still be there.
            while len(curve) < 10 and done >= given.count * (len(curve) + 1) // 10 - 50:
                curve.append(resident(process.pid))
                print(f"| {done} | {curve[-1][0]:.1f} | {curve[-1][1]:.1f} | {time.monotonic() - start:.0f} |",
                      flush=True)
        code = process.wait()
    if code != 0 or len(curve) < 10:
        sys.exit(f"ptrun ended with {code} after {done} images")
    grown = max(now for now, _ in curve[1:]) / curve[0][0] - 1
    print(f"\nMemory at later tenths is at most {grown:+.1%} from that at the first.")
    return 0 if grown <= 0.05 else 1


if __name__ == "__main__":
    sys.exit(main())
