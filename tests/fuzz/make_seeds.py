#!/usr/bin/env python3
"""make_seeds.py DATA OUT: what the fuzz targets start from that stands inside other files, out of tests/data.

OUT/pickle: the pickles of zip archives; OUT/exported_program: the JSON of programs in .pt2 archives.
"""
import pathlib
import sys
import zipfile


def main():
    data, out = map(pathlib.Path, sys.argv[1:])
    counts = {"pickle": 0, "exported_program": 0}
    for target in counts:
        (out / target).mkdir(parents=True, exist_ok=True)
    for path in sorted(data.rglob("*")):
        if not path.is_file() or not zipfile.is_zipfile(path):
            continue
        with zipfile.ZipFile(path) as archive:
            for record in archive.namelist():
                if record.endswith(".pkl"):
                    target = "pickle"
                elif path.suffix == ".pt2" and record.endswith(".json") and "config" not in record:
                    target = "exported_program"
                else:
                    continue
                try:
                    content = archive.read(record)
                except Exception:  # one of the damaged files; its target gets it as it is
                    continue
                counts[target] += 1
                (out / target / f"{path.parent.name}_{path.stem}_{pathlib.Path(record).stem}").write_bytes(content)
    for target, count in counts.items():
        if count == 0:
            sys.exit(f"{data}: no seed for {target} in it")


if __name__ == "__main__":
    main()
