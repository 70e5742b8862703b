"""By how much a camera lags behind a microphone: measured by claps, kept from run to run."""
