"""The JSON Schema of kernels.yaml (draft-07), for editors: built from the same words that the loader checks.

The loader does not run it: its own checks give better messages in less time. A test keeps ``kernels.schema.json`` equal
to ``build()``, and another that both accept and reject the same files as far as a schema can say.
"""

from __future__ import annotations

from importlib import resources
from typing import Any

from tt_build.spec.fields import RESERVED
from tt_build.spec.handwritten import KEYS, MOST_PAGES, REQUIRED, ROLES, WORDS
from tt_build.spec.loader import VERSION
from tt_build.spec.program_parts import MOST_STEPS
from tt_build.spec.program_reader import REQUIRED as PROGRAM_REQUIRED
from tt_build.spec.program_reader import VERIFY_KEYS
from tt_build.spec.schedules import ALGORITHMS, FIDELITIES, LARGEST, LAYOUTS, MOST_CORES, ORDERS, POLICIES
from tt_build.spec.variants import VARIED
from tt_build.targets import DTYPES, available_archs

Schema = dict[str, Any]

NAME = "^(?!(?:" + "|".join(sorted(RESERVED)) + ")$)[A-Za-z_][A-Za-z0-9_]{0,62}$"
_EXPRESSION = "^[^\\n]*[A-Za-z(][^\\n]*$"


def schema_text() -> str:
    """The schema that is shipped, as ``tt-build schema`` prints it."""
    return (resources.files("tt_build.spec") / "kernels.schema.json").read_text(encoding="utf-8")


def build() -> Schema:
    """The schema."""
    kernel = _kernel()
    definitions = {**_definitions(), "kernel": kernel, "handwritten": _handwritten(kernel), "program": _program(kernel)}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": "https://tt-build.dev/kernels.schema.json",
        "title": "kernels.yaml",
        "description": "Kernels for Tenstorrent accelerators, and how they are scheduled and sharded.",
        **_object(
            {
                "version": {"const": VERSION, "description": "Version of the language."},
                "include": {
                    "type": "array",
                    "items": {"type": "string", "minLength": 1},
                    "description": "Files of the same form; paths and patterns stay below this file's folder.",
                    "examples": [["library/*.yaml"]],
                },
                "extensions": {
                    "type": "string",
                    "minLength": 1,
                    "description": "A folder with ops.yaml and templates of the repository's own; main file only.",
                    "examples": ["ops"],
                },
                "target": _ref("target"),
                "defaults": _ref("defaults"),
                "policies": _ref("policies"),
                "kernels": {
                    "type": "object",
                    "description": "The kernels by name.",
                    "propertyNames": {"pattern": "^[a-z][a-z0-9_]{0,62}$"},
                    "additionalProperties": {
                        "if": {"type": "object", "required": ["sources"]},
                        "then": _ref("handwritten"),
                        "else": _ref("kernel"),
                    },
                },
                "programs": {
                    "type": "object",
                    "description": "Programs by name: kernels that run one after the other.",
                    "propertyNames": {"pattern": "^[a-z][a-z0-9_]{0,62}$"},
                    "additionalProperties": _ref("program"),
                },
            },
            required=["version"],
        ),
        "definitions": definitions,
    }


def _object(properties: Schema, *, required: list[str] | None = None, description: str = "") -> Schema:
    made: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    if required:
        made["required"] = required
    if description:
        made["description"] = description
    return made


def _ref(name: str) -> Schema:
    return {"$ref": f"#/definitions/{name}"}


def _enum(words: tuple[str, ...], description: str, default: str | None = None) -> Schema:
    made: Schema = {"enum": list(words), "description": description}
    if default is not None:
        made["default"] = default
    return made


def _integer(low: int, high: int, description: str) -> Schema:
    return {"type": "integer", "minimum": low, "maximum": high, "description": description}


def _pair(item: Schema, description: str, *, longest: int = 2, examples: list[Any] | None = None) -> Schema:
    made: Schema = {"type": "array", "items": item, "minItems": 2, "maxItems": longest, "description": description}
    if examples:
        made["examples"] = examples
    return made


