import threading
import wave
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from realtime.buffers.frame_ring import END_SLOT
from realtime.clock import NS_PER_S, ManualClock
from realtime.config import SourceConfig
from realtime.errors import SourceError
from realtime.sources.factory import open_readers
from realtime.sources.opened import OpenedSource
from source_builders import Stream, empty_of_content, make_stream, read_to_end, tone, write_media

CLIPS = Path(__file__).parents[4] / "shared" / "data" / "clips"


def open_file(path: Path, stream: Stream, *, pace: bool = False) -> OpenedSource:
    config = SourceConfig(name="test", kind="media", media=str(path), pace=pace)
    i = stream.inlet
    return open_readers(config, i.timeline, i.frames, i.sounds, i.prepare, i.clock, i.stats)


def read_file(path: Path) -> tuple[Stream, OpenedSource]:
    stream = make_stream()
    opened = open_file(path, stream)
    read_to_end(*opened.readers)
    return stream, opened


def test_both_senses_are_read_to_the_end_when_a_file_has_both(tmp_path: Path) -> None:
    stream, opened = read_file(write_media(tmp_path / "a.mp4"))

    assert (opened.senses.picture, opened.senses.sound) == (True, True)
    assert [r.name for r in opened.readers] == ["capture-video", "capture-audio"]
    assert stream.slots() == list(range(32))
    assert stream.sounds.end_index == pytest.approx(32_000, abs=1100)
    assert stream.frames.ended
    assert stream.sounds.ended
    assert stream.timeline.epoch_ns == 0


