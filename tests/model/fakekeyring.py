"""A keyring for tests: a backend of the library `keyring` that keeps everything in `$FAKE_KEYRING`, a JSON file, or misbehaves.

`$FAKE_KEYRING_MODE`: `hang` never answers, `fail` fails with a message that holds the key.
"""

import json
import os
import threading
from pathlib import Path

from keyring.backend import KeyringBackend
from keyring.errors import PasswordDeleteError


class Fake(KeyringBackend):
    priority = 5

    @property
    def _file(self) -> Path:
        mode = os.environ.get("FAKE_KEYRING_MODE", "")
        if mode == "hang":
            threading.Event().wait()
        return Path(os.environ["FAKE_KEYRING"])

    def _all(self) -> dict[str, str]:
        return json.loads(self._file.read_text()) if self._file.exists() else {}

    def get_password(self, service: str, username: str) -> str | None:
        return self._all().get(f"{service}/{username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        if os.environ.get("FAKE_KEYRING_MODE") == "fail":
            raise RuntimeError(f"no room for {password}")
        self._file.write_text(json.dumps(self._all() | {f"{service}/{username}": password}))

    def delete_password(self, service: str, username: str) -> None:
        kept = self._all()
        if kept.pop(f"{service}/{username}", None) is None:
            raise PasswordDeleteError("not found")
        self._file.write_text(json.dumps(kept))
