"""What the comparisons with Python have in common."""
from torchvision import transforms

# The preprocessing of every peer, and the same in ptrun's words.
PREPARE = transforms.Compose([
    transforms.Resize(256), transforms.CenterCrop(224), transforms.ToTensor(),
    transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])])
PREPARE_WORDS = ["--input-size", "224", "--resize-size", "256", "--interpolation", "bilinear", "--resize-mode",
                 "shortest", "--crop-mode", "center", "--mean", "0.485,0.456,0.406", "--std", "0.229,0.224,0.225"]


def processor():
    for line in open("/proc/cpuinfo"):
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown processor"
