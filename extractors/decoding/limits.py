"""What no reader takes: pictures that are too large, rates that no sound has.

A small file may unpack to gigabytes. Pure numbers, so that any reader may know them.
"""

from typing import Final

MAX_PICTURE_PIXELS: Final = 7680 * 4320  # 8K
# FFmpeg's option for a decoder. Opening a file decodes a first picture of each of its streams:
# 16000x16000 of PNG (0.7 MB) took 768 MB before it was bounded, and 36 MB since. It goes among
# `av.open(options=…)`, which hands it to each stream that is known by then; `stream_options=` may
# not be given for formats that find their streams later (MPEG-PS, FLV).
DECODER_LIMIT: Final = {"max_pixels": str(MAX_PICTURE_PIXELS)}
TOO_LARGE: Final = "pictures up to 8K (7680x4320) are read: make it smaller"
MIN_RATE: Final = 1_000  # Hz
MAX_RATE: Final = 768_000
