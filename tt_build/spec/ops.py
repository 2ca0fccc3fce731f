"""``ops.yaml``: the ops of a repository, as data. An op may use those above it, so that none can use itself."""

from __future__ import annotations

import re
from pathlib import Path as FilePath

from tt_build.lang.ops import height, signature_of, walk
from tt_build.lang.parse import expression_text, parse_expression
from tt_build.lang.signatures import SIGNATURES, Signature
from tt_build.lang.syntax import Attribute, Binary, Call, Expr, Name, SyntaxProblem, Tuple
from tt_build.spec import schedules
from tt_build.spec.document import Mapping, Node, Scalar, Sequence
from tt_build.spec.fields import Fields, Path
from tt_build.spec.model import OpSpec, SfpuSpec, SourceText
from tt_build.spec.nearest import did_you_mean, nearest, plural
from tt_build.spec.texts import Texts, Unusable
from tt_build.targets.dtypes import DTYPES

VERSION = 1
FILE_KEYS = ("version", "ops")
KEYS = ("description", "operands", "parameters", "define", "dtypes", "sfpu", "reference", "ulp", "absolute")
WITH_SFPU = ("sfpu", "reference", "ulp", "absolute", "dtypes")
SFPU_KEYS = ("header", "init", "call", "words", "scratch")
PRECISIONS = ("bfloat16", "float32")
MOST_OPS = 500
MOST_OPERANDS = 8
MOST_SFPU_OPERANDS = 3
MOST_SCRATCH = 2
MOST_WORDS = 16
MOST_HEIGHT = 40
MOST_ULP = 1e6
FLOATS = tuple(name for name, dtype in DTYPES.items() if dtype.is_float)

_CPP_NAME = re.compile(r"[A-Za-z_]\w{0,127}\Z", re.ASCII)
_RECIPROCAL = re.compile(r"1(?:\.0)?\s*/\s*(\w+)\Z", re.ASCII)