def test_the_newest_frame_of_each_slot_is_taken_when_the_rate_is_above_the_grid(
    tmp_path: Path,
) -> None:
    stream, _ = read_file(write_media(tmp_path / "a.mp4", frame_rate=50, sample_rate=None))

    t_s = np.arange(100) / 50
    slots = np.floor(16 * t_s + 0.5).astype(int)
    newest = {int(slot): i for i, slot in enumerate(slots)}
    frames = stream.frames.read(0, 1000)
    assert [(f.slot, f.time_ns) for f in frames] == [
        (slot, i * NS_PER_S // 50) for slot, i in newest.items()
    ]


@pytest.mark.parametrize(
    ("name", "kwargs"),
    [
        ("a.avi", {"video_codec": "mpeg4", "audio_codec": "mp3"}),
        ("a.mkv", {"video_codec": "mjpeg", "audio_codec": "flac", "sample_rate": 48_000}),
        ("a.mkv", {"audio_codec": "pcm_s16le", "sample_rate": 8_000, "layout": "mono"}),
        ("a.mov", {"audio_codec": "pcm_s16be", "sample_rate": 96_000}),
        ("a.mkv", {"audio_codec": "ac3", "sample_rate": 48_000, "layout": "5.1"}),
        ("a.mkv", {"audio_codec": "pcm_u8", "sample_rate": 11_025, "layout": "mono"}),
        ("a.mkv", {"audio_codec": "pcm_f64le", "sample_rate": 192_000}),
        ("a.mp4", {"frame_rate": Fraction(30_000, 1001)}),
        ("a.mp4", {"frame_rate": 7, "sample_rate": 22_050}),
        ("a.ts", {"video_codec": "mpeg2video", "audio_codec": "mp2"}),
    ],
)
def test_the_tone_is_heard_whatever_the_codec_and_rate(
    tmp_path: Path, name: str, kwargs: dict[str, object]
) -> None:
    stream, _ = read_file(write_media(tmp_path / name, **kwargs))

    middle = stream.sounds.read(8_000, 24_000)
    assert middle.n_missing == middle.n_gap == 0
    spectrum = np.abs(np.fft.rfft(middle.samples))
    assert abs(int(spectrum.argmax()) - 440) <= 1
    assert middle.samples.max() == pytest.approx(0.5, abs=0.06)
    assert len(stream.slots()) >= 13
    assert stream.count("broken_packets") == 0
    assert stream.count("dropped_frames") == 0


def test_a_file_without_sound_says_so(tmp_path: Path) -> None:
    _, opened = read_file(write_media(tmp_path / "a.mp4", sample_rate=None))

    assert (opened.senses.picture, opened.senses.sound) == (True, False)
    assert [r.name for r in opened.readers] == ["capture-video"]


def test_a_file_without_picture_says_so(tmp_path: Path) -> None:
    path = write_media(tmp_path / "a.wav", frame_rate=None, audio_codec="pcm_s16le")
    stream, opened = read_file(path)

    assert (opened.senses.picture, opened.senses.sound) == (False, True)
    assert stream.sounds.end_index == 32_000
    np.testing.assert_allclose(stream.sound()[400:-400], tone(2.0, 16_000)[400:-400], atol=2e-3)


def test_sound_keeps_its_place_when_it_starts_after_the_picture(tmp_path: Path) -> None:
    path = write_media(
        tmp_path / "a.mkv", audio_codec="pcm_s16le", sample_rate=16_000, sound_delay_s=0.75
    )
    stream, _ = read_file(path)

    assert stream.timeline.epoch_ns == 0
    assert stream.sounds.first_index == 12_000
    assert stream.sounds.end_index == 44_000


@pytest.mark.timeout(60)
def test_small_rings_do_not_block_each_other_when_all_sound_comes_first(tmp_path: Path) -> None:
    path = write_media(tmp_path / "a.mkv", seconds=6.0, audio_codec="pcm_s16le", sound_first=True)
    stream = make_stream(n_frames=20, n_samples=24_000)
    opened = open_file(path, stream)
    threads = [threading.Thread(target=read_to_end, args=(r,)) for r in opened.readers]
    for thread in threads:
        thread.start()
    n_heard, slots = 0, []
    for second in range(1, 7):  # as a clip assembler takes them: both senses, second by second
        seen = -1
        while stream.frames.final_slot < second * 16 - 1 or (
            stream.sounds.end_index < second * 16_000 and not stream.sounds.ended
        ):
            seen = stream.frames._signal.wait(seen, 5.0)
        slots += [f.slot for f in stream.frames.read(second * 16 - 16, second * 16 - 1)]
        span = stream.sounds.read((second - 1) * 16_000, second * 16_000)
        n_heard += 16_000 - span.n_missing
        stream.frames.release(second * 16)
        stream.sounds.release(second * 16_000)
    for thread in threads:
        thread.join(10.0)

    assert slots == list(range(96))
    assert n_heard == 96_000


def test_a_truncated_file_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    whole = write_media(tmp_path / "a.mkv", seconds=4.0)
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])

    stream, _ = read_file(cut)

    assert 16 < len(stream.slots()) < 64
    assert stream.frames.ended


def test_broken_packets_are_counted_and_skipped(tmp_path: Path) -> None:
    whole = write_media(tmp_path / "a.avi", seconds=4.0, video_codec="mjpeg", audio_codec="mp3")
    data = bytearray(whole.read_bytes())
    rng = np.random.default_rng(3)
    for at in rng.integers(len(data) // 4, len(data) // 2, 400):
        data[at] ^= 0xFF
    broken = tmp_path / "broken.avi"
    broken.write_bytes(bytes(data))

    stream, _ = read_file(broken)

    assert stream.count("broken_packets") > 0
    assert stream.slots()[-1] >= 55


@pytest.mark.parametrize("content", [b"", b"not media at all", bytes(range(256)) * 40])
def test_what_is_no_media_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(content)

    with pytest.raises(SourceError, match=r"a\.mp4 cannot be opened") as caught:
        open_file(path, make_stream())
    assert "\n" not in str(caught.value)


def test_a_file_of_which_nothing_can_be_decoded_is_one_sentence(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = empty_of_content(write_media(tmp_path / "a.mp4", video_codec="h264"))

    with pytest.raises(SourceError, match=r"a\.mp4 was opened, but not one picture or sound"):
        open_file(path, make_stream())
    assert caplog.text == ""


def test_a_file_without_a_sample_is_one_sentence(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)

    with pytest.raises(SourceError, match=r"a\.wav was opened, but"):
        open_file(tmp_path / "a.wav", make_stream())


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"there is no file .*gone\.mp4"):
        open_file(tmp_path / "gone.mp4", make_stream())


def test_a_folder_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"folder|cannot be opened"):
        open_file(tmp_path, make_stream())


