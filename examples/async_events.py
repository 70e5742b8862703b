"""The events of two recognizers in one asyncio program.

python examples/async_events.py tcp://127.0.0.1:5556 tcp://127.0.0.1:5557
"""

import asyncio
import sys

from realtime import AsyncSubscriber


async def follow(endpoint: str) -> None:
    async with AsyncSubscriber(endpoint) as subscriber:
        async for message in subscriber:
            event = message.event()
            if event.phase == "onset" and not message.is_replay:
                print(f"{endpoint}: {event.label} at {event.source}", flush=True)


async def main(endpoints: list[str]) -> None:
    async with asyncio.TaskGroup() as tasks:
        for endpoint in endpoints:
            tasks.create_task(follow(endpoint))


try:
    asyncio.run(main(sys.argv[1:] or ["tcp://127.0.0.1:5556"]))
except KeyboardInterrupt:
    pass
