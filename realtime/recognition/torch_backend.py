"""The trunks in torch: which device, which precision, and whether half is exact enough here."""

from __future__ import annotations

import logging
from dataclasses import replace

import torch

from extractors.efficientnet import EfficientNetLite0Trunk
from extractors.sound import load_sound_trunk
from extractors.tolerances import tolerance
from extractors.visual import load_visual_trunk
from extractors.yamnet import YAMNetTrunk
from realtime.errors import UsageError
from realtime.recognition.trunks import TorchTrunks, distance
from weights.bundle import Bundle

logger = logging.getLogger(__name__)

DEVICES = ("auto", "cpu", "cuda", "mps")
PRECISIONS = ("auto", "float32", "bfloat16", "float16")
# Depthwise convolutions (EfficientNet) and one second of sound gain nothing from bfloat16 in torch:
# 38 ms against 33 for four frames, 13 against 8 a second of sound (two AVX-512 BF16 cores).
FASTER_IN_BFLOAT16 = ("densenet201",)
# As the processor, or OMP_NUM_THREADS, gave them: read before `share_threads` may lower them.
N_THREADS = torch.get_num_threads()


def choose_device(name: str) -> torch.device:
    """Turn `--device` into a torch device.

    Raises:
        UsageError: There is no such device here.
    """
    if name not in DEVICES:
        raise UsageError(f"--device is one of {', '.join(DEVICES)}, got {name!r}")
    has = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if name == "auto":
        return torch.device(next(d for d in ("cuda", "mps", "cpu") if has[d]))
    if not has[name]:
        raise UsageError(
            f"--device {name} was asked for, but this torch ({torch.__version__}) finds none here; "
            "use --device auto or cpu"
        )
    return torch.device(name)


def load_torch_trunks(bundle: Bundle, device: torch.device) -> TorchTrunks:
    """Build both trunks from the bundle's verified files, in float32.

    Raises:
        extractors.trunk_weights.WeightsMismatchError: A file does not fit.
        ValueError: There is no such trunk.
    """
    visual = load_visual_trunk(bundle.visual.trunk, bundle.visual.weights)
    if isinstance(visual, EfficientNetLite0Trunk):
        visual.fold()  # a fifth faster on a CPU, features within 1e-4
    sound = load_sound_trunk(bundle.audio.trunk, bundle.audio.weights)
    if isinstance(sound, YAMNetTrunk):
        sound.fold()
    return TorchTrunks(
        visual=visual.to(device),
        transform=visual.transform,
        sound=sound.to(device).to(memory_format=torch.channels_last).eval(),
        device=device,
    )


def share_threads(*, trunks_in_torch: bool) -> None:
    """Give torch all threads for the trunks, or one where another backend has the cores.

    What is left to torch beside OpenVINO is small, and its waiting threads would keep OpenVINO's
    off their cores: `benchmarks/step_parts.py --threads 1` against `--threads 2`.
    """
    torch.set_num_threads(N_THREADS if trunks_in_torch else 1)


def with_precision(trunks: TorchTrunks, precision: str, bundle: Bundle) -> TorchTrunks:
    """Let the trunks run at `precision`.

    Args:
        trunks: In float32.
        precision: One of `PRECISIONS`. `auto` is float16 on CUDA, bfloat16 for
            `FASTER_IN_BFLOAT16` on a CPU that computes it in hardware, each only if it stays
            within its tolerance; float32 elsewhere.
        bundle: Whose trunks they are.
    """
    name, heard = bundle.visual.trunk, bundle.audio.trunk
    if precision == "float32":
        return trunks
    if precision != "auto":
        wanted = getattr(torch, precision)
        return replace(trunks, precision=wanted, sound_precision=wanted)
    if trunks.device.type == "cuda":
        half = replace(trunks, precision=torch.float16, sound_precision=torch.float16)
    elif trunks.device.type == "cpu" and name in FASTER_IN_BFLOAT16 and _cpu_computes_bfloat16():
        half = replace(trunks, precision=torch.bfloat16)
    else:
        return trunks
    kind = str(half.precision).removeprefix("torch.")
    away = distance(trunks, half, trunks.transform.size)
    if not away.is_within(name, heard, kind):  # nor where half overflows to NaN
        logger.info(
            "float32 trunks: in %s pictures would be %.3f away and sound %.3f, tolerances %.3f "
            "and %.3f",
            kind,
            *away,
            tolerance(name, kind),
            tolerance(heard, kind),
        )
        return trunks
    return half


def _cpu_computes_bfloat16() -> bool:
    # mkldnn also emulates bfloat16 on older processors, slower than float32: ask for the units.
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
