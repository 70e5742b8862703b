"""Writes `clip.mp4` into this folder: ten seconds, a siren from 1 to 9 s; wants the product."""

from fractions import Fraction

import av
import numpy as np

from realtime.sources.demo_scene import render_sound

rate = 16_000
sound = (render_sound()[3 * rate : 13 * rate] * 32_767).astype(np.int16)  # a siren from 1 to 9 s
with av.open("clip.mp4", "w") as clip:
    video = clip.add_stream("mpeg4", rate=8)
    video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
    audio = clip.add_stream("aac", rate=rate, layout="mono")
    for k in range(80):
        frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 90, np.uint8), format="rgb24")
        frame.pts, frame.time_base = k, Fraction(1, 8)
        clip.mux(video.encode(frame))
    clip.mux(video.encode(None))
    block = av.AudioFrame.from_ndarray(sound[None], format="s16", layout="mono")
    block.sample_rate, block.pts = rate, 0
    clip.mux(audio.encode(block))
    clip.mux(audio.encode(None))
