"""AVE's 28 event labels, in the order of the authors' targets.

The order is alphabetical: in the features that the authors' own script writes, `Church bell` is
column 8 and `Truck` column 25. Most other projects on AVE count from `Church bell`, `Male speech`,
`Bark`, …: with that order the authors' weights would name the wrong events.
"""

AVE_LABELS: tuple[str, ...] = (
    "Accordion",
    "Acoustic guitar",
    "Baby cry, infant cry",
    "Banjo",
    "Bark",
    "Bus",
    "Cat",
    "Chainsaw",
    "Church bell",
    "Clock",
    "Female speech, woman speaking",
    "Fixed-wing aircraft, airplane",
    "Flute",
    "Frying (food)",
    "Goat",
    "Helicopter",
    "Horse",
    "Male speech, man speaking",
    "Mandolin",
    "Motorcycle",
    "Race car, auto racing",
    "Rodents, rats, mice",
    "Shofar",
    "Toilet flush",
    "Train horn",
    "Truck",
    "Ukulele",
    "Violin, fiddle",
)
