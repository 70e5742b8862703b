"""The settings of one training of the sound trunk; they travel in its checkpoint.

Place in the flow: shared by `train_sound`, which spends them, and `clip_source`, which draws so.
"""

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TrainSoundConfig:
    """Settings of one training run; they travel in its checkpoint.

    Attributes:
        minutes: Training time over which the schedule runs.
        seed: Base of every random choice.
        batch: Clips a step.
        lr: Peak learning rate.
        weight_decay: AdamW's.
        warm_up: Share of the schedule in which the learning rate rises.
        short: Share of the schedule trained on half-second pictures, at half the price.
        smoothing: Label smoothing.
        ema: Share of the averaged weights kept at each step.
        synthesised: Share of clips from `synth_sounds` events.
        nothing: Share of clips with silence, noise, hum, wind or handling: Background.
        places: Share of clips with recorded backgrounds and the pauses of recordings: Background.
        dropout: Of the classifier's input.
        voices: Share of clips with speech over a crowd (`voice_source`), on top of the others.
    """

    minutes: float = 50.0
    seed: int = 1
    batch: int = 48
    lr: float = 2e-3
    weight_decay: float = 0.02
    warm_up: float = 0.12
    short: float = 0.5
    smoothing: float = 0.05
    ema: float = 0.998
    synthesised: float = 0.04
    nothing: float = 0.06
    places: float = 0.0
    dropout: float = 0.3
    voices: float = 0.0
