"""Append each event that has ended to a CSV file: one line, whole, or none.

python examples/events_to_csv.py events.csv [ENDPOINT]
"""

import csv
import sys
from pathlib import Path

from realtime import Subscriber

COLUMNS = ("source", "label", "onset", "offset", "seconds", "confidence", "senses")

path = Path(sys.argv[1])
endpoint = sys.argv[2] if len(sys.argv) > 2 else "tcp://127.0.0.1:5556"
is_new = not path.exists()

with Subscriber(endpoint) as subscriber, path.open("a", newline="", encoding="utf-8") as file:
    table = csv.writer(file)
    if is_new:
        table.writerow(COLUMNS)
    try:
        for message in subscriber:
            event = message.event()
            if event.phase != "offset" or message.is_replay or event.offset_utc is None:
                continue
            table.writerow(
                (
                    event.source,
                    event.label,
                    event.onset_utc.isoformat(),
                    event.offset_utc.isoformat(),
                    f"{(event.offset_utc - event.onset_utc).total_seconds():.2f}",
                    f"{event.confidence:.3f}",
                    "+".join(sorted(str(sense) for sense in event.senses)),
                )
            )
            file.flush()
    except KeyboardInterrupt:
        pass