def _size(low: int, high: int) -> Schema:
    """An integer, or arithmetic on the kernel's sizes."""
    return {"anyOf": [{"type": "integer", "minimum": low, "maximum": high}, {"type": "string", "pattern": _EXPRESSION}]}


def _named(values: Schema, description: str, **more: Any) -> Schema:
    return {
        "type": "object",
        "propertyNames": {"pattern": NAME},
        "additionalProperties": values,
        "description": description,
        **more,
    }


def _definitions() -> Schema:
    core = {"type": "integer", "minimum": 1, "maximum": MOST_CORES}
    origin = {"type": "integer", "minimum": 0, "maximum": MOST_CORES}
    size = {"type": "integer", "minimum": 1, "maximum": LARGEST}
    return {
        "target": _object(
            {
                "arch": _enum(available_archs(), "The architecture.", "wormhole_b0"),
                "grid": _pair(core, "Worker cores, columns and rows; default: the whole chip.", examples=[[8, 8]]),
            },
            description="What is built for: a kernel's own over the command line over the file's, key by key.",
        ),
        "dtype": _enum(tuple(DTYPES), "Element type.", "bfloat16"),
        "scheduleMapping": _object(
            {
                "policy": _enum(POLICIES, "How positions are handed to cores.", "contiguous"),
                "order": _enum(ORDERS, "In which order output blocks are visited.", "row_major"),
                "cores": {
                    "description": "The cores in use; default: the target's grid.",
                    "anyOf": [
                        _pair(core, "Columns and rows, from core [0, 0]."),
                        _object(
                            {"at": _pair(origin, "First core, x and y."), "size": _pair(core, "Columns and rows.")},
                            required=["size"],
                        ),
                    ],
                },
                "matmul": _object(
                    {
                        "algorithm": _enum(ALGORITHMS, "The matmul algorithm.", "auto"),
                        "block": _pair(size, "Output block of a core, rows and columns, in elements."),
                        "k_block": {**size, "description": "Elements of the inner dimension per step."},
                        "k_split": _integer(1, MOST_CORES, "Cores that share the inner dimension of a block."),
                        "subblock": _pair(size, "Subblock within DST, rows and columns, in elements."),
                        "noc": _integer(0, 1, "The NoC that reads the first operand."),
                        "depth": _integer(1, 64, "Blocks that a circular buffer holds."),
                        "linked": {
                            "type": "boolean",
                            "description": "Whether a multicast and the word behind it keep the path that they share.",
                        },
                        "order": _enum(ORDERS, "Order of super-blocks."),
                    },
                    description="How a matmul is computed; what is left out is the planner's choice.",
                ),
            },
        ),
        "schedule": {
            "description": "The name of a policy, or a mapping.",
            "anyOf": [{"type": "string", "minLength": 1}, _ref("scheduleMapping")],
            "examples": [{"policy": "strided"}, {"matmul": {"algorithm": "streaming"}}],
        },
        "sharding": _object(
            {
                "memory": _enum(("l1", "dram"), "Where the shards lie."),
                "sharding": _enum(("height", "width", "block"), "How the tensor is cut."),
                "grid": _pair(_size(1, MOST_CORES), "Cores (or [banks, 1]), columns and rows.", examples=[[2, 2]]),
                "shard": _pair(_size(1, LARGEST), "Rows and columns of a shard, in elements.", examples=[[64, 64]]),
                "order": _enum(ORDERS[:2], "Order of the shards over the cores.", "row_major"),
            },
            required=["memory", "sharding"],
        ),
        "layout": {
            "description": f"{', '.join(LAYOUTS)}, the name of a policy, or a sharding.",
            "anyOf": [{"type": "string", "minLength": 1}, _ref("sharding")],
            "default": LAYOUTS[0],
            "examples": [*LAYOUTS, {"memory": "l1", "sharding": "block", "grid": [2, 2]}],
        },
        "math": _object(
            {
                "fidelity": _enum(FIDELITIES, "Passes of the matrix engine.", "HiFi4"),
                "fp32_accumulate": {"type": "boolean", "description": "DST holds float32.", "default": True},
                "approximate": {"type": "boolean", "description": "Fast variants of functions.", "default": False},
            },
            description="Precision of the arithmetic.",
        ),
        "defaults": _object(
            {
                "dtype": _ref("dtype"),
                "tile": {"const": [32, 32], "description": "Rows and columns of a tile.", "default": [32, 32]},
                "layout": _ref("layout"),
                "schedule": _ref("schedule"),
                "math": _ref("math"),
            },
            description="What a kernel of this file gets where it says nothing itself, key by key.",
        ),
        "policies": _object(
            {
                "schedule": _named(_ref("scheduleMapping"), "Schedules by name."),
                "layout": _named(_ref("sharding"), "Layouts by name."),
            },
            description="Named policies, global to all files.",
        ),
        "tensor": _object(
            {
                "shape": {
                    "type": "array",
                    "items": _size(1, LARGEST),
                    "minItems": 1,
                    "maxItems": 4,
                    "description": "1 to 4 sizes: integers, names of sizes, arithmetic on them.",
                    "examples": [["M", "K"], [1, "N"]],
                },
                "dtype": _ref("dtype"),
                "layout": _ref("layout"),
                "format": _enum(("tile", "row_major"), "How elements lie in memory.", "tile"),
            },
            required=["shape"],
        ),
    }


