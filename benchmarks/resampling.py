"""How far each resampler is from the authors' log-mel, and what that does to MAFnet's answer.

    python benchmarks/resampling.py ../shared/reference

The authors resample second by second with resampy (kaiser_best); versions 0.2.2 and 0.4.3 of it
differ from each other. Prints the tables of docs/lab/2026-11-23-resampling.md.
"""

from __future__ import annotations

import argparse
import lzma
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soxr
import torch
import torchaudio
from numpy.typing import NDArray

from extractors.encoders import load_encoders
from extractors.log_mel import LogMel
from extractors.media import probe, read_sound
from mafnet.load import load_model
from weights.convert import convert
from weights.trunk_file import NamedFile

_RATE = 16_000
Resample = Callable[[NDArray[np.float32], int], NDArray[np.float32]]


def _kaiser_best(waveform: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    # torchaudio's documented equivalent of resampy's kaiser_best.
    resampled: NDArray[np.float32] = torchaudio.functional.resample(
        torch.from_numpy(waveform),
        rate,
        _RATE,
        lowpass_filter_width=64,
        rolloff=0.9475937167399596,
        resampling_method="sinc_interp_kaiser",
        beta=14.769656459379492,
    ).numpy()
    return resampled


def _default(waveform: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    resampled: NDArray[np.float32] = torchaudio.functional.resample(
        torch.from_numpy(waveform), rate, _RATE
    ).numpy()
    return resampled


def _soxr(quality: str) -> Resample:
    return lambda waveform, rate: soxr.resample(waveform, rate, _RATE, quality=quality)


RESAMPLERS: dict[str, Resample] = {
    "torchaudio kaiser_best": _kaiser_best,
    "torchaudio default": _default,
    "soxr MQ": _soxr("MQ"),
    "soxr HQ": _soxr("HQ"),
    "soxr VHQ": _soxr("VHQ"),
}


def _second(waveform: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.pad(waveform[:_RATE], (0, max(0, _RATE - len(waveform)))).astype(np.float32)


def _log_mel(seconds: NDArray[np.float32]) -> NDArray[np.float32]:
    with torch.inference_mode():
        log_mel: NDArray[np.float32] = LogMel()(torch.from_numpy(seconds))[:, 0].numpy()
    return log_mel


def _seconds(
    waveform: NDArray[np.float32], rate: int, resample: Resample, whole: bool
) -> NDArray[np.float32]:
    waveform = np.pad(waveform, (0, max(0, 10 * rate - len(waveform))))[: 10 * rate + rate]
    if whole:
        resampled = resample(waveform, rate)
        return np.stack([_second(resampled[k * _RATE :]) for k in range(10)])
    return np.stack([_second(resample(waveform[k * rate :][:rate], rate)) for k in range(10)])


def one_second(reference: Path) -> None:
    """Each resampler against both versions of resampy, on single seconds of synthetic sound."""
    old, new = (np.load(reference / "logmel" / f"logmel_resampy{v}.npz") for v in ("022", "043"))
    print("log-mel, one second: max / mean of the absolute difference")
    print("| resampler | rate | to resampy 0.2.2 | to resampy 0.4.3 |\n|---|---|---|---|")
    for rate in (44_100, 48_000):
        names = [n[:-3] for n in old if n.endswith("|sr") and int(old[n]) == rate]
        names = [n for n in names if len(old[f"{n}|wave_int16"]) >= rate]
        apart = [np.abs(old[f"{n}|logmel"] - new[f"{n}|logmel"]) for n in names]
        print(f"| resampy 0.4.3 | {rate} | {_told(apart)} | |")
        for name, resample in RESAMPLERS.items():
            apart_old, apart_new = [], []
            for n in names:
                waveform = old[f"{n}|wave_int16"].astype(np.float32) / 32768
                waveform = waveform.mean(axis=1) if waveform.ndim > 1 else waveform
                log_mel = _log_mel(_second(resample(waveform, rate))[None])
                apart_old.append(np.abs(log_mel - old[f"{n}|logmel"]))
                apart_new.append(np.abs(log_mel - new[f"{n}|logmel"]))
            print(f"| {name} | {rate} | {_told(apart_old)} | {_told(apart_new)} |")


def _told(differences: list[NDArray[np.float64]]) -> str:
    largest = max(float(d.max()) for d in differences)
    return f"{largest:.3f} / {float(np.mean([d.mean() for d in differences])):.4f}"


def whole_videos(reference: Path) -> None:
    """The two videos: log-mel, VGGish maps, and MAFnet's answer with the authors' pictures."""
    folder = reference / "end_to_end"
    expected = np.load(folder / "e2e_logmel.npz")
    features = np.load(folder / "e2e_features.npz")
    answers = np.load(folder / "e2e_mafnet.npz")
    with tempfile.TemporaryDirectory() as name:
        temporary = Path(name)
        vggish = temporary / "vggish.h5"
        packed = (reference / "vggish" / "weights_keras.h5.xz").read_bytes()
        vggish.write_bytes(lzma.decompress(packed))
        encoder = load_encoders(sound=NamedFile("vggish", vggish)).sound
        assert encoder is not None
        models = {"full": reference / "mafnet" / "checkpoint_tf1_model_only" / "MAFnet"}
        with tarfile.open(reference / "mafnet" / "checkpoint_tf1_full.tar.xz") as archive:
            archive.extractall(temporary, filter="data")
        models["sparse"] = next(temporary.rglob("*.index")).with_suffix("")
        loaded = {}
        for kind, path in models.items():
            convert(path, "mafnet", temporary / f"{kind}.safetensors")
            loaded[kind] = load_model(temporary / f"{kind}.safetensors")
    print("\nwhole videos (44.1 kHz stereo, 48 kHz mono)")
    print("| resampler | log-mel | VGGish map, of its largest | logits, dense | logits, sparse | "
          "probabilities | ms for 10 s |\n|---|---|---|---|---|---|---|")  # fmt: skip
    for name, resample in RESAMPLERS.items():
        for whole in (False, True):
            log_mels, maps, spent = [], [], 0.0
            for row, clip in enumerate(("clipA", "clipB")):
                path = folder / "AVE_Dataset" / "AVE" / f"{clip}.mp4"
                waveform = np.concatenate(list(read_sound(path)))
                rate, runs = probe(path).sample_rate, []
                for _ in range(3):  # the best of three: the machine may have other work
                    begun = time.perf_counter()
                    seconds = _seconds(waveform, rate, resample, whole)
                    runs.append(time.perf_counter() - begun)
                spent += min(runs) / 2
                log_mel, sound_map = encoder.encode(seconds)
                log_mels.append(np.abs(log_mel - expected[clip]))
                theirs = features["audio"][row].transpose(0, 3, 1, 2)
                maps.append((sound_map, float(np.abs(sound_map - theirs).max() / theirs.max())))
            audio = torch.from_numpy(np.stack([m for m, _ in maps]))
            visual = torch.from_numpy(features["visual"])
            told = []
            probabilities = 0.0
            for kind, model in loaded.items():
                with torch.inference_mode():
                    output = model(visual, audio)
                apart = np.abs(output.logits.numpy() - answers[f"{kind}_logits"])
                told.append(f"{apart.max():.4f} of {np.abs(answers[f'{kind}_logits']).max():.0f}")
                probabilities = max(
                    probabilities,
                    float(np.abs(output.probabilities.numpy() - answers[f"{kind}_pred"]).max()),
                )
            way = "whole stream" if whole else "second by second"
            print(
                f"| {name}, {way} | {_told(log_mels)} | {max(d for _, d in maps):.2%} | "
                f"{' | '.join(told)} | {probabilities:.1e} | {1000 * spent:.1f} |"
            )


def main() -> None:
    """Prints both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reference", type=Path, help="the folder of reference arrays")
    reference = parser.parse_args().reference
    one_second(reference)
    whole_videos(reference)


if __name__ == "__main__":
    main()
