"""The same event-based F1 by the field's library, where it is there (the extra `evaluation`)."""

import json
import warnings
from collections.abc import Sequence
from pathlib import Path

from research.streaming.scoring import COLLAR_S, OF_LENGTH, Detection, Truth, detections_of


def f1_of_sed_eval(folder: Path, names: Sequence[str]) -> float | None:
    """Score the streams of a folder with `sed_eval.sound_event.EventBasedMetrics`.

    Args:
        folder: What the evaluation wrote.
        names: Streams that have events.

    Returns:
        F1 over all events, or None where the library or the streams are missing.
    """
    from research.streaming.run import read_messages

    streams = []
    for name in names:
        scene = json.loads((folder / f"{name}.truth.json").read_text(encoding="utf-8"))
        truths = [
            Truth(label=e["label"], onset_s=e["onset_s"], offset_s=e["offset_s"])
            for e in scene["events"]
        ]
        messages = read_messages(folder / f"{name}.events.jsonl")
        streams.append((name, truths, detections_of(messages)))
    return sed_eval_f1(streams)


def sed_eval_f1(
    streams: Sequence[tuple[str, Sequence[Truth], Sequence[Detection]]],
) -> float | None:
    """Likewise from events in memory."""
    try:
        with warnings.catch_warnings():  # of what it imports
            warnings.simplefilter("ignore")
            from dcase_util.containers import MetaDataContainer
            from sed_eval.sound_event import EventBasedMetrics
    except ImportError:
        return None
    if not streams:
        return None
    labels = {e.label for _, truths, _ in streams for e in truths}
    labels |= {e.label for _, _, said in streams for e in said}
    metrics = EventBasedMetrics(
        event_label_list=sorted(labels), t_collar=COLLAR_S, percentage_of_length=OF_LENGTH
    )
    for name, truths, detections in streams:
        truth_list, said_list = (
            MetaDataContainer(
                [
                    {
                        "filename": name,
                        "event_label": e.label,
                        "event_onset": e.onset_s,
                        "event_offset": e.offset_s,
                    }
                    for e in events
                ]
            )
            for events in (truths, detections)
        )
        metrics.evaluate(truth_list, said_list)
    return float(metrics.overall_f_measure()["f_measure"])
