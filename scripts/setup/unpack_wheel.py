"""unpack_wheel.py WHEEL FOLDER PATTERN...: unpacks the members of a wheel (a zip) that match a pattern."""
import fnmatch
import sys
import zipfile


def main() -> None:
    wheel, folder, *patterns = sys.argv[1:]
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if any(fnmatch.fnmatchcase(name, p) for p in patterns)]
        if not names:
            sys.exit(f"{wheel}: nothing in it matches {' '.join(patterns)}")
        archive.extractall(folder, names)


if __name__ == "__main__":
    main()