class OpsReader:
    """Reads one file; ``fields`` has its problems, ``texts`` the headers that were read."""

    def __init__(self, file: int, folder: FilePath) -> None:
        self.fields = Fields(file)
        self.texts = Texts(folder)
        self.ops: dict[str, OpSpec] = {}
        self.heights: dict[str, int] = {}
        self.refused: set[str] = set()

    def read(self, root: Node) -> dict[str, OpSpec]:
        """The valid ops by name, in file order."""
        fields = self.fields
        entries = fields.mapping(root, (), FILE_KEYS, FILE_KEYS, "write 'version: 1' and 'ops:'") or {}
        if "version" in entries:
            number = fields.integer(entries["version"], ("version",), -(2**31), 2**31)
            if number not in (None, VERSION):
                help_ = f"this tt-build reads version {VERSION}; write 'version: {VERSION}'"
                fields.error("TTB028", f"version {number} of {FILE_KEYS[1]} is unknown", ("version",), help_)
        if "ops" not in entries:
            return self.ops
        named = fields.named(entries["ops"], ("ops",), "op")
        for at, (name, node) in enumerate(named.items()):
            if at == MOST_OPS:
                fields.error("TTB034", f"more than {MOST_OPS} ops", ("ops", name), "declare fewer", key=True)
                break
            op = self.op(name, node)
            if op is None:
                self.refused.add(name)
            else:
                self.ops[name] = op
        return self.ops

    def op(self, name: str, node: Node) -> OpSpec | None:
        """One op; None where something is wrong with it."""
        fields, path, before = self.fields, ("ops", name), len(self.fields.problems)
        if name in SIGNATURES:
            message = f"'{name}' is a function of the language"
            fields.error("TTB041", message, path, "use another name: what it means stays what it is", key=True)
        help_ = "write {operands: [x], define: x * sigmoid(x)}"
        entries = fields.mapping(node, path, KEYS, ("operands",), help_)
        if entries is None:
            return None
        if "description" in entries:
            fields.text(entries["description"], (*path, "description"))
        incomplete = isinstance(node, Mapping) and (node.incomplete or not node.entries.keys() <= entries.keys())
        if not self.one_meaning(entries, path, incomplete=incomplete):
            return None
        with_sfpu = "sfpu" in entries
        operands = self.operands(entries, path, MOST_SFPU_OPERANDS if with_sfpu else MOST_OPERANDS)
        parameters = self.parameters(entries["parameters"], (*path, "parameters")) if "parameters" in entries else {}
        for both in set(operands) & set(parameters):
            message = f"'{both}' is an operand and a parameter"
            fields.error("TTB041", message, (*path, "parameters", both), "rename one of the two", key=True)
        key = "reference" if with_sfpu else "define"
        meaning = self.meaning(entries[key], (*path, key), operands, parameters) if key in entries else ""
        if meaning and with_sfpu:
            self.elementwise_only(meaning, (*path, key))
        dtypes = self.dtypes(entries["dtypes"], (*path, "dtypes")) if "dtypes" in entries else FLOATS
        sfpu = self.sfpu(entries, path, parameters) if with_sfpu else None
        if len(fields.problems) > before or not meaning:
            return None
        return OpSpec(
            operands=operands, parameters=parameters, meaning=meaning, dtypes=dtypes if with_sfpu else (), sfpu=sfpu
        )

    def one_meaning(self, entries: dict[str, Node], path: Path, *, incomplete: bool) -> bool:
        """Whether an op is either a definition or C++ with all that belongs to it."""
        if "define" in entries:
            for key in WITH_SFPU:
                if key in entries:
                    message = f"an op has 'define', or 'sfpu' with its 'reference': '{key}' is for the latter"
                    self.fields.error("TTB041", message, (*path, key), "remove one of the two", key=True)
                    return False
            return True
        if "sfpu" not in entries:
            if not incomplete:
                help_ = "add 'define: EXPRESSION', or 'sfpu', 'reference' and 'ulp'"
                self.fields.error("TTB007", f"'{path[-1]}' has no 'define'", path, help_, key=True)
            return False
        for key in ("reference", "ulp"):
            if key not in entries and not incomplete:
                what = {"reference": "what it is compared with", "ulp": "how far a right result may be off"}[key]
                self.fields.error("TTB007", f"'{path[-1]}' has no '{key}': {what}", path, f"add '{key}: ...'", key=True)
        return True

    def operands(self, entries: dict[str, Node], path: Path, most: int) -> tuple[str, ...]:
        """Their names."""
        if "operands" not in entries:
            return ()
        place = (*path, "operands")
        items = self.fields.items(entries["operands"], place, f"a list of 1 to {most} names", range(1, most + 1))
        found: list[str] = []
        for at, item in enumerate(items or ()):
            name = self.fields.text(item, (*place, at), "a name")
            if name is None or not isinstance(item, Scalar):
                continue
            if not self.fields.name(name, item, (*place, at), "operand"):
                continue
            if name in found:
                self.fields.error("TTB041", f"the operand '{name}' is there twice", (*place, at), "rename one of them")
            found.append(name)
        return tuple(found)

    def parameters(self, node: Node, path: Path) -> dict[str, float | None]:
        """Their defaults; None where a call must give the number."""
        found: dict[str, float | None] = {}
        for name, value in self.fields.named(node, path, "parameter").items():
            if isinstance(value, Scalar) and value.value == "required":
                found[name] = None
                continue
            number = self.fields.number(value, (*path, name), -3.4e38, 3.4e38)
            if number is not None:
                found[name] = number
        return found

    def dtypes(self, node: Node, path: Path) -> tuple[str, ...]:
        """Those on which the C++ works."""
        items = self.fields.items(node, path, "a list of dtypes", range(1, len(DTYPES) + 1))
        found = [schedules.dtype(self.fields, item, (*path, at)) for at, item in enumerate(items or ())]
        return tuple(dict.fromkeys(dtype for dtype in found if dtype is not None))

    # Expressions

    def meaning(self, node: Node, path: Path, operands: tuple[str, ...], parameters: dict[str, float | None]) -> str:
        """The canonical text of an expression over operands and parameters; empty where it is none."""
        text = self.fields.text(node, path, "an expression")
        if text is None:
            return ""
        tree = parse_expression(text)
        if isinstance(tree, SyntaxProblem):
            place = (tree.start, tree.end)
            self.fields.error(tree.code, tree.message, path, tree.help, span=place, fix=tree.fix)
            return ""
        before, read = len(self.fields.problems), self.checked(tree, path, (*operands, *parameters))
        for name in (*operands, *parameters):
            if name not in read and len(self.fields.problems) == before:
                self.fields.error("TTB041", f"'{name}' is never used", path, "use it, or remove it", key=True)
                return ""
        deep = height(tree, self.heights)
        if deep > MOST_HEIGHT:
            message = f"{deep} operations deep, with the ops that it uses: more than {MOST_HEIGHT}"
            self.fields.error("TTB034", message, path, "define it in parts that use each other less deeply")
        self.heights[str(path[1])] = deep
        if any(isinstance(node, Call) and node.function in self.refused for node in walk(tree)):
            return ""  # it was reported there
        return "" if len(self.fields.problems) > before else expression_text(tree)

    def checked(self, tree: Expr, path: Path, known: tuple[str, ...]) -> set[str]:
        """The names that an expression reads; unknown names and calls that cannot be right are reported."""
        read: set[str] = set()
        words = {id(dtype) for node in walk(tree) if isinstance(node, Call) for dtype in _dtype_words(node)}
        for node in walk(tree):
            if isinstance(node, Name) and id(node) not in words:
                read.add(node.id)
                if node.id not in known:
                    help_ = did_you_mean(node.id, known, what="operands and parameters")
                    message = f"unknown name '{node.id}'"
                    self.fields.error("TTB012", message, path, help_, span=(node.start, node.end))
            elif isinstance(node, Call):
                self.callable(node, path)
        return read

    def callable(self, node: Call, path: Path) -> None:
        """Reports a call of what is not there, or with more or fewer arguments than it takes."""
        name, place = node.function, (node.start, node.name_end)
        signature: Signature | None = SIGNATURES.get(name)
        if signature is None and name in self.ops:
            signature = signature_of(name, self.ops[name])
        if signature is None:
            if name not in self.refused:
                near = nearest(name, [*SIGNATURES, *self.ops])
                help_ = "an op may use those that are defined above it" if name == path[1] else ""
                help_ = help_ or (f"did you mean '{near}'?" if near else "ops that it uses are defined above it")
                self.fields.error("TTB013", f"unknown function '{name}'", path, help_, span=place)
            return
        names = [param.name for param in signature.params]
        wrong = next((word for word in node.keywords if word.name not in names), None)
        if wrong is not None:
            message = f"'{name}' has no argument '{wrong.name}'"
            span = (wrong.start, wrong.start + len(wrong.name))
            self.fields.error("TTB017", message, path, f"write {signature}", span=span)
        elif not signature.operands <= len(node.args) <= signature.operands + len(names):
            message = f"'{name}' takes {plural(signature.operands, 'operand')}, not {len(node.args)}"
            self.fields.error("TTB017", message, path, f"write {signature}", span=(node.start, node.end))

    def elementwise_only(self, text: str, path: Path) -> None:
        """Reports a reference that does not go element by element, as the C++ of an op does."""
        tree = parse_expression(text)
        assert not isinstance(tree, SyntaxProblem)
        for node in walk(tree):
            name = ""
            if isinstance(node, Call) and node.function in SIGNATURES:
                name = node.function if SIGNATURES[node.function].kind not in ("elementwise", "cast") else ""
            elif isinstance(node, (Binary, Attribute)):
                name = (
                    "@" if isinstance(node, Binary) and node.op == "@" else ".T" if isinstance(node, Attribute) else ""
                )
            elif isinstance(node, Call) and node.function in self.ops and self.ops[node.function].sfpu is None:
                self.elementwise_only(self.ops[node.function].meaning, path)
            if name:
                help_ = "an op with C++ goes element by element; write an op with 'define' around it"
                self.fields.error("TTB041", f"the reference of an op with 'sfpu' has no '{name}'", path, help_)
                return

    # C++

    def sfpu(self, entries: dict[str, Node], path: Path, parameters: dict[str, float | None]) -> SfpuSpec | None:
        """The C++ of an op, and how exact it is."""
        fields, place = self.fields, (*path, "sfpu")
        help_ = "write {header: NAME.h, init: NAME_init, call: NAME}"
        parts = fields.mapping(entries["sfpu"], place, SFPU_KEYS, ("header", "init", "call"), help_)
        ulp = self.ulp(entries["ulp"], (*path, "ulp")) if "ulp" in entries else None
        absolute: float | None = 0.0
        if "absolute" in entries:
            absolute = fields.number(entries["absolute"], (*path, "absolute"), 0.0, 3.4e38)
        if parts is None:
            return None
        header = self.header(parts["header"], (*place, "header")) if "header" in parts else None
        init, call = (
            self.function(parts[key], (*place, key), header) if key in parts else None for key in ("init", "call")
        )
        words = self.words(parts["words"], (*place, "words"), parameters) if "words" in parts else ()
        if "words" not in parts and parameters:
            message = f"'{path[1]}' has parameters, and its C++ is given none"
            fields.error("TTB041", message, place, f"add words: [{', '.join(parameters)}]", key=True)
        scratch: int | None = 0
        if "scratch" in parts:
            scratch = fields.integer(parts["scratch"], (*place, "scratch"), 0, MOST_SCRATCH)
        if header is None or init is None or call is None or ulp is None or scratch is None or absolute is None:
            return None
        return SfpuSpec(header=header, init=init, call=call, words=words, scratch=scratch, ulp=ulp, absolute=absolute)

    def header(self, node: Node, path: Path) -> SourceText | None:
        """The header's text, with those that it includes."""
        name = self.fields.text(node, path, "a path")
        if name is None:
            return None
        try:
            return SourceText(path=name, text=self.texts.header(name))
        except Unusable as problem:
            self.fields.error("TTB038", str(problem), path, problem.help.replace("this file's folder", "the folder"))
            return None

    def function(self, node: Node, path: Path, header: SourceText | None) -> str | None:
        """The name of a function that the header has."""
        name = self.fields.text(node, path, "the name of a function")
        if name is None:
            return None
        if not _CPP_NAME.match(name):
            help_ = "write a name only; template arguments belong into the header"
            self.fields.error("TTB041", f"'{name[:60]}' is not the name of a C++ function", path, help_)
        elif header is not None and not re.search(rf"\b{name}\b\s*\(", header.text):
            message = f"'{header.path}' has no function '{name}'"
            self.fields.error("TTB041", message, path, f"write 'ALWI void {name}(...)' there, or correct the name")
        else:
            return name
        return None

    def words(self, node: Node, path: Path, parameters: dict[str, float | None]) -> tuple[str, ...]:
        """What the call is given after its slots: a parameter's float bits, or those of its reciprocal."""
        if not isinstance(node, Sequence):
            self.fields.wrong_type(node, path, "a list of parameters", "write [p], or [1 / p]")
            return ()
        if not self.fields.few(node, path, MOST_WORDS):
            return ()
        found: list[str] = []
        for at, item in enumerate(node.items):
            text = self.fields.text(item, (*path, at), "a parameter")
            if text is None:
                continue
            inverse = _RECIPROCAL.match(text)
            name = inverse[1] if inverse else text
            if name not in parameters:
                help_ = did_you_mean(name, parameters, what="parameters") or "declare it under 'parameters'"
                self.fields.error("TTB041", f"there is no parameter '{name[:60]}'", (*path, at), help_)
            else:
                found.append(f"{'f32bits_recip' if inverse else 'f32bits'}:{name}")
        for name in parameters:
            if not any(word.endswith(f":{name}") for word in found) and len(found) == len(node.items):
                self.fields.error("TTB041", f"the parameter '{name}' is not among the words", path, "add it", key=True)
        return tuple(found)

    def ulp(self, node: Node, path: Path) -> tuple[float, float] | None:
        """Units in the last place for a DST of 16 and of 32 bits."""
        if isinstance(node, Mapping):
            entries = self.fields.mapping(node, path, PRECISIONS, PRECISIONS) or {}
            found = [self.fields.number(value, (*path, name), 0.0, MOST_ULP) for name, value in entries.items()]
            both = dict(zip(entries, found, strict=True))
            bfloat16, float32 = both.get("bfloat16"), both.get("float32")
            return None if bfloat16 is None or float32 is None else (bfloat16, float32)
        number = self.fields.number(node, path, 0.0, MOST_ULP)
        return None if number is None else (number, number)


def _dtype_words(node: Call) -> list[Expr]:
    """The arguments of a call that are words of the language, not names: dtypes of casts, axes in parentheses."""
    if node.function != "cast":
        return []
    named = [word.value for word in node.keywords if word.name == "dtype"]
    return [arg for arg in (*node.args[1:2], *named) if not isinstance(arg, Tuple)]
