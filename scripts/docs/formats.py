#!/usr/bin/env python3
"""Makes docs/formats.md: kinds of files and PyTorch versions, each cell from what ptrun says of the files in tests/data.

  scripts/docs/formats.py LIBPTRUN            prints the page
  scripts/docs/formats.py LIBPTRUN --write    writes docs/formats.md
  scripts/docs/formats.py LIBPTRUN --check    ends with 1 when docs/formats.md is another

LIBPTRUN is build/lib/libptrun.so: the tool would open LibTorch for each file.
Every file below tests/data/archives and tests/data/versions has to belong to a row, so that a new one cannot be left out.
"""
import ctypes
import difflib
import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
DATA = ROOT / "tests" / "data"
PAGE = ROOT / "docs" / "formats.md"
VERSIONS = ["1.0", "1.4", "1.5", "1.6", "1.13", "2.0", "2.1", "2.5", "2.6", "2.7", "2.8", "2.9", "2.11", "2.15"]
ARCHIVES = "archives/*/"
VERSION_FILES = "versions/*/"

# Title, first and last version that could write it, files below tests/data.
ROWS = [
    ("**Weights** (`torch.save(model.state_dict())`)", None, None, None),
    ("state_dict, file of before 1.6", None, None, ["ordered.pt<1.6", "dict.pt<1.6", "parameters.pt<1.6", "legacy.pt"]),
    ("state_dict, zip", "1.6", None, ["ordered.pt>1.6", "dict.pt>1.6", "parameters.pt>1.6", "no_crc.pt"]),
    ("state_dict of a network that ptrun knows", None, None, ["versions/*/state_dict.pth", "weights/tiny*.pth@2.15"]),
    ("pickle protocols 3 to 5", None, None, ["protocol*.pt"]),
    ("all dtypes, views, sparse and nested tensors", None, None,
     ["dtypes.pt", "dtypes_untyped.pt", "views.pt", "legacy_views.pt", "layouts.pt"]),
    ("quantized tensors", "1.4", None, ["quantized.pt"]),
    ("tensor subclasses, lazy parameters", "1.13", None, ["subclass.pt", "lazy.pt"]),
    ("tensors of a GPU, of DataParallel, of torch.compile", None, None, ["cuda.pt", "data_parallel.pt", "compiled.pt"]),
    ("zip that was packed again, of a big-endian machine", "1.6", None, ["deflated.pt", "folders.pt", "big_endian.pt"]),
    ("safetensors", "2.15", None, ["dtypes.safetensors"]),
    ("**Checkpoints**", None, None, None),
    ("training checkpoint, EMA weights, other values beside", None, None, ["checkpoint.pt", "ema.pt", "beside.pt"]),
    ("Lightning", None, None, ["lightning.ckpt"]),
    ("**Whole modules** (`torch.save(model)`)", None, None, None),
    ("of classes that ptrun knows", None, None,
     ["versions/*/module_*.pt"] +
     [f"modules/{name}.pt@2.15" for name in ("mlp", "conv_norm_activation", "squeeze_excitation", "pruned", "shared",
                                             "data_parallel", "half", "legacy")]),
    ("of somebody's own class, with hooks, in DataParallel", None, None,
     ["module.pt", "legacy_module.pt", "data_parallel_module.pt", "versions/*/own_*.pt", "modules/unknown.pt@2.15",
      "modules/hooked.pt@2.15"]),
    ("**Programs**", None, None, None),
    ("TorchScript of 1.0 to 1.2", None, "1.2", ["trace.pt<1.4"]),
    ("TorchScript", "1.4", None, ["script.pt", "trace.pt>1.4", "torchscript/old_*.pt", "torchscript/scripted.pt@2.15",
                                  "torchscript/traced.pt@2.15", "torchscript/frozen.pt@2.15",
                                  "torchscript/quantized.pt@2.15", "torchscript/half.pt@2.15"]),
    ("TorchScript for mobile, zip", "1.5", None, ["lite.ptl", "torchscript/lite.pt@2.15"]),
    ("`.pt2` of torch.export", "2.1", None, ["export.pt2", "exported/old_*.pt2", "exported/[a-nr-z]*.pt2@2.15"]),
    ("torch.package", "1.13", None, ["package.pt"]),
    ("**Others**", None, None, None),
    ("one tensor", None, None, ["tensor.pt"]),
]

HEAD = """# File kinds and the PyTorch that wrote them

Made by `scripts/docs/formats.py` from what `ptrun inspect` says of the files in `tests/data`, each written by that real
version (`scripts/fixtures/README.md`); a test compares this page with what the script makes.

- **runs**: `ptrun predict` runs the file; the golden tests compare the numbers of such files with Python's.
- **weights**: no network that ptrun knows has tensors of these names, or the module's class is Python code outside the
  file. ptrun reads the tensors (`ptrun convert` takes them out), says so, and prints the lines that export the model.
- **explains**: the file is named for what it is, with what to do.
- **no file**: that version could write the kind, and no file of it is among the tests. **–**: it could not.

A number counts files where a cell stands for several.

"""


