"""The shipped schema: equal to what is built, valid draft-07, and of one opinion with the loader."""

from __future__ import annotations

import copy
import json
import random
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

import tt_build.spec.schema as schema_module
from tt_build.spec import ops_schema
from tt_build.spec.document import Mapping, Node, Scalar, Sequence, read_document
from tt_build.spec.loader import load_file
from tt_build.spec.schema import build, schema_text

SHIPPED = Path(schema_module.__file__).with_name("kernels.schema.json")
FOLDER = Path(__file__).parent.parent / "diagnostics"

# What a schema can say: types, keys, words, names.
SCHEMA_CODES = {"TTB005", "TTB006", "TTB007", "TTB008", "TTB009", "TTB023", "TTB028", "TTB031"}

DOCUMENT: dict[str, Any] = {
    "version": 1,
    "target": {"arch": "wormhole_b0", "grid": [8, 8]},
    "defaults": {
        "dtype": "bfloat16",
        "tile": [32, 32],
        "layout": "dram_interleaved",
        "schedule": {"policy": "contiguous", "order": "row_major"},
        "math": {"fidelity": "HiFi4", "fp32_accumulate": True, "approximate": False},
    },
    "policies": {
        "schedule": {"quarter": {"policy": "rectangular", "cores": {"at": [0, 0], "size": [4, 4]}}},
        "layout": {"rows": {"memory": "l1", "sharding": "height", "grid": [1, 8], "order": "row_major"}},
    },
    "kernels": {
        "gemm": {
            "description": "a matmul",
            "sizes": {"M": 256, "N": 256, "K": 256},
            "scalars": {"alpha": 0.5, "beta": {"runtime": "float32"}},
            "inputs": {"A": {"shape": ["M", "K"], "layout": "rows"}, "B": {"shape": ["K", "N"], "format": "tile"}},
            "outputs": {"C": {"shape": ["M", "N"], "dtype": "float32"}},
            "compute": "C = A @ B * alpha + beta",
            "block": [32, 32],
            "grid": ["N // 32", 8],
            "schedule": {
                "matmul": {"algorithm": "streaming", "noc": 0, "k_block": 64, "linked": False},
                "cores": [4, 4],
            },
            "verify": {"pcc": 0.99, "rtol": 0.01, "seed": 7, "inputs": "normal", "sizes": {"M": 64}},
            "math": {"fidelity": "LoFi"},
            "target": {"arch": "blackhole"},
            "allow": ["TTB101"],
        },
        "square": {
            "scalars": {"beta": {"runtime": "float32"}},
            "inputs": {"A": {"shape": [64, 64]}, "B": {"shape": [64, 64]}},
            "outputs": {"C": {"shape": [64, 64]}},
            "compute": "C = A @ B * beta",
        },
    },
    "programs": {
        "twice": {
            "description": "two matmuls",
            "inputs": ["x", "w"],
            "steps": [
                {"kernel": "square", "inputs": {"A": "x", "B": "w"}, "outputs": {"C": "h"}, "scalars": {"beta": 1}},
                {"kernel": "square", "inputs": {"A": "h", "B": "w"}, "outputs": {"C": "y"}, "scalars": {"beta": 0.5}},
            ],
            "outputs": ["y"],
            "keep": {"h": {"memory": "l1", "sharding": "block", "grid": [2, 2]}},
            "verify": {"pcc": 0.99, "seed": 1, "inputs": "uniform"},
        },
        "again": {
            "inputs": ["x", "w"],
            "steps": [{"program": "twice", "inputs": {"x": "x", "w": "w"}, "outputs": {"y": "y"}}],
            "outputs": ["y"],
        },
    },
}


def test_shipped_schema_is_the_built_one(update_goldens: bool) -> None:
    text = json.dumps(build(), indent=2) + "\n"
    if update_goldens:
        SHIPPED.write_text(text)
    assert schema_text() == text


def test_shipped_schema_is_draft_07() -> None:
    jsonschema.Draft7Validator.check_schema(build())
    texts = json.dumps(build())
    assert texts.count('"description"') >= 60


