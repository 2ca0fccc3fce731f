"""The JSON Schema of ``ops.yaml`` (draft-07), for editors; the loader's own checks (``spec.ops``) say more.

A test keeps ``ops.schema.json`` equal to ``build()``.
"""

from __future__ import annotations

from importlib import resources
from typing import Any

from tt_build.spec.ops import MOST_OPERANDS, MOST_SCRATCH, MOST_ULP, PRECISIONS, VERSION
from tt_build.spec.schema import NAME
from tt_build.targets import DTYPES

Schema = dict[str, Any]


def schema_text() -> str:
    """The schema that is shipped, as ``tt-build schema --ops`` prints it."""
    return (resources.files("tt_build.spec") / "ops.schema.json").read_text(encoding="utf-8")


def build() -> Schema:
    """The schema."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": "https://tt-build.dev/ops.schema.json",
        "title": "ops.yaml",
        "description": "Ops of a repository's own, which kernels use like functions of the language.",
        "type": "object",
        "properties": {
            "version": {"const": VERSION, "description": "Version of this form."},
            "ops": {
                "type": "object",
                "propertyNames": {"pattern": NAME},
                "additionalProperties": _op(),
                "description": "The ops by name; an op may use those above it.",
            },
        },
        "required": ["version", "ops"],
        "additionalProperties": False,
    }


def _op() -> Schema:
    text = {"type": "string", "minLength": 1}
    number = {"type": "number", "minimum": 0, "maximum": MOST_ULP}
    properties: Schema = {
        "description": {"type": "string", "description": "What it is, for readers."},
        "operands": {
            "type": "array",
            "items": {"type": "string", "pattern": NAME},
            "minItems": 1,
            "maxItems": MOST_OPERANDS,
            "description": "Names of the tensors that it takes; at most three with sfpu.",
            "examples": [["x"], ["x", "gate"]],
        },
        "parameters": {
            "type": "object",
            "propertyNames": {"pattern": NAME},
            "additionalProperties": {"anyOf": [{"type": "number"}, {"const": "required"}]},
            "description": "Numbers by name, after the operands: a default, or 'required'.",
            "examples": [{"cap": 30.0}],
        },
        "define": {**text, "description": "What a call stands for, in the language of compute."},
        "sfpu": {
            "type": "object",
            "properties": {
                "header": {**text, "description": "A file of the folder with the functions."},
                "init": {**text, "description": "The function without arguments that sets the engine up."},
                "call": {**text, "description": "The function of DST slots: operands, out, scratch, words."},
                "words": {
                    "type": "array",
                    "items": text,
                    "description": "Float bits that the call takes last: parameters, or 1 / parameter.",
                    "examples": [["1 / cap", "cap"]],
                },
                "scratch": {
                    "type": "integer",
                    "minimum": 0,
                    "maximum": MOST_SCRATCH,
                    "default": 0,
                    "description": "DST slots that the call writes beside its result.",
                },
            },
            "required": ["header", "init", "call"],
            "additionalProperties": False,
            "description": "C++ for the vector engine, in place of define.",
        },
        "reference": {**text, "description": "What the C++ is compared with, element by element."},
        "ulp": {
            "anyOf": [
                number,
                {
                    "type": "object",
                    "properties": dict.fromkeys(PRECISIONS, number),
                    "required": list(PRECISIONS),
                    "additionalProperties": False,
                },
            ],
            "description": "How far a right result may be off, in units in the last place of DST (16 and 32 bits).",
            "examples": [2, {"bfloat16": 2, "float32": 40}],
        },
        "absolute": {"type": "number", "minimum": 0, "description": "How far beside that.", "default": 0},
        "dtypes": {
            "type": "array",
            "items": {"enum": list(DTYPES)},
            "minItems": 1,
            "description": "Those on which the C++ works; left out: all floats.",
        },
    }
    return {
        "type": "object",
        "properties": properties,
        "required": ["operands"],
        "additionalProperties": False,
        "oneOf": [{"required": ["define"]}, {"required": ["sfpu", "reference", "ulp"]}],
        "description": "One op: a definition, or C++ with what it is compared with.",
    }
