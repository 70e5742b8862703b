"""Answers for many windows of several lengths at once, and for each of their clips alone.

A stream asks the head about the window and about the newest clip; training and measuring ask the
same two questions, in one batch and through the same batch norms.
"""

import torch
import torch.nn.functional as F

from mafnet.compose import Windows
from mafnet.model import ClipCodes, Decision, MAFnet


def decide_windows(model: MAFnet, windows: Windows) -> tuple[Decision, Decision]:
    """Answer for windows of several lengths and for each of their clips alone.

    Args:
        model: In training or evaluation mode.
        windows: B windows of M clips together.

    Returns:
        The windows' decision, B rows, and the clips', M rows.
    """
    codes = model.encode_clips(windows.visual, windows.audio, windows.present)
    return decide_codes(model, codes, windows)


def decide_codes(model: MAFnet, codes: ClipCodes, windows: Windows) -> tuple[Decision, Decision]:
    """Answer as `decide_windows`, from codes computed before.

    Args:
        model: In training or evaluation mode.
        codes: Of the M clips, in order.
        windows: B windows of M clips together.

    Returns:
        The windows' decision, B rows, and the clips', M rows.
    """
    n_windows, n_most = len(windows.n_clips), int(windows.n_clips.max())
    starts = torch.cumsum(windows.n_clips, 0) - windows.n_clips
    offsets = torch.arange(n_most)[None]
    inside = offsets < windows.n_clips[:, None]  # (B, T)
    at = torch.where(inside, starts[:, None] + offsets, 0)
    vectors = codes.vectors[at]  # (B, T, 2, 512)
    scores = codes.scores[at]
    present = windows.present[at] & inside[:, :, None]
    n_alone = len(windows.visual)
    room = (0, 0, 0, n_most - 1)
    alone_present = F.pad(windows.present[:, None], room)
    decision = model.decide(
        torch.cat([vectors, F.pad(codes.vectors[:, None], (0, 0, *room))]),
        torch.cat([scores, F.pad(codes.scores[:, None], room)]),
        torch.cat([present, alone_present]),
    )
    of_windows = Decision(*(part[:n_windows] for part in decision))
    of_clips = Decision(*(part[n_windows : n_windows + n_alone] for part in decision))
    return of_windows, of_clips