def number(version):
    return tuple(int(part) for part in version.split("."))


def column(text):
    """The version of a folder or file name: 1.4.0-python2, old_2_6_0.pt2."""
    return ".".join(re.findall(r"\d+", text)[:2])


def files_of(patterns):
    """[(version, path)] of a row."""
    found = []
    for pattern in patterns:
        name, limit, bound = re.fullmatch(r"([^<>@]+)(?:([<>@])(.+))?", pattern).groups()
        name = name if "/" in name else ARCHIVES + name
        paths = sorted(DATA.glob(name))
        if not paths:
            sys.exit(f"{pattern}: no such file below {DATA}")
        for path in paths:
            version = bound if limit == "@" else column(path.parent.name if "/*/" in name else path.name)
            if name.startswith(VERSION_FILES) and version not in VERSIONS:  # single classes of versions in between
                continue
            if limit == "<" and number(version) >= number(bound) or limit == ">" and number(version) < number(bound):
                continue
            found.append((version, path))
    return found


def inspect(ptrun, path):
    """What `ptrun inspect --json` prints."""
    text, data = ctypes.c_void_p(), ctypes.c_char_p()
    if ptrun.ptrun_inspect(str(path).encode(), 0, ctypes.byref(text)) != 0:
        sys.exit(f"{path}: {ptrun.ptrun_last_error().decode()}")
    ptrun.ptrun_text_get(text, ctypes.byref(data), None)
    found = json.loads(data.value)
    ptrun.ptrun_text_free(text)
    return found


def outcome(ptrun, path):
    found = inspect(ptrun, path)
    if found["runnable"]:
        return "runs"
    if not found["explanation"]:
        sys.exit(f"{path}: ptrun inspect does not explain why it does not run")
    return "weights" if found["tensors"] else "explains"


def cell(outcomes, version, first, last):
    if not outcomes:
        could = (first is None or number(version) >= number(first)) and (last is None or number(version) <= number(last))
        return "no file" if could else "–"
    if len(outcomes) == 1:
        return outcomes[0]
    counts = {kind: outcomes.count(kind) for kind in ("runs", "weights", "explains")}
    return ", ".join(f"{kind} ({count})" for kind, count in counts.items() if count)


def make_page(ptrun):
    rows = [(title, first, last, files_of(patterns) if patterns else None) for title, first, last, patterns in ROWS]
    paths = [path for *_, files in rows for _, path in files or []]
    twice = {path for path in paths if paths.count(path) > 1}
    made = [path for pattern in (ARCHIVES, VERSION_FILES) for path in DATA.glob(pattern + "*")]
    made = [path for path in made if path.name != "expected.json" and column(path.parent.name) in VERSIONS]
    missing = set(made) - set(paths)
    for what, wrong in (("in no row", missing), ("in two rows", twice)):
        if wrong:
            sys.exit(f"{sorted(wrong)[0]}: {what} of scripts/docs/formats.py")
    outcomes = {path: outcome(ptrun, path) for path in paths}
    lines = ["| File | " + " | ".join(VERSIONS) + " |", "| --- " * (len(VERSIONS) + 1) + "|"]
    for title, first, last, files in rows:
        cells = []
        for version in VERSIONS:
            here = [outcomes[path] for written, path in files or [] if written == version]
            cells.append(cell(here, version, first, last) if files is not None else "")
        lines.append("| " + " | ".join([title] + cells) + " |")
    unknown = {version for *_, files in rows for version, _ in files or []} - set(VERSIONS)
    if unknown:
        sys.exit(f"{sorted(unknown)}: no column of scripts/docs/formats.py")
    return HEAD + "\n".join(lines) + "\n"


def main():
    mode = sys.argv[2] if len(sys.argv) == 3 else ""
    if len(sys.argv) not in (2, 3) or mode not in ("", "--write", "--check"):
        sys.exit(__doc__)
    ptrun = ctypes.CDLL(sys.argv[1])
    ptrun.ptrun_last_error.restype = ctypes.c_char_p
    page = make_page(ptrun)
    if mode == "--write":
        PAGE.write_text(page, encoding="utf-8")
    elif mode == "--check":
        committed = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
        difference = difflib.unified_diff(committed.splitlines(), page.splitlines(), str(PAGE), "made now", lineterm="")
        text = "\n".join(difference)
        if text:
            sys.exit(f"{text}\ndocs/formats.md is out of date: scripts/docs/formats.py LIBPTRUN --write")
    else:
        sys.stdout.write(page)


if __name__ == "__main__":
    main()
