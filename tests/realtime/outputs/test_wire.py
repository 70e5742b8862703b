import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from realtime.client.subscriber import MAX_MESSAGE_BYTES
from realtime.clock import NS_PER_MS, NS_PER_S, ManualClock
from realtime.config import MAX_WINDOW_CLIPS
from realtime.outputs.stamper import MessageStamper
from realtime.outputs.wire import Message, Quality, StreamState, StreamStatus
from realtime.packets import Phase, Prediction, Sense, SenseState, SenseStatus
from wire_samples import (
    LABELS,
    make_event,
    make_prediction,
    make_senses,
    make_stamper,
    make_timeline,
)

DOCS = Path(__file__).parents[3] / "docs"
SCHEMA = json.loads((DOCS.parent / "realtime" / "message.schema.json").read_text())
QUALITY = Quality(dropped_frames=2, audio_gap_samples=160)


def event(
    stamper: MessageStamper,
    prediction: Prediction | None,
    offset_s: float | None = None,
    phase: Phase | None = None,
    alone: tuple[float | None, float | None] | None = None,
) -> Message:
    packet = replace(make_event(offset_s=offset_s, phase=phase), alone=alone)
    return stamper.event("door", make_timeline(), packet, prediction, LABELS, QUALITY)


def status(stamper: MessageStamper) -> Message:
    return stamper.status(
        "door",
        StreamStatus(
            state=StreamState.RUNNING,
            senses=make_senses(sound=SenseState.LOST),
            bundle="starter",
            bundle_version="0.1.0",
            labels=LABELS,
            background="Background",
            hop_s=0.25,
            window_clips=10,
            device="cpu",
            backend="torch",
        ),
    )


def heartbeat(stamper: MessageStamper) -> Message:
    return stamper.heartbeat(
        {"frames": 10}, {"event/door/": 3}, {"door": {"picture": "ok", "sound": "lost"}}
    )


def every_kind() -> list[Message]:
    stamper = make_stamper()
    prediction = make_prediction()
    messages = [
        event(stamper, prediction),
        event(stamper, prediction, phase=Phase.UPDATE),
        event(stamper, prediction, offset_s=11.5),
        event(stamper, None, offset_s=11.5),
        event(stamper, make_prediction(n_clips=10, latency_ms=None)),
        event(stamper, prediction, alone=(0.81, 0.62)),
        event(stamper, prediction, alone=(None, 0.62)),
        stamper.prediction("door", make_timeline(), prediction, LABELS, QUALITY),
        status(stamper),
        heartbeat(stamper),
    ]
    return messages + [message.as_replay() for message in messages]


@pytest.mark.parametrize("message", every_kind(), ids=lambda m: f"{m.body['type']}")
def test_every_message_keeps_to_the_published_schema(message: Message) -> None:
    Draft202012Validator.check_schema(SCHEMA)
    errors = list(Draft202012Validator(SCHEMA).iter_errors(json.loads(message.payload())))
    assert not errors, errors[0].message


@pytest.mark.parametrize(
    "change",
    [{"v": 2}, {"phase": "begin"}, {"confidence": 1.2}, {"surprise": 1}, {"offset": None}],
    ids=str,
)
def test_the_schema_refuses_what_is_no_message(change: dict[str, object]) -> None:
    body = {**event(make_stamper(), make_prediction(), offset_s=11.5).body, **change}
    assert not Draft202012Validator(SCHEMA).is_valid(body)


def test_an_event_says_what_each_sense_said_alone() -> None:
    evidence = event(make_stamper(), make_prediction(), alone=(0.81234, None)).body["evidence"]
    assert isinstance(evidence, dict)
    assert evidence["alone"] == {"picture": 0.8123, "sound": None}
    evidence = event(make_stamper(), make_prediction()).body["evidence"]
    assert isinstance(evidence, dict)
    assert "alone" not in evidence


@pytest.mark.parametrize(
    "alone", [{"picture": 0.5}, {"picture": 1.5, "sound": 0}, {"picture": 0, "sound": 0, "x": 0}]
)
def test_the_schema_refuses_what_no_senses_say(alone: dict[str, float]) -> None:
    body = event(make_stamper(), make_prediction(), alone=(0.5, 0.5)).body
    assert Draft202012Validator(SCHEMA).is_valid(body)
    assert isinstance(body["evidence"], dict)
    body["evidence"]["alone"] = alone
    assert not Draft202012Validator(SCHEMA).is_valid(body)


def test_the_schema_knows_every_state() -> None:
    states = SCHEMA["$defs"]["sense_state"]["enum"]
    assert set(states) == {state.value for state in SenseState}


def test_the_documented_examples_keep_to_the_schema() -> None:
    examples = [
        part.split("```")[0]
        for part in (DOCS / "reference" / "messages.md").read_text().split("```json\n")[1:]
    ]
    bodies = [json.loads(example) for example in examples]
    assert {body["type"] for body in bodies} == {"event", "prediction", "status", "heartbeat"}
    for body in bodies:
        Draft202012Validator(SCHEMA).validate(body)


def test_topics_end_after_the_source() -> None:
    topics = {message.topic for message in every_kind()}
    assert topics == {"event/door/", "prediction/door/", "status/door/", "heartbeat/"}


def test_numbers_count_the_run_and_each_topic() -> None:
    stamper = make_stamper()
    numbers = [
        (message.body["seq"], message.body["topic_seq"])
        for message in (status(stamper), heartbeat(stamper), status(stamper), heartbeat(stamper))
    ]
    assert numbers == [(1, 1), (2, 1), (3, 2), (4, 2)]