def plain(node: Node | None) -> Any:
    """What a YAML 1.2 tool such as yaml-language-server makes of a node."""
    if isinstance(node, Mapping):
        return {key: plain(value) for key, (_, value) in node.entries.items()}
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    assert isinstance(node, Scalar)
    text = node.value
    if not node.plain:
        return text
    if re.fullmatch(r"[-+]?[0-9]+", text):
        return int(text)
    if re.fullmatch(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", text):
        return float(text)
    return {"true": True, "false": False, "null": None, "~": None, "": None}.get(text, text)


def says_schema(text: str) -> bool:
    return bool(jsonschema.Draft7Validator(build()).is_valid(plain(read_document(text).root)))


def says_loader(text: str, tmp_path: Path) -> set[str]:
    path = tmp_path / "kernels.yaml"
    path.write_text(text)
    return {e.diagnostic.code for e in load_file(path).diagnostics if e.diagnostic.severity == "error"}


def test_both_accept_the_document(tmp_path: Path) -> None:
    text = json.dumps(DOCUMENT)
    assert says_schema(text)
    assert says_loader(text, tmp_path) == set()


# No tree of plain values, or values that YAML versions read differently.
UNREAD = ("TTB001", "TTB002", "TTB003", "TTB004", "TTB007_empty", "TTB010_comma", "TTB024", "TTB034", "TTB036")
REFUSED_TOO = ("TTB030_no_label", "TTB039_compute_and_sources", "TTB051_kernel_and_program")
ACCEPTED = ("TTB023_cast", "TTB008_argument_word", "TTB008_buffer_tensor", "TTB007_op_without_meaning")
READ = [
    path for path in sorted(FOLDER.glob("*.yaml")) if not path.stem.startswith(UNREAD) and "lockfile" not in path.stem
]


@pytest.mark.parametrize("path", READ, ids=lambda path: path.stem)
def test_schema_refuses_what_a_schema_can_see(path: Path) -> None:
    """A file whose only fault is beyond a schema is valid to the schema; the others are not."""
    seen = path.stem.split("_")[0] in SCHEMA_CODES or path.stem in REFUSED_TOO
    assert says_schema(path.read_text()) != (seen and path.stem not in ACCEPTED)


VALUES = [
    None,
    True,
    0,
    -1,
    1,
    3,
    2**40,
    0.5,
    "",
    "x",
    "M",
    "64",
    "a b",
    [],
    [1],
    [1, 2],
    [1, 2, 3, 4, 5],
    {},
    {"a": 1},
]


def mutated(seed: int) -> dict[str, Any]:
    """The document with one value replaced, one key added, or one key removed."""
    rng = random.Random(seed)
    document = copy.deepcopy(DOCUMENT)
    places: list[tuple[Any, Any]] = []

    def walk(node: Any) -> None:
        entries = node.items() if isinstance(node, dict) else enumerate(node)
        for key, value in entries:
            places.append((node, key))
            if isinstance(value, (dict, list)):
                walk(value)

    walk(document)
    owner, key = rng.choice(places)
    kind = rng.random()
    if kind < 0.7:
        owner[key] = copy.deepcopy(rng.choice(VALUES))
    elif kind < 0.85 and isinstance(owner, dict):
        del owner[key]
    elif isinstance(owner, dict):
        owner[rng.choice(["extra", "Shape", "1x", "if", "layout"])] = copy.deepcopy(rng.choice(VALUES))
    return document


def test_both_judge_mutations_alike(tmp_path: Path) -> None:
    refused = 0
    for seed in range(400):
        text = json.dumps(mutated(seed))
        codes = says_loader(text, tmp_path)
        valid = says_schema(text)
        refused += not valid
        if not valid:
            assert codes, f"seed {seed}: only the schema refuses {text}"
        if codes & SCHEMA_CODES:
            assert not valid, f"seed {seed}: only the loader refuses, with {codes}: {text}"
    assert refused > 100


def test_shipped_schema_of_ops_is_the_built_one(update_goldens: bool) -> None:
    shipped = SHIPPED.with_name("ops.schema.json")
    text = json.dumps(ops_schema.build(), indent=2) + "\n"
    if update_goldens:
        shipped.write_text(text)
    assert ops_schema.schema_text() == text
    jsonschema.Draft7Validator.check_schema(ops_schema.build())


@pytest.mark.parametrize("path", sorted(FOLDER.glob("extensions/*/ops.yaml")), ids=lambda path: path.parent.name)
def test_the_schema_of_ops_and_the_loader_agree(path: Path) -> None:
    code = path.parent.name.split("_")[0]
    valid = jsonschema.Draft7Validator(ops_schema.build()).is_valid(yaml.safe_load(path.read_text()))
    if code in SCHEMA_CODES:
        assert not valid
    elif "two_meanings" not in path.parent.name:
        assert valid


def test_the_example_of_ops_has_the_form_of_the_schema() -> None:
    example = FOLDER.parent.parent / "examples" / "extensions" / "ops" / "ops.yaml"
    jsonschema.validate(yaml.safe_load(example.read_text()), ops_schema.build())
