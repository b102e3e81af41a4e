"""What a person would write in Python: one photo, one label. Beside `ptrun predict` in first_label.sh.

Usage: python first_label.py WEIGHTS PHOTO
"""
import sys

if len(sys.argv) != 3:
    sys.exit(__doc__.strip())

import torch
import torchvision
from PIL import Image, ImageOps

weights = torchvision.models.MobileNet_V2_Weights.IMAGENET1K_V1
model = torchvision.models.mobilenet_v2()
model.load_state_dict(torch.load(sys.argv[1], weights_only=True))
model.eval()
image = ImageOps.exif_transpose(Image.open(sys.argv[2])).convert("RGB")
with torch.inference_mode():
    scores = model(weights.transforms()(image)[None]).softmax(1)[0]
best = int(scores.argmax())
print(weights.meta["categories"][best], float(scores[best]))
