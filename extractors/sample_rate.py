"""The sample rate that both sound trunks hear; loads nothing."""

from typing import Final

SAMPLE_RATE: Final = 16_000  # Hz, mono (AudioSet release, vggish_params.py; YAMNet's params.py)
