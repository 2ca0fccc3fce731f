"""Compiled templates, kept as Python keeps compiled modules: in ``__pycache__`` beside them.

Compiling them takes longer than building a kernel. Jinja's own cache on disk reads a pickle; this one reads what
``marshal`` wrote, behind a digest of itself, and trusts the folder as far as Python trusts it with modules.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import marshal
import os
import sys
from pathlib import Path

import jinja2
import jinja2.bccache


class CompiledTemplates(jinja2.BytecodeCache):
    """``label`` tells environments of different options apart."""

    def __init__(self, templates: Path, label: str) -> None:
        self._folder, self._label = templates / "__pycache__", label

    def load_bytecode(self, bucket: jinja2.bccache.Bucket) -> None:
        """Fill the bucket, if what is there was made of the same source by the same Jinja and Python."""
        with contextlib.suppress(OSError):
            head, _, code = self._path(bucket).read_bytes().partition(b"\n")
            if head == self._head(bucket, code):
                bucket.code = marshal.loads(code)

    def dump_bytecode(self, bucket: jinja2.bccache.Bucket) -> None:
        """Keep the bucket, where the folder may be written."""
        if sys.dont_write_bytecode:
            return
        path, code = self._path(bucket), marshal.dumps(bucket.code)
        temporary = path.with_name(f"{path.name}.{os.getpid()}")
        with contextlib.suppress(OSError):
            self._folder.mkdir(exist_ok=True)
            temporary.write_bytes(self._head(bucket, code) + b"\n" + code)
            os.replace(temporary, path)

    def _path(self, bucket: jinja2.bccache.Bucket) -> Path:
        return self._folder / f"{self._label}-{bucket.key}.{sys.implementation.cache_tag}.pyc"

    @staticmethod
    def _head(bucket: jinja2.bccache.Bucket, code: bytes) -> bytes:
        of = f"{jinja2.__version__} {importlib.util.MAGIC_NUMBER.hex()} {sys.flags.optimize} {bucket.checksum}".encode()
        return hashlib.sha256(of + b"\0" + code).hexdigest().encode()
