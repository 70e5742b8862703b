"""Notifies one Apprise address; the one file that knows that library.

It knows how a hundred services are told, from ntfy and e-mail to Telegram. Its own log lines and
those of what it sends with may hold tokens, so nothing of them is let through. No redirect is
followed: a token would go along.
"""

from __future__ import annotations

import logging
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realtime.errors import LibraryMissing, OutputError
from realtime.outputs.rules.target import Answer, Outcome

if TYPE_CHECKING:
    from realtime.outputs.rules.job import Job

_CHATTY = ("apprise", "urllib3", "requests", "requests_oauthlib", "oauthlib")
_SILENT = logging.CRITICAL + 1


class Notify:
    """Notifies one address; see `realtime.outputs.rules.target.Target`.

    Args:
        rule: The rule's name.
        address: As Apprise has it, such as `ntfy://localhost/hall`.
        where: What a refusal names instead of the address.
        limit_s: Longer no connection, and no answer, is waited for.

    Raises:
        LibraryMissing: Apprise is not installed.
        OutputError: The address is none that it knows.
    """

    def __init__(self, rule: str, address: str, where: str, limit_s: float) -> None:
        try:
            import apprise
            from apprise.common import PersistentStoreMode
        except ImportError as error:
            raise LibraryMissing(
                f"rule {rule!r} notifies, which needs the package apprise; "
                "run `pip install mafnet-live[notify]`"
            ) from error
        for name in _CHATTY:
            logging.getLogger(name).setLevel(_SILENT)
        kind = address.partition(":")[0].lower()
        self.name = f"rule {rule!r}, {kind if kind.isalnum() else 'notify'}"
        self.limit_s = limit_s
        asset = apprise.AppriseAsset(
            app_id="mafnet-live",
            app_desc="mafnet-live",
            app_url="",
            image_url_mask="",
            image_url_logo="",
            storage_mode=PersistentStoreMode.MEMORY,
            secure_logging=True,
            plugin_paths=[],
        )
        self._library: Any = apprise
        self._service: Any = apprise.Apprise.instantiate(address, asset=asset)
        if self._service is None:
            raise OutputError(
                f"rule {rule!r}: Apprise does not know the address of {where}; see "
                "https://github.com/caronc/apprise/wiki for how each service's is written"
            )
        self._service.redirects = False
        self._service.socket_connect_timeout = limit_s
        self._service.socket_read_timeout = limit_s

    def tell(self, job: Job) -> Answer:
        """Notify once."""
        with ExitStack() as stack:
            path = job.clip
            if path is None and job.picture is not None:
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))  # mode 0700
                path = folder / "picture.jpg"
                path.write_bytes(job.picture)
            try:
                is_told = self._service.notify(
                    title=job.values["label"],
                    body=job.text,
                    notify_type=self._library.NotifyType.INFO,
                    attach=None if path is None else self._attached(path),
                )
            except Exception as error:  # noqa: BLE001 - of a hundred services, each with its own
                return Answer(Outcome.AGAIN, f"it failed ({type(error).__name__})")
        return Answer(Outcome.DONE) if is_told else Answer(Outcome.AGAIN, "it was not taken")

    def _attached(self, path: Path) -> Any:
        from apprise.attachment.file import AttachFile  # never an address: what a path looks like

        attached = self._library.AppriseAttachment()
        attached.add(AttachFile(str(path), name=path.name))
        return attached

    def give_up(self) -> None:
        """Nothing to do: nobody waits for the answer."""
