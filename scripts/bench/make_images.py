"""The image sets of the benchmarks: photographs of tests/data, cropped, turned over and with noise, by a seed.

Usage: python make_images.py FOLDER [--small 600] [--large 30]

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


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--small", type=int, default=600)
    parser.add_argument("--large", type=int, default=30)
    args = parser.parse_args()
    sums = args.folder / "SHA256SUMS"
    wanted = args.small + args.large
    if not sums.exists() or len(sums.read_text().splitlines()) != wanted:
        make(args.folder, args.small, args.large)
    for name in ("small", "large"):
        sizes = [path.stat().st_size for path in (args.folder / name).glob("*.jpg")]
        if sizes:
            print(f"{name}: {len(sizes)} images, {sum(sizes) / len(sizes) / 1000:.1f} KB each")
    print("checksum:", hashlib.sha256(sums.read_bytes()).hexdigest()[:16])


if __name__ == "__main__":
    main()
