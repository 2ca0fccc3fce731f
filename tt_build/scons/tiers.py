"""``cache=DIR,https://...``: a folder in front of a server. What the server gives is kept in the folder."""

from __future__ import annotations

from tt_build.scons.cache import FolderCache
from tt_build.scons.remote import RemoteCache
from tt_build.scons.statistics import Entry


class Tiers:
    """Asks the folder first; stores in both."""

    parallel = RemoteCache.parallel

    def __init__(self, near: FolderCache, far: RemoteCache) -> None:
        self._near, self._far = near, far

    def get(self, key: str) -> Entry | None:
        """The outputs of the step with that key, verified."""
        found = self._near.get(key)
        if found is None:
            found = self._far.get(key)
            if found is not None:
                self._near.put(key, *found)
        return found

    def put(self, key: str, outputs: list[bytes], seconds: float) -> None:
        """Store a step's outputs."""
        self._near.put(key, outputs, seconds)
        self._far.put(key, outputs, seconds)

    def finish(self) -> str:
        """The statistics, a line each."""
        return f"{self._near.finish()}\n{self._far.finish()}"
