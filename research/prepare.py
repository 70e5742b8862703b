"""Hears the windows that MAFnet learns from, and writes what was heard, block by block.

    python -m research.prepare --data ../shared/data --to runs/features --split train --windows 8000

Each block holds what YAMNet's early blocks made of each second, the teacher's logits on the last
four and on all ten seconds, what the files' labels say, whether there is nothing else, and which
sources they are of. Can be stopped; the same command goes on with the next block.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from extractors.log_mel import SAMPLE_RATE
from extractors.openvino_graphs import convert
from extractors.openvino_trunks import OpenVinoTrunk
from extractors.yamnet import YAMNetLogMel
from research.listeners import Teacher
from research.sound_corpus import load_corpus
from research.vocabulary import load_vocabulary
from research.windows import WindowSource, seed_of
from research.yamnet_parts import Early, load_yamnet
from weights.files import written_whole

N_BLOCK = 100  # windows in a file
SHORT_S = 4  # the teacher is weak on less
Array = NDArray[np.float32]


class Ears:
    """YAMNet and the teacher, on one thread each."""

    def __init__(self, yamnet: Path, teacher: Path) -> None:
        self.log_mel = YAMNetLogMel()
        early = Early(load_yamnet(yamnet)).eval()
        self._yamnet = OpenVinoTrunk(convert(early, (1, 96, 64)), "float32", 1)
        self._teacher = Teacher(teacher)
        network = _First(self._teacher.network).eval()
        self._networks: dict[int, OpenVinoTrunk] = {}
        self._convert: Callable[[int], OpenVinoTrunk] = lambda n: OpenVinoTrunk(
            convert(network, (1, 128, n)), "float32", 1
        )

    @torch.inference_mode()
    def early(self, waveform: Array) -> NDArray[np.float16]:
        """Return what YAMNet's early blocks make of each second: `(n, 512, 6, 4)`."""
        seconds = torch.from_numpy(waveform).reshape(-1, SAMPLE_RATE)
        return np.asarray(self._yamnet.encode(self.log_mel(seconds).numpy()), np.float16)

    @torch.inference_mode()
    def taught(self, waveform: Array) -> NDArray[np.float16]:
        """Return the teacher's logits on a waveform: `(527,)`."""
        picture = self._teacher.picture(torch.from_numpy(waveform)[None])  # (1, 1, 128, frames)
        frames = picture.shape[3]
        if frames not in self._networks:
            self._networks[frames] = self._convert(frames)
        return np.asarray(self._networks[frames].encode(picture.numpy())[0], np.float16)


class _First(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, picture: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.network(picture)[0][:, 0]
        return logits


def main() -> None:
    """Write the blocks that are not there yet."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--yamnet", type=Path, required=True, help="its safetensors")
    parser.add_argument("--split", choices=("train", "val", "test"), default="train")
    parser.add_argument("--windows", type=int, default=8000)
    parser.add_argument("--backwards", action="store_true", help="the last missing block first")
    parser.add_argument("--most", type=int, default=10_000, help="blocks in this run")
    options = parser.parse_args()
    torch.set_num_threads(1)
    vocabulary = load_vocabulary(options.data / "vocabulary.csv")
    corpus = load_corpus(options.data, options.to)
    source = WindowSource(corpus, vocabulary, options.split)
    ears = Ears(options.yamnet, options.data / "teacher")
    paths = [options.to / options.split / f"{k:04d}.npz" for k in range(options.windows // N_BLOCK)]
    missing = [(k, path) for k, path in enumerate(paths) if not path.exists()]
    for block, path in (missing[::-1] if options.backwards else missing)[: options.most]:
        if path.exists():  # another run was here
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        seeds = [seed_of(options.split, block * N_BLOCK + k) for k in range(N_BLOCK)]
        arrays = hear(source, ears, seeds, corpus.sources)
        with written_whole(path) as temporary, temporary.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
        print(path, flush=True)


def hear(
    source: WindowSource, ears: Ears, seeds: list[int], sources: Sequence[str]
) -> dict[str, NDArray[Any]]:
    """Draw windows and hear them; `sources` are of the corpus's files."""
    rows: dict[str, list[NDArray[Any]]] = {
        name: [] for name in ("early", "short", "long", "heard", "empty", "sources")
    }
    for seed in seeds:
        window = source.draw(seed)
        rows["early"].append(ears.early(window.waveform))
        rows["short"].append(ears.taught(window.waveform[-SHORT_S * SAMPLE_RATE :]))
        rows["long"].append(ears.taught(window.waveform))
        rows["heard"].append(window.heard.astype(np.float16))
        rows["empty"].append(np.array(window.kind == "nothing"))
        rows["sources"].append(np.array("|".join(sorted({sources[k] for k in window.files}))))
    return {name: np.stack(each) for name, each in rows.items()}


if __name__ == "__main__":
    main()