def test_an_events_id_stays_the_same() -> None:
    stamper = make_stamper()
    first, last = event(stamper, make_prediction()), event(stamper, None, offset_s=12.0)
    assert first.body["id"] == last.body["id"] == "a1b2c3d4-door-1"


def test_times_are_stream_seconds_and_utc() -> None:
    body = event(make_stamper(), make_prediction(), offset_s=11.5).body
    assert body["onset"] == {"t_s": 10.25, "utc": "2026-01-02T03:04:15.250Z"}
    assert body["offset"] == {"t_s": 11.5, "utc": "2026-01-02T03:04:16.500Z"}
    assert body["duration_s"] == 1.25


def test_sent_counts_from_the_start_of_the_run() -> None:
    clock = ManualClock(77 * NS_PER_S)
    stamper = make_stamper(clock)
    clock.advance(1500 * NS_PER_MS)
    sent = heartbeat(stamper).body["sent"]
    assert sent == {"t_s": 1.5, "utc": "2026-01-02T03:04:06.500Z"}


def test_latency_goes_from_the_newest_sample_to_the_message() -> None:
    clock = ManualClock(1000 * NS_PER_MS)
    message = event(make_stamper(clock), make_prediction(newest_ns=930 * NS_PER_MS))
    assert message.body["quality"] == {
        "latency_ms": 70.0,
        "av_skew_ms": 12.35,
        "dropped_frames": 2,
        "audio_gap_samples": 160,
        "compute_ms": 35.0,
    }


def test_latency_is_null_when_a_file_is_read_faster_than_it_plays() -> None:
    quality = event(make_stamper(), make_prediction(latency_ms=None)).body["quality"]
    assert isinstance(quality, dict)
    assert quality["latency_ms"] is None


def test_evidence_says_which_sense_and_which_second() -> None:
    assert event(make_stamper(), make_prediction(n_clips=2)).body["evidence"] == {
        "attention": [[0.0833, 0.25], [0.1667, 0.5]],
        "clip_end_t_s": [11.0, 12.0],
        "picture": 0.25,
        "sound": 0.75,
        "strongest": {"clip_end_t_s": 12.0, "sense": "sound", "share": 0.5},
    }


def test_top_ranks_by_the_trackers_score() -> None:
    top = event(make_stamper(), make_prediction()).body["top"]
    assert isinstance(top, list)
    assert top[:2] == [
        {"label": "Siren", "probability": 0.91},
        {"label": "Male speech, man speaking", "probability": 0.55},
    ]


def test_a_window_that_is_not_full_is_marked() -> None:
    short = event(make_stamper(), make_prediction(n_clips=9)).body
    full = event(make_stamper(), make_prediction(n_clips=10)).body
    assert (short["short_window"], full["short_window"]) == (True, False)


def test_a_probability_that_is_not_finite_is_refused() -> None:
    broken = make_prediction(probabilities=(0.1, float("nan"), 0.1, 0.1, 0.1))
    with pytest.raises(ValueError, match="finite"):
        event(make_stamper(), broken)


def test_labels_of_another_bundle_are_refused() -> None:
    stamper = make_stamper()
    with pytest.raises(ValueError, match="one a label"):
        stamper.prediction("door", make_timeline(), make_prediction(), LABELS[:3], QUALITY)


def test_a_payload_is_compact_utf8_without_nan() -> None:
    assert Message("event/x/", {"label": "Glocke läutet"}).payload() == (
        '{"label":"Glocke läutet"}'.encode()
    )
    with pytest.raises(ValueError, match="JSON"):
        Message("event/x/", {"score": float("nan")}).payload()


def test_a_replay_keeps_its_numbers() -> None:
    message = status(make_stamper())
    assert message.as_replay().body == {**message.body, "replay": True}
    assert "replay" not in message.body


def test_longest_window_is_far_below_what_a_subscriber_takes() -> None:
    prediction = make_prediction(MAX_WINDOW_CLIPS)
    message = make_stamper().prediction("x" * 100, make_timeline(), prediction, LABELS, Quality())

    assert len(message.payload()) < MAX_MESSAGE_BYTES / 100


def test_password_of_a_cameras_address_is_not_published() -> None:
    detail = "rtsp://user:pw-secret@host/s sent nothing for 5 s"
    sense = SenseStatus(sense=Sense.PICTURE, state=SenseState.LOST, detail=detail)
    status = StreamStatus(
        state=StreamState.FAILED,
        senses=(sense,),
        bundle="b",
        bundle_version="1",
        labels=LABELS,
        background=None,
        hop_s=0.25,
        window_clips=10,
        device="cpu",
        backend="cpu",
        detail=detail,
    )

    payload = make_stamper().status("door", status).payload().decode()

    assert "pw-secret" not in payload
    assert payload.count("rtsp://host/s sent nothing for 5 s") == 2


def test_evidence_names_the_clips_that_there_are_when_some_were_skipped() -> None:
    ends_t_ns = (2 * NS_PER_S, 3 * NS_PER_S, 12 * NS_PER_S)
    prediction = replace(make_prediction(n_clips=3), clip_ends_t_ns=ends_t_ns)

    evidence: Any = event(make_stamper(), prediction).body["evidence"]

    assert evidence["clip_end_t_s"] == [2.0, 3.0, 12.0]
    assert evidence["strongest"]["clip_end_t_s"] == 12.0


def test_event_says_which_senses_its_newest_second_had() -> None:
    prediction = make_prediction(n_clips=3)
    prediction.present[-1] = [True, False]

    body = event(make_stamper(), prediction).body

    assert body["senses"] == ["picture", "sound"]
    assert body["newest_senses"] == ["picture"]
    assert event(make_stamper(), None).body["newest_senses"] == []
