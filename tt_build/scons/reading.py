"""kernels.yaml read by items: the text of a kernel unchanged, its digest is known and it is not parsed.

The loader (``tt_build.spec.loader``) stays the only reader of the language. A whole load notes, for each kernel, the
digest of its text and of the declarations that came of it, once it is sure of the split: the lines where the items
begin are those where the loader found the kernels. After an edit, a text of head, changed items and tail goes through
the same loader. Wherever anything is unusual, or is to be reported, the whole file does, so that every diagnostic is
the loader's own.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tt_build.spec.listing import mark_of

if TYPE_CHECKING:
    from tt_build.spec.loader import SpecFile
    from tt_build.spec.model import Declared, Locked
    from tt_build.spec.program import ProgramDeclaration

PROGRAM = "program"
"""The kind of what is no kernel: a sequence of them."""

_ITEM = re.compile(r"  ([A-Za-z_][A-Za-z0-9_]*):(?:[ \n]|\Z)")
_UNUSUAL = re.compile(r"[\r\x85\u2028\u2029\ufeff]|^(?:---|\.\.\.|%)|^(?:include|programs)\b", re.MULTILINE)


class Reading:
    """One specification of one ``TTKernels`` call.

    ``digests`` maps each valid kernel, then each valid program, to the digest of its declaration, in file order;
    ``failed`` names what is rejected, ``text`` holds the loader's messages (also warnings), ``templates`` a
    repository's own by name. Texts that the loader read for hand-written kernels and ops are noted beside included
    files: a build in which one changed loads the whole file. So does one in which the lockfile changed; ``locked``
    names the kernels that have an entry there.
    """

    def __init__(self, source: Path, arch: str | None, grid: tuple[int, int] | None, loader: str, noted: Any) -> None:
        self.source, self._arch, self._grid = source, arch, grid
        self._wish = f"{arch} {grid} {loader}"
        self._whole: SpecFile | None = None
        self._declared: dict[str, Declared] = {}
        self._programs: dict[str, ProgramDeclaration] = {}
        self._data: dict[str, bytes] = {}
        self._split: Split | None = None
        self.digests: dict[str, str] = {}
        self.templates: dict[str, str] = {}
        self.failed: list[str] = []
        self._kinds: dict[str, str] = {}
        self.locked: set[str] = set()
        self.text = ""
        self.changed = True
        self._note: dict[str, Any] | None = None
        self._text, self._mark = self._read()
        self._lock_mark = self._lock_bytes()
        told = isinstance(noted, dict) and (noted.get("wish"), noted.get("lock")) == (self._wish, self._lock_mark)
        if not told or self._text is None:
            self._load()
        elif noted["mark"] == self._mark and self._includes_stand(noted):
            self._note, self.changed = noted, False
            self.text = noted["text"]
            for _, kernels in noted["items"].values():
                self.digests.update(kernels)
            self._kinds.update(noted["kinds"])
            self.templates = noted["templates"]
            self.locked.update(noted["locked"])
        elif not self._advance(noted):
            self._load()

    # What the build asks

    def declarations(self, names: list[str]) -> dict[str, Declared]:
        """The declarations of these kernels; parses no more than their items where that is safe."""
        missing = [name for name in names if name not in self._declared]
        if missing and not self._parse_items_of(missing):
            self._load()
        return {name: self._declared[name] for name in names if name in self._declared}

    def program(self, name: str) -> ProgramDeclaration:
        """The program of that name."""
        if name not in self._programs:
            self._load()
        return self._programs[name]

    def data(self, name: str) -> bytes:
        """The stored form of a declaration: what the first step reads."""
        from tt_build.passes.pipeline import encode_declaration

        if name not in self._data:
            program = self.kind(name) == PROGRAM
            self._data[name] = encode_declaration(self.program(name) if program else self.declarations([name])[name])
        return self._data[name]

    def kind(self, name: str) -> str:
        """Which chain of passes a kernel goes through (``tt_build.passes.pipeline.CHAINS``), or ``PROGRAM``."""
        return self._kinds.get(name, "expression")

    @property
    def programs(self) -> list[str]:
        """The valid programs, in file order."""
        return [name for name in self.digests if self.kind(name) == PROGRAM]

    @property
    def templates_mark(self) -> str:
        """A digest of the repository's own templates; empty where it has none."""
        return _digest(repr(sorted(self.templates.items()))) if self.templates else ""

    def whole(self) -> SpecFile:
        """The specification as the loader reads it, with positions; for diagnostics."""
        if self._whole is None:
            self._load()
        assert self._whole is not None
        return self._whole

    def note(self) -> dict[str, Any] | None:
        """What the next build needs; None where nothing can be skipped (errors, several files)."""
        return self._note

    # How it is read

    def _read(self) -> tuple[str | None, str]:
        try:
            data = self.source.read_bytes()
            return data.decode("utf-8"), hashlib.sha256(data).hexdigest()
        except (OSError, UnicodeDecodeError):
            return None, ""

    def _lock_bytes(self) -> str:
        """The digest of the lockfile; empty where there is none, or it cannot be read."""
        try:
            with open(self.source.with_name(f"{self.source.stem}.lock.json"), "rb") as file:
                return hashlib.sha256(file.read()).hexdigest()
        except OSError:
            return ""

    def _includes_stand(self, noted: dict[str, Any]) -> bool:
        try:
            return all(mark_of(self.source.parent, path) == mark for path, mark in noted["others"])
        except OSError:
            return False

    def _load(self) -> None:
        from tt_build.spec.loader import load_file
        from tt_build.spec.render import report

        loaded = load_file(self.source, arch=self._arch, grid=self._grid)
        self._whole = loaded
        self.digests, self._declared, self._data, self._kinds, self.locked = {}, {}, {}, {}, set()
        for declaration in loaded.declarations:
            self._add(declaration)
        for program in loaded.sequences:
            self._add_program(program)
        self.templates = loaded.templates
        self.failed = list(loaded.rejected) or ([loaded.path.name] if loaded.errors else [])
        self.text = report([entry.diagnostic for entry in loaded.diagnostics], loaded.source)
        self.changed, self._note = True, None
        if not self.failed and self._unmoved():
            self._note = self._noted(loaded)

    def _unmoved(self) -> bool:
        """Whether the file is still the one whose digest was taken before it was loaded."""
        return self._text is not None and (self._read()[1], self._lock_bytes()) == (self._mark, self._lock_mark)

    def _add(self, declaration: Declared) -> str:
        from tt_build.passes.pipeline import EXPRESSION, encode_declaration, kind_of

        name = declaration.kernel.name
        data = encode_declaration(declaration)
        self._declared[name], self._data[name] = declaration, data
        self.digests[name] = hashlib.sha256(data).hexdigest()
        if kind_of(declaration) != EXPRESSION:
            self._kinds[name] = kind_of(declaration)
        elif getattr(declaration, "locked", None) is not None:
            self.locked.add(name)
        return name

    def _add_program(self, program: ProgramDeclaration) -> None:
        from tt_build.passes.pipeline import encode_declaration

        data = encode_declaration(program)
        self._programs[program.name], self._data[program.name] = program, data
        self.digests[program.name] = hashlib.sha256(data).hexdigest()
        self._kinds[program.name] = PROGRAM

    def _noted(self, loaded: SpecFile) -> dict[str, Any]:
        """Items with their digests where the split is that of the loader, else the whole file as one item."""
        assert self._text is not None
        files = loaded.source.files[1 : loaded.source.lock]
        others = []
        for file in files:
            others.append([self._relative(file.path), hashlib.sha256(file.path.read_bytes()).hexdigest()])
        others += [[self._relative(path), mark] for path, mark in loaded.source.texts.items()]
        others += [[name, mark_of(self.source.parent, name)] for name in map(self._relative, loaded.source.patterns)]
        note: dict[str, Any] = {
            "wish": self._wish,
            "mark": self._mark,
            "others": others,
            "text": self.text,
            "kinds": dict(sorted(self._kinds.items())),
            "templates": self.templates,
            "lock": self._lock_mark,
            "locked": sorted(self.locked),
            "frame": "",
        }
        split = None if others or self.text else split_items(self._text)
        if split is not None:
            owners: dict[int, dict[str, str]] = {}
            for name, place in loaded.source.kernels.items():
                if name in self.digests:
                    owners.setdefault(place.key.start.line, {})[name] = self.digests[name]
            if [line for line, _, _ in split.items] == sorted(owners):
                note["frame"] = split.frame
                note["items"] = {key: [_digest(text), owners[line]] for line, key, text in split.items}
                return note
        note["items"] = {"": ["", self.digests]}
        return note

    def _relative(self, path: Path) -> str:
        return os.path.relpath(path, self.source.parent)

    def _advance(self, noted: dict[str, Any]) -> bool:
        """Take unchanged items from the note and load the others; False where only the whole file will do."""
        split = split_items(self._text or "")
        if split is None or noted["frame"] != split.frame or not noted["frame"]:
            return False
        self._split = split
        old = noted["items"]
        items: dict[str, Any] = {}
        todo = []
        for _, key, text in split.items:
            mark = _digest(text)
            if key in old and old[key][0] == mark:
                items[key] = old[key]
            else:
                items[key] = [mark, {}]
                todo.append(key)
        loaded = self._load_items(todo) if todo else {}
        if loaded is None:
            return False
        for key in todo:
            items[key][1] = loaded[key]
        for _, kernels in items.values():
            self.digests.update(kernels)
        self.locked.update(name for name in noted["locked"] if name in self.digests and name not in self._declared)
        if self.locked != {*noted["locked"]}:
            return False  # an entry of the lockfile has lost its kernel: the loader has the message
        names = [name for _, kernels in items.values() for name in kernels]
        if len({name.casefold() for name in names}) != len(names):
            return False  # two kernels of one name: the loader has the message
        self._note = {**noted, "mark": self._mark, "items": items}
        return True

    def _parse_items_of(self, names: list[str]) -> bool:
        """Parse the items that declare these kernels; False where the whole file must be loaded."""
        if self._note is None or not self._note["frame"] or self._whole is not None:
            return False
        self._split = self._split or split_items(self._text or "")
        wanted = set(names)
        keys = [key for key, (_, kernels) in self._note["items"].items() if wanted & kernels.keys()]
        before = dict(self.digests)
        if self._split is None or self._load_items(keys) is None or self.digests != before:
            return False
        return wanted <= self._declared.keys()

    def _load_items(self, keys: list[str]) -> dict[str, dict[str, str]] | None:
        """Load a text of frame and these items; None where it says anything or is not what the split says."""
        import tempfile

        from tt_build.spec.loader import load_file

        assert self._split is not None
        locks = self._locks()
        if locks is None:
            return None
        wanted = set(keys)
        chosen = [(key, text) for _, key, text in self._split.items if key in wanted]
        head, tail = self._split.head, self._split.tail
        try:
            with tempfile.TemporaryDirectory(prefix="tt-build-", ignore_cleanup_errors=True) as folder:
                path = Path(folder) / self.source.name
                path.write_text(head + "".join(text for _, text in chosen) + tail, encoding="utf-8", newline="")
                loaded = load_file(path, arch=self._arch, grid=self._grid, locks=locks)
        except OSError:
            return None
        if loaded.diagnostics or loaded.rejected:
            return None
        line = head.count("\n")
        lines = {}
        for key, text in chosen:
            lines[line] = key
            line += text.count("\n")
        found: dict[str, dict[str, str]] = {key: {} for key, _ in chosen}
        for declaration in loaded.declarations:
            owner = lines.get(loaded.source.kernels[declaration.kernel.name].key.start.line)
            if owner is None:
                return None
            name = self._add(declaration)
            found[owner][name] = self.digests[name]
        return found if all(found.values()) else None

    def _locks(self) -> Mapping[str, Locked] | None:
        """The locked plans; None where the lockfile changed while it was read."""
        from tt_build.spec.lockfile import read_lock
        from tt_build.spec.positions import SourceMap

        lock = read_lock(self.source, SourceMap())
        return lock.plans if not lock.problems and self._lock_bytes() == self._lock_mark else None


