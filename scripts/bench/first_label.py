"""What a person would write in Python: one photo, one label. Beside `ptrun predict MODEL PHOTO`.

python first_label.py torch WEIGHTS PHOTO, or openvino MODEL.xml PHOTO, or onnxruntime MODEL.onnx PHOTO
"""
import sys


def with_torch(weights, photo):
    import torch
    import torchvision
    from PIL import Image
    model = torchvision.models.mobilenet_v2()
    model.load_state_dict(torch.load(weights, weights_only=True))
    model.eval()
    transform = torchvision.models.MobileNet_V2_Weights.IMAGENET1K_V1.transforms()
    with torch.inference_mode():
        return int(model(transform(Image.open(photo).convert("RGB"))[None]).argmax())


def pixels_of(photo):
    """[1, 3, 224, 224] without torch."""
    import numpy as np
    from PIL import Image
    image = Image.open(photo).convert("RGB")
    ratio = 256 / min(image.size)
    image = image.resize([int(side * ratio) for side in image.size], Image.Resampling.BILINEAR)
    left, top = (image.width - 224) // 2, (image.height - 224) // 2
    pixels = np.asarray(image.crop((left, top, left + 224, top + 224)), dtype=np.float32) / 255
    pixels = (pixels - np.array([0.485, 0.456, 0.406])) / np.array([0.229, 0.224, 0.225])
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)[None].astype(np.float32))


def with_openvino(model, photo):
    import openvino
    compiled = openvino.Core().compile_model(model, "CPU")
    return int(next(iter(compiled(pixels_of(photo)).values())).argmax())


def with_onnxruntime(model, photo):
    import onnxruntime
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return int(session.run(None, {"images": pixels_of(photo)})[0].argmax())


WAYS = {"torch": with_torch, "openvino": with_openvino, "onnxruntime": with_onnxruntime}

if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[1] not in WAYS:
        sys.exit(__doc__.strip())
    print(WAYS[sys.argv[1]](*sys.argv[2:]))