def test_samples_come_at_their_time_when_paced(tmp_path: Path) -> None:
    clock = ManualClock(now_ns=50 * NS_PER_S)
    stream = make_stream(clock=clock)
    opened = open_file(write_media(tmp_path / "a.mp4", sample_rate=None), stream, pace=True)

    read_to_end(*opened.readers)

    assert stream.timeline.epoch_ns == 50 * NS_PER_S
    assert clock.now_ns() == 50 * NS_PER_S + 49 * NS_PER_S // 25
    newest = stream.frames.newest_at(END_SLOT)
    assert newest is not None
    assert newest[1] == clock.now_ns()


def test_the_same_file_gives_the_same_samples_every_time(tmp_path: Path) -> None:
    path = write_media(tmp_path / "a.mp4")
    first, _ = read_file(path)
    second, _ = read_file(path)

    np.testing.assert_array_equal(first.sound(), second.sound())
    assert first.slots() == second.slots()


@pytest.mark.skipif(not CLIPS.is_dir(), reason="the shared clips are not here")
@pytest.mark.parametrize(
    "path",
    sorted(p for p in CLIPS.glob("*") if p.suffix in (".mp4", ".avi", ".mkv")),
    ids=lambda p: p.name,
)
def test_every_real_clip_is_read_to_its_end(path: Path) -> None:
    stream, opened = read_file(path)

    assert opened.senses.picture
    assert opened.senses.sound
    slots = stream.slots()
    assert len(slots) >= 0.9 * (slots[-1] + 1)
    assert stream.sounds.end_index / 16_000 == pytest.approx(slots[-1] / 16, abs=0.2)
    assert stream.count("dropped_frames") == 0
    assert stream.count("broken_packets") == 0
    assert stream.count("audio_gap_samples") <= 0.05 * 16_000  # one has a hole of its own, 33 ms


def test_picture_is_refused_when_it_would_unpack_to_too_much(tmp_path: Path) -> None:
    Image.new("1", (9000, 9000)).save(tmp_path / "large.png")  # a few kB, 243 MB as RGB

    with pytest.raises(SourceError, match="not larger than 8K"):
        open_file(tmp_path / "large.png", make_stream())


def test_larger_picture_counts_as_broken_when_it_comes_on_the_way(tmp_path: Path) -> None:
    with (tmp_path / "growing.mjpeg").open("wb") as file:
        for size in [(64, 48)] * 30 + [(6000, 6000)] + [(64, 48)] * 30:
            Image.new("L", size).save(file, "JPEG")

    stream, _ = read_file(tmp_path / "growing.mjpeg")

    assert stream.count("broken_packets") == 1
    assert stream.count("frames") == 60


def test_time_stamps_that_leap_by_a_day_are_taken_for_a_new_origin(tmp_path: Path) -> None:
    path = write_media(tmp_path / "a.mkv", seconds=1.0, sample_rate=None, frame_rate=16)
    with av.open(str(path)) as source, av.open(str(tmp_path / "b.mkv"), "w") as target:
        (old,) = source.streams.video
        new = target.add_stream_from_template(old)
        for packet in source.demux(old):
            if packet.dts is not None:
                seconds = packet.pts * packet.time_base
                packet.pts += int(86_400 / packet.time_base) if seconds >= 0.5 else 0
                packet.dts = packet.pts
                packet.stream = new
                target.mux(packet)
    stream, _ = read_file(tmp_path / "b.mkv")

    assert stream.slots() == list(range(16))
    assert stream.count("broken_time_stamps") == 1