class Split:
    """A specification cut into its kernels: ``items`` are (line of the key from 0, key, text)."""

    def __init__(self, head: str, items: list[tuple[int, str, str]], tail: str) -> None:
        self.head, self.items, self.tail = head, items, tail
        self.frame = _digest(head + "\0" + tail)


def split_items(text: str) -> Split | None:
    """Cut at the keys two columns in below ``kernels:``; None for a text with anything unusual in it."""
    lines = [line + "\n" for line in text.split("\n")]
    if lines.pop() != "\n":
        return None  # no final line break
    starts = [at for at, line in enumerate(lines) if line.startswith("kernels:")]
    if len(starts) != 1 or lines[starts[0]].split("#")[0].strip() != "kernels:" or _UNUSUAL.search(text):
        return None
    begin = starts[0] + 1
    end = next((at for at in range(begin, len(lines)) if lines[at][0] not in " \n#"), len(lines))
    cuts: list[tuple[int, str]] = []
    for at in range(begin, end):
        found = _ITEM.match(lines[at])
        if found:
            cuts.append((at, found[1]))
    if not cuts or len({key for _, key in cuts}) != len(cuts):
        return None
    items = []
    for (at, key), following in zip(cuts, [*[cut for cut, _ in cuts[1:]], end], strict=True):
        items.append((at, key, "".join(lines[at:following])))
    return Split("".join(lines[: cuts[0][0]]), items, "".join(lines[end:]))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
