"""A bounded queue between two threads, with its loss policy in its name and every loss counted.

Not all items are worth the same: with a `worth` what is worth less never pushes out what is worth
more, and of news only the newest waits.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from enum import Enum, IntEnum
from typing import Generic, TypeVar

T = TypeVar("T")


class Policy(Enum):
    """What `put` does when the mailbox is full."""

    DROP_OLDEST = "drop oldest"  # newest wins; the loss is counted
    WAIT = "wait"  # the producer waits; nothing is lost


class Worth(IntEnum):
    """What an item is worth where there is no room for all."""

    NEWS = 0  # takes the place of older news; that is no loss
    REPORT = 1  # goes before what is to be kept goes
    KEPT = 2


class Mailbox(Generic[T]):
    """Holds up to `capacity` items. Any thread may put and get.

    After `close`, `put` refuses (returns False) and `get` hands out what is left, then None.

    Args:
        capacity: At most so many wait.
        policy: What `put` does when it is full.
        worth: Says what an item is worth; all is to be kept if None.
    """

    def __init__(
        self, capacity: int, policy: Policy, worth: Callable[[T], Worth] | None = None
    ) -> None:
        if capacity < 1:
            raise ValueError(f"a mailbox holds at least 1 item, got capacity {capacity}")
        self._items: deque[T] = deque()
        self._capacity = capacity
        self._policy = policy
        self._worth = worth
        self._changed = threading.Condition()
        self._closed = False
        self._n_dropped = 0
        self._wake: Callable[[], None] | None = None

    def wake_with(self, wake: Callable[[], None] | None) -> None:
        """Have `wake` called after every put and at the close, outside the lock; None ends that.

        For a consumer that blocks on more than this mailbox (a socket); `wake` must not block.
        """
        self._wake = wake

    @property
    def n_dropped(self) -> int:
        """How many items were thrown away so far."""
        return self._n_dropped

    @property
    def closed(self) -> bool:
        """Whether `close` was called and nothing is left."""
        with self._changed:
            return self._closed and not self._items

    def __len__(self) -> int:
        with self._changed:
            return len(self._items)

    def put(self, item: T, timeout_s: float = 1.0) -> bool:
        """Add an item at the end.

        With `DROP_OLDEST` it never waits. With `WAIT` it waits up to `timeout_s` for a place.

        Returns:
            Whether the item was taken; False when closed or, with `WAIT`, still full.
        """
        with self._changed:
            worth = Worth.KEPT if self._worth is None else self._worth(item)
            if worth is Worth.NEWS:
                self._remove_oldest(Worth.NEWS)
            if self._policy is Policy.WAIT:
                self._changed.wait_for(
                    lambda: self._closed or len(self._items) < self._capacity, timeout_s
                )
                if len(self._items) >= self._capacity:
                    return False
            if self._closed:
                return False
            if len(self._items) < self._capacity or self._make_room(worth):
                self._items.append(item)
            elif worth is not Worth.NEWS:
                self._n_dropped += 1
            self._changed.notify_all()
        self._notify_consumer()
        return True

    def get(self, timeout_s: float) -> T | None:
        """Take the oldest item; None after `timeout_s` without one, or when closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or bool(self._items), timeout_s)
            if not self._items:
                return None
            item = self._items.popleft()
            self._changed.notify_all()
            return item

    def close(self) -> None:
        """Refuse further items and wake all who wait. May be called again."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._notify_consumer()

    def _make_room(self, worth: Worth) -> bool:
        """Drop the oldest of what is worth least, but nothing worth more; return whether it was."""
        if self._worth is None:
            self._items.popleft()
            self._n_dropped += 1
            return True
        for least in Worth:
            if least > worth:
                return False
            if self._remove_oldest(least):
                self._n_dropped += least is not Worth.NEWS
                return True
        return False

    def _remove_oldest(self, worth: Worth) -> bool:
        for index, item in enumerate(self._items):
            if self._worth is not None and self._worth(item) is worth:
                del self._items[index]
                return True
        return False

    def _notify_consumer(self) -> None:
        wake = self._wake
        if wake is not None:
            wake()
