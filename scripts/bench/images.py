"""The image sets of the benchmarks: photographs of tests/data, cropped, turned over and with noise, by a seed.

Usage: python images.py FOLDER [--small 600] [--large 30]

FOLDER/small: JPEG 500x375, about 43 KB; FOLDER/large: 12 megapixels. Writes FOLDER/SHA256SUMS and prints one checksum
of all, which two runs with the same Pillow and numpy share. A complete folder is left as it is.
"""
import argparse
import hashlib
import io
import pathlib

import numpy as np
from PIL import Image

PHOTOS = pathlib.Path(__file__).resolve().parents[2] / "tests" / "data" / "photos"
SEED = 20260101


def one(photos, rng, size, noise, quality):
    photo = photos[int(rng.integers(len(photos)))]
    width, height = photo.size
    # A crop of the target's shape, at least three quarters of what fits.
    share = rng.uniform(0.75, 1.0) * min(width / size[0], height / size[1])
    crop = (int(size[0] * share), int(size[1] * share))
    left = int(rng.integers(width - crop[0] + 1))
    top = int(rng.integers(height - crop[1] + 1))
    image = photo.crop((left, top, left + crop[0], top + crop[1])).resize(size, Image.Resampling.BICUBIC)
    if rng.integers(2):
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    pixels = np.asarray(image, dtype=np.float32)
    pixels = pixels + rng.standard_normal(pixels.shape[:2] + (1,), dtype=np.float32) * noise
    data = io.BytesIO()
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(data, "JPEG", quality=quality)
    return data.getvalue()


def make(folder, small, large):
    photos = [Image.open(path).convert("RGB") for path in sorted(PHOTOS.glob("*.jpg"))]
    rng = np.random.default_rng(SEED)
    sets = [("small", small, (500, 375), 5.0, 83), ("large", large, (4000, 3000), 4.0, 85)]
    sums = []
    for name, count, size, noise, quality in sets:
        (folder / name).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            data = one(photos, rng, size, noise, quality)
            (folder / name / f"{i:05d}.jpg").write_bytes(data)
            sums.append(f"{hashlib.sha256(data).hexdigest()}  {name}/{i:05d}.jpg")
    (folder / "SHA256SUMS").write_text("\n".join(sums) + "\n")


def sets(folder, small=600, large=30):
    """Makes what is not there yet. One checksum of all, and the files of each set."""
    sums = folder / "SHA256SUMS"
    if not sums.exists() or len(sums.read_text().splitlines()) != small + large:
        make(folder, small, large)
    files = {name: sorted(str(path) for path in (folder / name).glob("*.jpg")) for name in ("small", "large")}
    return hashlib.sha256(sums.read_bytes()).hexdigest()[:16], files


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--small", type=int, default=600)
    parser.add_argument("--large", type=int, default=30)
    given = parser.parse_args()
    checksum, files = sets(given.folder, given.small, given.large)
    for name, paths in files.items():
        if paths:
            kilobytes = sum(pathlib.Path(path).stat().st_size for path in paths) / len(paths) / 1000
            print(f"{name}: {len(paths)} images, {kilobytes:.1f} KB each")
    print("checksum:", checksum)


if __name__ == "__main__":
    main()
