"""Coverage-guided fuzzing with atheris: ``python -m tests.spec.fuzz loader|compute|ops [libFuzzer options] [corpus]``.

``loader`` reads any bytes as kernels.yaml, renders every message in every format, and compares what the loader accepts
with the JSON Schema. ``compute`` reads any text as the compute of a kernel with a few tensors, ``ops`` any bytes as the
ops.yaml of a specification that calls one of them. An exception is a finding, and so is an input that takes longer than
``-timeout``.
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

from tt_build.spec import ops_schema
from tt_build.spec.schema import build

FOLDER = Path(tempfile.mkdtemp(prefix="tt-build-fuzz-"))
PATH = FOLDER / "kernels.yaml"
SCHEMA = jsonschema.Draft7Validator(build())
OPS_SCHEMA = jsonschema.Draft7Validator(ops_schema.build())
OPS_MAIN = json.dumps(
    {
        "version": 1,
        "extensions": "ops",
        "kernels": {
            "k": {"inputs": {"X": {"shape": [32, 32]}}, "outputs": {"Y": {"shape": [32, 32]}}, "compute": "Y = f(X)"}
        },
    }
).encode()


def read(data: bytes) -> SpecFile:
    """Load the bytes; every message must be printable in every format, and nothing may appear beside the file."""
    before = {PATH.name, *(path.name for path in FOLDER.iterdir())}
    PATH.write_bytes(data)
    spec = load_file(PATH)
    names = tuple(declaration.kernel.name for declaration in spec.declarations)
    report = Report(spec.diagnostics, names, spec.source, FOLDER)
    for text in (write(report) for write in FORMATS.values()):
        text.encode()
    assert {path.name for path in FOLDER.iterdir()} == before
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


def ops(data: bytes) -> None:
    """Any ops.yaml."""
    folder = FOLDER / "ops"
    folder.mkdir(exist_ok=True)
    (folder / "f.h").write_text("ALWI void f_init() {}\nALWI void f_tile(uint32_t d) {}\n")
    (folder / "ops.yaml").write_bytes(data)
    if not read(OPS_MAIN).errors:
        OPS_SCHEMA.validate(json.loads(json.dumps(yaml.safe_load(data.decode("utf-8-sig")))))


if __name__ == "__main__":
    target = {"loader": loader, "compute": compute, "ops": ops}[sys.argv.pop(1)]
    atheris.Setup(sys.argv, target)
    atheris.Fuzz()
