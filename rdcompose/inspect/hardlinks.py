"""Files with several names, told by their contents while an image is unpacked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rdcompose.inspect.walks import Located
    from rdcompose.tree import File

# Contents that are remembered for further names of their files, in bytes.
_MAX_KEPT: Final = 64 << 20


class HardLinks:
    """Files that have further names to come.

    The names of one file come with one content, the same object: so much is sure, whatever
    numbers the headers of an archive have.
    """

    def __init__(self) -> None:
        self._paths: dict[int, str] = {}
        self._files: dict[str, tuple[File, int | None]] = {}
        self._size = 0

    def other_name(self, file: File, located: Located) -> str | None:
        """Return a path at which the same file lies, if one is known."""
        path = self._paths.get(id(file.content))
        if path is None:
            return None
        old, mtime = self._files[path]
        same = (old.mode, old.uid, old.gid, mtime)
        return path if same == (file.mode, file.uid, file.gid, located.mtime) else None

    def note(self, path: str, file: File, located: Located) -> None:
        """Remember what lies at a path now, if it has other names, too."""
        size = file.content.size
        # All empty ones may have one content.
        if located.links < 2 or not 0 < size <= _MAX_KEPT or id(file.content) in self._paths:
            return
        if self._size + size > _MAX_KEPT:
            self._paths.clear()
            self._files.clear()
            self._size = 0
        self._paths[id(file.content)] = path
        # As long as the content is kept, no other has its identity.
        self._files[path] = file, located.mtime
        self._size += size

    def forget(self, path: str) -> None:
        """Something else takes the place of what is at a path."""
        if path in self._files:
            file, _ = self._files.pop(path)
            del self._paths[id(file.content)]
            self._size -= file.content.size
