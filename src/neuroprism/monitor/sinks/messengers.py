"""Ways to tell somebody of an alert: a program, a web address.

A message says what is wrong and nothing secret: of an address only scheme and
host are ever shown, of a program its exit code.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import os
import signal
import subprocess
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from typing import Any, Protocol


class NotTold(Exception):  # noqa: N818 - no fault of the program
    """A message did not arrive; why in one line."""


class Messenger(Protocol):
    """Tells one message after the other."""

    name: str

    def send(self, message: bytes, seconds: float) -> None:
        """Tell a message within a time.

        Raises
        ------
        NotTold
            If it did not arrive.
        """

    def stop(self) -> None:
        """End what is being told, from another thread."""


class Command:
    """Starts a program without a shell; the message is its standard input, its output is discarded.

    Parameters
    ----------
    words
        Program and arguments.
    """

    name = "command"

    def __init__(self, words: Sequence[str]) -> None:
        self._words = list(words)
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False
        self._lock = threading.Lock()

    def send(self, message: bytes, seconds: float) -> None:
        """Run the program to its end; it and what it started are killed when the time is over."""
        with self._start() as process:
            try:
                process.communicate(message, timeout=seconds)
            except subprocess.TimeoutExpired:
                _kill(process)
                raise NotTold("it was ended because it took too long") from None
            finally:
                with self._lock:
                    self._process = None
        if process.returncode:
            raise NotTold(f"exit {process.returncode}")

    def stop(self) -> None:
        """Kill the program that runs, and start none any more."""
        with self._lock:
            self._stopped = True
            if self._process is not None:
                _kill(self._process)

    def _start(self) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._stopped:
                raise NotTold("the run is over")
            try:
                # In a session of its own: Ctrl-C in the terminal is not meant for it.
                self._process = subprocess.Popen(
                    self._words,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                )
            except (OSError, ValueError) as error:
                raise NotTold(getattr(error, "strerror", None) or type(error).__name__) from None
            return self._process


class Webhook:
    """Sends the message to a web address, as a POST request with JSON.

    Parameters
    ----------
    address
        With ``http`` or ``https``; a user and a password in it become the header
        `Authorization`.
    """

    name = "webhook"

    def __init__(self, address: str) -> None:
        parts = urllib.parse.urlsplit(address)
        self._place = f"{parts.scheme}://{parts.hostname}"
        host = parts.netloc.rpartition("@")[2]
        self._address = urllib.parse.urlunsplit((parts.scheme, host, parts.path, parts.query, ""))
        self._headers = {"Content-Type": "application/json", "User-Agent": "neuroprism"}
        if parts.username is not None:
            words = [urllib.parse.unquote(word or "") for word in (parts.username, parts.password)]
            self._headers["Authorization"] = f"Basic {base64.b64encode(':'.join(words).encode()).decode()}"
        self._opener = urllib.request.build_opener(_NoRedirect)

    def send(self, message: bytes, seconds: float) -> None:
        """Send the request and wait for the answer."""
        try:
            request = urllib.request.Request(self._address, message, self._headers, method="POST")
            with self._opener.open(request, timeout=seconds):
                pass
        except urllib.error.HTTPError as error:
            with error:
                raise NotTold(f"{self._place} answered {error.code}") from None
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise NotTold(f"{self._place}: {_reason(error)}") from None

    def stop(self) -> None:
        """Do nothing: a request ends by itself, and nobody waits for it."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Lets a redirect be an answer like any other error: followed, it would lose the message."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def _reason(error: BaseException) -> str:
    """Return what the system says; other texts may hold the address."""
    cause = getattr(error, "reason", error)
    if isinstance(cause, TimeoutError):
        return "no answer in time"
    return getattr(cause, "strerror", None) or type(cause).__name__


def _kill(process: subprocess.Popen[bytes]) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
