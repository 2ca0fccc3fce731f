"""The registry of diagnostic codes: every code that tt-build can print, and the page of the catalogue about it.

0xx: the file, the schema, the language. 1xx: warnings. 2xx: cannot be lowered (yet). 3xx: resources of the chip.
4xx: internal consistency (``verify_ir``).
"""

from __future__ import annotations

import msgspec

from tt_build.spec.codes_lowering import register
from tt_build.spec.codes_programs import register as register_programs


class CodeInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One code. ``warning`` where it does not stop a build; ``example`` is text of a kernels.yaml."""

    title: str
    what: str
    why: str
    example: str
    mend: str
    warning: bool = False


CODES: dict[str, CodeInfo] = {}


def _code(code: str, title: str, *, what: str, why: str, example: str, mend: str, warning: bool = False) -> None:
    CODES[code] = CodeInfo(title=title, what=what, why=why, example=example, mend=mend, warning=warning)


_code(
    "TTB001",
    "The file is not valid YAML",
    what="The text cannot be read as YAML: a bracket or quote is open, a tab indents a line.",
    why="Nothing after such a place can be trusted, so reading of this file stops there.",
    example="sizes: {M: 256, N: 256",
    mend="Repair the place that the caret shows; often the cause is just before it.",
)
_code(
    "TTB002",
    "A key is there twice",
    what="A mapping has the same key two times.",
    why="YAML readers silently keep one of the two; which one differs.",
    example="sizes: {M: 256, M: 128}",
    mend="Remove one of them, or rename it.",
)
_code(
    "TTB003",
    "Anchors, aliases, merge keys and tags are not allowed",
    what="The file uses `&name`, `*name`, `<<:` or `!tag`.",
    why="They make one text mean different things to different tools, and small files expand to huge ones.",
    example="schedule: *fast",
    mend="Write the value out, or define a named policy under `policies` and refer to it by name.",
)
_code(
    "TTB004",
    "An unquoted value is something else to YAML",
    what="A word in a text field is a boolean, number, date or time to YAML 1.1 (`no`, `010`, `12:30`, `2024-01-01`).",
    why="Tools that read the same file disagree about it.",
    example="description: no",
    mend='Quote it: `description: "no"`. In a number field write a plain decimal number.',
)
_code(
    "TTB005",
    "A value has the wrong type",
    what="A field wants a list, a mapping, a number or text and has something else.",
    why="Nothing is guessed or converted.",
    example="shape: 256",
    mend="Write what the message asks for; quotes make text, no quotes make a number.",
)
_code(
    "TTB006",
    "An unknown key",
    what="A mapping has a key that the language does not know.",
    why="A misspelt key that is ignored is a kernel that silently differs from what was meant.",
    example="input: {A: {shape: [32, 32]}}",
    mend="Take the nearest known key that the message names.",
)
_code(
    "TTB007",
    "A required key is missing",
    what="A mapping lacks a key that it must have, or the file is empty.",
    why="There is no sensible default for it.",
    example="kernels: {k: {inputs: {A: {shape: [32, 32]}}, compute: C = A + 1}}",
    mend="Add the key.",
)
_code(
    "TTB008",
    "An unknown word",
    what="A field that takes one of a few words has another one.",
    why="Only the words of the reference have a meaning.",
    example="schedule: {policy: continuous}",
    mend="Take the nearest known word that the message names.",
)
_code(
    "TTB009",
    "A name that cannot be one",
    what="The name of a kernel, tensor, size, scalar or policy has characters that names cannot have.",
    why="Names become folders, SCons targets and identifiers.",
    example="kernels: {Gemm-1: ...}",
    mend="Kernels: `^[a-z][a-z0-9_]{0,62}$`. Tensors, sizes, scalars, policies: letters, digits, underscores.",
)
_code(
    "TTB010",
    "An expression of sizes that cannot be computed",
    what="An expression of sizes has an unknown size, an operator that sizes do not have, or a division by zero.",
    why="Shapes are integers that are known at build time.",
    example="shape: [M, K / 2]",
    mend="Sizes know `+ - * //`, `ceildiv(a, b)`, `min`, `max`. Inside `[ ]` quote an expression that has a comma.",
)
_code(
    "TTB011",
    "compute cannot be read",
    what="A line of `compute` is no assignment of an expression of the language.",
    why="The text is parsed, never run: only what the reference lists exists.",
    example="compute: C = A if A > 0 else B",
    mend="The help names the form to write instead, here `where(A > 0, A, B)`.",
)
_code(
    "TTB012",
    "An unknown name in compute",
    what="An expression reads a name that is no input, size, scalar or earlier assignment.",
    why="Every name must have a value where it is read.",
    example="compute: C = A + bias",
    mend="Correct the name, declare it under `inputs`, or move its assignment up.",
)
_code(
    "TTB013",
    "An unknown function",
    what="`compute` calls a function that does not exist.",
    why="Only functions that the hardware path implements are in the language.",
    example="compute: C = gleu(A)",
    mend="Take the function that the help names.",
)
_code(
    "TTB014",
    "A matmul whose inner dimensions differ",
    what="In `A @ B` the last dimension of A is not the second to last of B.",
    why="Each element of the result is a sum over that dimension.",
    example="inputs: {X: {shape: [512, 512]}, W: {shape: [256, 1024]}}\ncompute: Y = X @ W",
    mend="Change the size that the help names, or transpose a side with `.T`.",
)
_code(
    "TTB015",
    "Shapes that do not broadcast",
    what="Two operands have different sizes on an axis, and neither is 1.",
    why="The rules are NumPy's: axes are compared from the last one.",
    example="inputs: {A: {shape: [64, 96]}, b: {shape: [64]}}\ncompute: C = A + b",
    mend="Declare a column as `[64, 1]` and a row as `[1, 96]` or `[96]`.",
)
_code(
    "TTB016",
    "dtypes that do not mix",
    what="Integers meet floats, or two different integer types; or a value is stored in an output of the other kind.",
    why="There is no implicit conversion between them: it would hide a rounding.",
    example="inputs: {A: {shape: [32, 32], dtype: int32}}\ncompute: C = A * 0.5",
    mend="Write `cast(x, float32)` where the conversion is meant.",
)
_code(
    "TTB017",
    "A call that does not fit the function",
    what="A function has too few or too many arguments, an unknown one, or one that must be a number and is not.",
    why="Every function has one form; parameters are numbers that are known at build time.",
    example="compute: Y = sum(X)",
    mend="Write the form that the help shows, here `sum(X, axis=-1)`.",
)
_code(
    "TTB018",
    "An output's shape is not that of its value",
    what="The shape declared for an output differs from the shape of the expression assigned to it.",
    why="Outputs are neither broadcast nor reshaped.",
    example="outputs: {C: {shape: [32, 64]}}\ncompute: C = sum(A, axis=-1)",
    mend="Declare the shape that the help shows. Reductions keep their axis with size 1.",
)
_code(
    "TTB019",
    "An output without a value",
    what="An output is declared and `compute` never assigns it.",
    why="Its memory would hold anything.",
    example="outputs: {C: {shape: [32, 32]}}\ncompute: D = A + 1",
    mend="Assign it, exactly once.",
)
_code(
    "TTB020",
    "A second assignment",
    what="A name is assigned twice, or it is the name of an input, size or scalar.",
    why="A name stands for one value; the order of lines then never changes a meaning.",
    example="compute: |\n  h = A + 1\n  h = h * 2",
    mend="Use a new name for the second value.",
)
_code(
    "TTB021",
    "An operand without rows and columns",
    what="`@`, `.T` or `causal` is applied to a tensor of rank 1 or to a number.",
    why="`.T` swaps the last two axes, `@` contracts them: there must be two.",
    example="inputs: {x: {shape: [64]}}\ncompute: Y = A @ x",
    mend="Declare the tensor with two dimensions, `[64, 1]` or `[1, 64]`.",
)
_code(
    "TTB022",
    "Not defined on that kind of number",
    what="A division, a matmul, a mean or a function of floats is applied to integers, or one of integers to floats.",
    why="Nothing is converted silently.",
    example="inputs: {A: {shape: [32, 32], dtype: int32}}\ncompute: C = exp(A)",
    mend="Write `cast(x, float32)` or `cast(x, int32)` first.",
)
_code(
    "TTB023",
    "An unknown dtype",
    what="A dtype is none of bfloat16, float32, bfloat8_b, bfloat4_b, int32, uint32, uint16.",
    why="These are the element types that the SDK's tensors have; float16 is not among them.",
    example="inputs: {A: {shape: [32, 32], dtype: float16}}",
    mend="Take the dtype that the help names.",
)
_code(
    "TTB024",
    "The file cannot be read",
    what="The file is missing, a folder, too large, or not UTF-8 text.",
    why="A specification is a text file of at most 16 MiB.",
    example="tt-build validate missing.yaml",
    mend="Correct the path, or save the file as UTF-8.",
)
_code(
    "TTB025",
    "A path of include that leads nowhere or outside",
    what="An entry of `include` matches no file, leads out of the file's folder, or includes itself.",
    why="A specification is the folder that it lives in: a build never reads beyond it.",
    example="include: [../other/*.yaml]",
    mend="Write a path below the folder of the file, as in `library/*.yaml`.",
)
_code(
    "TTB026",
    "An unknown policy or layout",
    what="A schedule or a layout refers to a name that no file defines.",
    why="Named policies are defined under `policies`.",
    example="schedule: stripe",
    mend="Correct the name, define it, or write the mapping itself.",
)
_code(
    "TTB027",
    "A policy is defined twice",
    what="Two files, or one, define a policy under the same name.",
    why="Policies are global: a name means one thing in all files.",
    example="policies: {layout: {dram_interleaved: {memory: l1, sharding: height}}}",
    mend="Rename one of the two.",
)
_code(
    "TTB028",
    "An unknown version of the language",
    what="`version` is not one that this tt-build reads.",
    why="A newer file may mean something that this version does not know.",
    example="version: 2",
    mend="Install a newer tt-build, or write the version that the help names.",
)
_code(
    "TTB029",
    "A name is taken",
    what="Two kernels have one name, or a name in a kernel stands for two things.",
    why="A name means one thing.",
    example="sizes: {A: 32}\ninputs: {A: {shape: [32, 32]}}",
    mend="Rename one of the two.",
)
_code(
    "TTB030",
    "variants that cannot be expanded",
    what="A key of `variants` is no size or key of the kernel, a value needs a label, or two members get one name.",
    why="Every member of the family needs a name of its own.",
    example="variants: {schedule: [{policy: strided}]}",
    mend="Write a mapping from labels to values: `schedule: {fast: {policy: strided}}`.",
)
_code(
    "TTB031",
    "An unknown architecture",
    what="`target: {arch: ...}` names a chip that this installation does not know.",
    why="Architectures are data files; each has its own cores, banks and memory.",
    example="target: {arch: grayskull}",
    mend="Take one of the architectures that the help lists.",
)
_code(
    "TTB032",
    "A core grid that the chip does not have",
    what="The target's grid is wider or higher than the worker cores of its architecture.",
    why="Cores outside do not exist.",
    example="target: {arch: wormhole_b0, grid: [12, 10]}",
    mend="Write a grid within the one that the help names, or leave it out.",
)
_code(
    "TTB033",
    "An axis or a range that the tensor does not have",
    what="An axis, a permutation or a slice lies outside the tensor, or a reduction names a leading axis.",
    why="Reductions go along rows (-1), columns (-2) or both; everything else must exist.",
    example="compute: Y = sum(X, axis=0)",
    mend="Count axes from the end: -1 is the last, -2 the one before.",
)
_code(
    "TTB034",
    "Too deep or too large",
    what="YAML is nested more than 20 deep, or an expression has more than 100 levels or 10,000 words.",
    why="Reading a file takes bounded time and memory, whatever is in it.",
    example="[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]",
    mend="Give a part of the expression a name on a line of its own.",
)
_code(
    "TTB035",
    "A block that is no multiple of a tile",
    what="`block` has a size that 32 does not divide.",
    why="The hardware computes on tiles of 32 x 32.",
    example="block: [48, 64]",
    mend="Write a multiple of 32.",
)
_code(
    "TTB036",
    "A number out of range",
    what="A number is too large, too small, not finite, or does not fit its dtype.",
    why="What cannot be represented is refused instead of wrapped.",
    example="inputs: {A: {shape: [0, 32]}}",
    mend="Write a number in the range that the help names.",
)
_code(
    "TTB037",
    "Outputs that do not share a space",
    what="Two outputs of a kernel have shapes that are neither equal nor reduced forms of one another.",
    why="One kernel walks one iteration space, that of its largest output.",
    example="outputs: {C: {shape: [32, 64]}, D: {shape: [64, 32]}}",
    mend="Make two kernels.",
)
_code(
    "TTB038",
    "A source cannot be used",
    what="A path below `sources`, or of a header that a source includes, names no text file below the file's folder.",
    why="Everything that a kernel is made of is part of its digest; nothing outside the folder is read.",
    example="sources: {reader: ../reader.cpp, compute: compute.cpp, writer: writer.cpp}",
    mend='Move the file below the folder. Headers of the SDK are written `"api/..."` or `<...>`.',
)
_code(
    "TTB039",
    "An expression and sources",
    what="A kernel has both `compute` and `sources`.",
    why="One of the two would be ignored.",
    example="compute: Y = X.T\nsources: {reader: reader.cpp, compute: compute.cpp, writer: writer.cpp}",
    mend="Remove one; the expression that hand-written sources are compared with is called `reference`.",
)
_code(
    "TTB040",
    "The folder of extensions cannot be used",
    what="`extensions` names no folder below that of the main file, or one without `ops.yaml` and `templates/`.",
    why="What a kernel is made of must be there wherever the repository is checked out.",
    example="extensions: ../ops",
    mend="Name a folder beside the main file that has `ops.yaml` or `templates/` in it.",
)
_code(
    "TTB041",
    "An op of a repository's own is not well defined",
    what="An entry of `ops.yaml` contradicts itself: a taken name, a definition and C++, a word that is no parameter.",
    why="What an op means must be clear before a kernel uses it; what the language's own names mean stays as it is.",
    example="ops: {tanh: {operands: [x], define: x / (1 + abs(x))}}",
    mend="Do what the message says; the page on extensions shows an op of each kind.",
)
_code(
    "TTB042",
    "A template of a repository's own cannot be used",
    what="A file below `templates/` is no Jinja2, replaces nothing, or went beyond its limits while it was rendered.",
    why="Templates are rendered in a sandbox with bounded work, so that a build ends and reads nothing else.",
    example="templates/compute.cpp.j2: {% for i in range(10) %}",
    mend="Start from the package's template of that name, which `tt-build templates NAME` prints.",
)
_code(
    "TTB101",
    "An input that is never used",
    what="An input is declared and `compute` does not read it.",
    why="It would be passed to the device for nothing; often a name is misspelt.",
    example="inputs: {A: {shape: [32, 32]}, B: {shape: [32, 32]}}\ncompute: C = A + 1",
    mend="Remove it, use it, or accept it with `allow: [TTB101]`.",
    warning=True,
)
_code(
    "TTB102",
    "A scalar that is never used",
    what="A scalar is declared and `compute` does not read it.",
    why="Often a name is misspelt.",
    example="scalars: {alpha: 2}\ncompute: C = A + 1",
    mend="Remove it, use it, or accept it with `allow: [TTB102]`.",
    warning=True,
)
_code(
    "TTB103",
    "A value that is never read",
    what="A line of `compute` assigns a name that is no output and that no line reads.",
    why="It is not computed; often a name is misspelt.",
    example="compute: |\n  h = A * 2\n  C = A + 1",
    mend="Remove the line, use the name, or accept it with `allow: [TTB103]`.",
    warning=True,
)
_code(
    "TTB104",
    "An accepted warning that is not there",
    what="`allow` lists a warning that this kernel does not have.",
    why="A stale entry would hide the warning when it comes back.",
    example="allow: [TTB101]",
    mend="Remove the code from the list.",
    warning=True,
)
_code(
    "TTB105",
    "A locked plan that fits no declaration",
    what="The lockfile holds a plan that was tuned for another declaration of this kernel (its shapes, dtypes, "
    "layouts, schedule, math or target changed since), or for a kernel that is not there.",
    why="The plan was best for something else. The planner chooses, so the kernel's plan may have changed.",
    example="sizes: {M: 512}   # was 256 when `tt-build tune` ran",
    mend="Run `tt-build tune KERNEL`, remove the entry, or accept it with `allow: [TTB105]`.",
    warning=True,
)
_code(
    "TTB106",
    "The planner would choose another plan now",
    what="A locked plan is followed, and what the planner itself chooses for the same declaration is not what it chose "
    "when the plan was locked: tt-build was upgraded.",
    why="The new choice may be better than the locked plan; a plan never changes silently.",
    example="tt-build of another version",
    mend="Run `tt-build tune KERNEL` to compare them, or keep the plan with `allow: [TTB106]`.",
    warning=True,
)
_code(
    "TTB107",
    "An infinity in a block-float format",
    what="A value that `causal` filled with minus infinity is rounded to a block-float format, in an output or a cast.",
    why="Sixteen elements of a row share one exponent there, so that an infinity leaves nothing of its neighbours.",
    example="outputs: {Y: {shape: [64, 64], dtype: bfloat8_b}}\ncompute: Y = causal(S)",
    mend="Use bfloat16, put `causal` inside the softmax, or accept it with `allow: [TTB107]`.",
    warning=True,
)
_code(
    "TTB108",
    "A file without kernels",
    what="The file has neither `kernels` nor `programs`, includes no others and has no policies for those that include "
    "it.",
    why="Nothing is built from it; often `kernels:` was forgotten.",
    example="version: 1",
    mend="Write `kernels:` with the kernels below it, or `include:` with the files that have them.",
    warning=True,
)
_code(
    "TTB109",
    "A float32 that is rounded before it becomes an integer",
    what="A float32 value is cast to uint16 in a kernel whose DST is 16 bits wide, since the kernel computes on uint16 "
    "or says `fp32_accumulate: false`.",
    why="Such a DST holds floats as bfloat16, which has 8 bits: whole numbers above 256 lose their last ones before "
    "the cast.",
    example="inputs: {X: {shape: [32, 32], dtype: float32}, I: {shape: [32, 32], dtype: uint16}}\n"
    "compute: N = cast(X, uint16) + I",
    mend="Compute on int32 and cast to uint16 last, as in `cast(cast(X, int32) + cast(I, int32), uint16)`, make two "
    "kernels, or accept it with `allow: [TTB109]`.",
    warning=True,
)
register(_code)
register_programs(_code)