def _kernel() -> Schema:
    runtime = _object(
        {"runtime": _enum(("float32", "int32", "uint32"), "Given at launch, of this type.")}, required=["runtime"]
    )
    scalar = {"anyOf": [{"type": "number", "minimum": -3.4e38, "maximum": 3.4e38}, runtime]}
    count = {"type": "integer", "minimum": 1, "maximum": LARGEST}
    return _object(
        {
            "description": {"type": "string", "description": "What the kernel is for."},
            "sizes": _named(
                {"type": "integer", "minimum": 0, "maximum": LARGEST},
                "Named integers for shapes, grids, blocks and compute.",
                examples=[{"M": 256, "N": 256}],
            ),
            "scalars": _named(scalar, "Named numbers for compute.", examples=[{"eps": 1e-5}]),
            "inputs": _named(_ref("tensor"), "The tensors that are read.", minProperties=1),
            "outputs": _named(_ref("tensor"), "The tensors that are written.", minProperties=1),
            "compute": {
                "type": "string",
                "minLength": 1,
                "description": "Assignments, one a line; every output is assigned exactly once.",
                "examples": ["C = A @ B", "h = X @ W + b\nY = gelu(h)"],
            },
            "grid": _pair(_size(1, LARGEST), "Points of the iteration space: [gx, gy] or [gx, gy, gz].", longest=3),
            "block": _pair(_size(1, LARGEST), "Rows and columns of the output that a point computes, in elements."),
            "schedule": _ref("schedule"),
            "math": _ref("math"),
            "verify": _object(
                {
                    "pcc": {"type": "number", "minimum": -1, "maximum": 1, "description": "Least correlation."},
                    "rtol": {"type": "number", "minimum": 0, "maximum": 3.4e38, "description": "Relative tolerance."},
                    "atol": {"type": "number", "minimum": 0, "maximum": 3.4e38, "description": "Absolute tolerance."},
                    "seed": _integer(0, 2**32 - 1, "Seed of the inputs."),
                    "inputs": _enum(("normal", "uniform", "ones"), "What the inputs hold.", "normal"),
                    "sizes": _named(count, "A smaller shape of the same structure."),
                },
                description="How the kernel is verified, where the defaults do not fit.",
            ),
            "target": _ref("target"),
            "allow": {
                "type": "array",
                "items": {"type": "string", "pattern": "^TTB[0-9]{3}$"},
                "description": "Codes of warnings that are accepted here.",
                "examples": [["TTB101"]],
            },
            "variants": {
                "type": "object",
                "minProperties": 1,
                "additionalProperties": {
                    "anyOf": [
                        {"type": "array", "minItems": 1, "items": {"type": ["integer", "number", "string", "boolean"]}},
                        {"type": "object", "minProperties": 1, "propertyNames": {"pattern": "^[A-Za-z0-9_]{1,63}$"}},
                    ]
                },
                "description": "One kernel for each member of the product: from a size or key to a list of values, or "
                f"to a mapping from labels to values. Keys: names of sizes, {', '.join(VARIED)}.",
                "examples": [{"M": [32, 64]}, {"schedule": {"fast": {"policy": "strided"}, "plain": {}}}],
            },
        },
        required=["inputs", "outputs", "compute"],
        description="One kernel.",
    )


