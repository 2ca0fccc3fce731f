"""Coverage-guided fuzzing with atheris: ``python -m tests.spec.fuzz loader|compute [libFuzzer options] [corpus]``.

``loader`` reads any bytes as kernels.yaml, renders every message in every format, and compares what the loader accepts
with the JSON Schema. ``compute`` reads any text as the compute of a kernel with a few tensors. An exception is a
finding, and so is an input that takes longer than ``-timeout``.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["tt_build.spec", "tt_build.lang"]):
    from tt_build.spec.formats import FORMATS, Report
    from tt_build.spec.loader import SpecFile, load_file

import jsonschema
import yaml

from tt_build.spec.schema import build

FOLDER = Path(tempfile.mkdtemp(prefix="tt-build-fuzz-"))
PATH = FOLDER / "kernels.yaml"
SCHEMA = jsonschema.Draft7Validator(build())


def read(data: bytes) -> SpecFile:
    """Load the bytes; every message must be printable in every format, and nothing may appear beside the file."""
    PATH.write_bytes(data)
    spec = load_file(PATH)
    names = tuple(declaration.kernel.name for declaration in spec.declarations)
    report = Report(spec.diagnostics, names, spec.source, FOLDER)
    for text in (write(report) for write in FORMATS.values()):
        text.encode()
    assert [path.name for path in FOLDER.iterdir()] == ["kernels.yaml"]
    return spec


def loader(data: bytes) -> None:
    """Any file."""
    spec = read(data)
    if not spec.errors and not any(file.root is None for file in spec.source.files):
        SCHEMA.validate(json.loads(json.dumps(yaml.safe_load(data.decode("utf-8-sig")))))


def compute(data: bytes) -> None:
    """Any compute."""
    text = data.decode("utf-8", "replace")
    inputs = {"A": {"shape": [64, 96]}, "B": {"shape": [96, 32]}, "r": {"shape": [1, 96]}, "s": {"shape": [1]}}
    kernel = {"sizes": {"M": 64}, "inputs": inputs, "outputs": {"Y": {"shape": [64, 96]}}, "compute": text}
    spec = read(json.dumps({"version": 1, "kernels": {"k": kernel}}).encode())
    for declaration in spec.declarations:  # the canonical text means the same
        again = {**kernel, "compute": declaration.kernel.compute}
        (second,) = read(json.dumps({"version": 1, "kernels": {"k": again}}).encode()).declarations
        assert second.kernel.compute == declaration.kernel.compute


if __name__ == "__main__":
    target = {"loader": loader, "compute": compute}[sys.argv.pop(1)]
    atheris.Setup(sys.argv, target)
    atheris.Fuzz()