def _program(kernel: Schema) -> Schema:
    name = {"type": "string", "pattern": NAME}
    text = {"type": "string", "minLength": 1}
    wires = {"type": "object", "additionalProperties": name}
    verify = kernel["properties"]["verify"]["properties"]
    step = {
        "oneOf": [{"required": ["kernel"]}, {"required": ["program"]}],
        **_object(
            {
                "kernel": {**text, "description": "The kernel, with its variant."},
                "program": {**text, "description": "A program that is declared before this one, in place of a kernel."},
                "inputs": {**wires, "description": "Each input of the kernel, and the program's tensor it reads."},
                "outputs": {**wires, "description": "Each output of the kernel, and the program's tensor it writes."},
                "scalars": _named(
                    {"type": "number", "minimum": -3.4e38, "maximum": 3.4e38}, "Values of its run-time scalars."
                ),
            },
            required=["inputs", "outputs"],
            description="One launch.",
        ),
    }

    def names(description: str) -> Schema:
        return {"type": "array", "items": name, "minItems": 1, "description": description}

    return _object(
        {
            "description": {"type": "string", "description": "What the program is for."},
            "inputs": {**names("The tensors that it is given, in the order of arguments."), "examples": [["x", "w"]]},
            "outputs": {**names("The tensors that it gives, in the order of results."), "examples": [["y"]]},
            "steps": {
                "type": "array",
                "items": step,
                "minItems": 1,
                "maxItems": MOST_STEPS,
                "description": "The launches, in their order.",
                "examples": [[{"kernel": "gemm", "inputs": {"A": "x", "B": "w"}, "outputs": {"C": "y"}}]],
            },
            "keep": _named(
                _ref("layout"),
                "Tensors between two steps that stay in L1, and how they lie there.",
                examples=[{"h": "l1_interleaved"}],
            ),
            "verify": _object(
                {key: verify[key] for key in VERIFY_KEYS},
                description="How the program is verified, where the defaults do not fit.",
            ),
        },
        required=list(PROGRAM_REQUIRED),
        description="Kernels that run one after the other, with the tensors between them.",
    )


def _handwritten(kernel: Schema) -> Schema:
    path = {"type": "string", "minLength": 1}
    word = {"anyOf": [{"enum": list(WORDS)}, _size(0, LARGEST)]}
    added: Schema = {
        "sources": _object(
            {role: {**path, "description": f"The {role}: a file below this file's folder."} for role in ROLES},
            required=list(ROLES),
            description="The sources, in place of compute.",
        ),
        "circular_buffers": _named(
            {
                "oneOf": [{"required": ["of"]}, {"required": ["dtype"]}],
                **_object(
                    {
                        "of": {"type": "string", "minLength": 1, "description": "The tensor whose dtype it has."},
                        "dtype": _ref("dtype"),
                        "pages": {**_size(1, MOST_PAGES), "description": "Its length in tiles."},
                        "unpack_to_dest": {
                            "type": "boolean",
                            "description": "float32 goes to DST as it is.",
                            "default": False,
                        },
                    },
                    required=["pages"],
                ),
            },
            "Circular buffers; ids count up in this order.",
            minProperties=1,
            examples=[{"cb_x": {"of": "X", "pages": 2}}],
        ),
        "arguments": _object(
            {
                role: {"type": "array", "items": word, "description": f"Runtime arguments of the {role}."}
                for role in ROLES
            },
            description=f"Words of the schedule ({', '.join(WORDS)}) and sizes, after the addresses of the tensors.",
        ),
        "reference": {
            "type": "string",
            "minLength": 1,
            "description": "What verify compares with, in the language of compute.",
            "examples": ["Y = X.T"],
        },
    }
    shared = {key: value for key, value in kernel["properties"].items() if key in KEYS}
    return _object({key: {**shared, **added}[key] for key in KEYS}, required=list(REQUIRED), description="Sources.")
