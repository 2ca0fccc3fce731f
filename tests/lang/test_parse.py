"""The parser: Python's precedence, canonical text, bounded everything."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tt_build.lang.parse import MAX_DEPTH, canonical, expression_text, parse, parse_expression
from tt_build.lang.syntax import Attribute, Binary, Call, Expr, Name, Number, SyntaxProblem, Tuple, Unary

NAMES = st.sampled_from(["x", "W", "b_1"])


def expressions() -> st.SearchStrategy[str]:
    """Texts of random expressions, with odd spacing and parentheses."""
    atoms = NAMES | st.sampled_from(["1", "2.5", "1e-5", "0"])
    operators = st.sampled_from([" + ", "-", " *", "/ ", " @ ", "**", " <", ">="])

    def grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        return st.one_of(
            st.builds(lambda a, op, b: f"({a}){op}({b})", inner, operators, inner),
            st.builds(lambda a, op, b: f"{a}{op}({b})", atoms, operators, inner),
            st.builds(lambda a, op, b: f"({a} ){op}{b}", inner, operators, atoms),
            st.builds(lambda a: f"- ({a})", inner),
            st.builds(lambda a: f"( {a}).T", inner),
            st.builds(lambda a, b: f"f({a},k = {b} )", inner, inner),
        )

    return st.recursive(atoms, grow, max_leaves=12)


def shape_of(node: Expr | ast.expr) -> object:
    """The tree without positions, the same for ours and Python's."""
    if isinstance(node, (Name, ast.Name)):
        return node.id
    if isinstance(node, (Number, ast.Constant)):
        return node.value
    if isinstance(node, Binary):
        return (node.op, shape_of(node.left), shape_of(node.right))
    if isinstance(node, ast.BinOp):
        signs = {"Add": "+", "Sub": "-", "Mult": "*", "Div": "/", "MatMult": "@", "Pow": "**", "FloorDiv": "//"}
        return (signs[type(node.op).__name__], shape_of(node.left), shape_of(node.right))
    if isinstance(node, ast.Compare):
        signs = {"Lt": "<", "GtE": ">="}
        return (signs[type(node.ops[0]).__name__], shape_of(node.left), shape_of(node.comparators[0]))
    if isinstance(node, Unary):
        return (node.op, shape_of(node.operand))
    if isinstance(node, ast.UnaryOp):
        return ("-" if isinstance(node.op, ast.USub) else "+", shape_of(node.operand))
    if isinstance(node, Attribute):
        return (".", shape_of(node.operand), node.name)
    if isinstance(node, ast.Attribute):
        return (".", shape_of(node.value), node.attr)
    if isinstance(node, Tuple):
        return ("()", *map(shape_of, node.items))
    if isinstance(node, ast.Tuple):
        return ("()", *map(shape_of, node.elts))
    if isinstance(node, Call):
        keywords = [(keyword.name, shape_of(keyword.value)) for keyword in node.keywords]
        return (node.function, [*map(shape_of, node.args)], keywords)
    assert isinstance(node, ast.Call)
    assert isinstance(node.func, ast.Name)
    return (node.func.id, [*map(shape_of, node.args)], [(k.arg, shape_of(k.value)) for k in node.keywords])


@given(expressions())
@settings(max_examples=200, deadline=None)
def test_the_tree_is_pythons(text: str) -> None:
    tree = parse_expression(text)
    assert not isinstance(tree, SyntaxProblem)
    assert shape_of(tree) == shape_of(ast.parse(text, mode="eval").body)


@given(expressions())
@settings(max_examples=200, deadline=None)
def test_canonical_text_means_the_same_and_stays(text: str) -> None:
    tree = parse_expression(text)
    assert not isinstance(tree, SyntaxProblem)
    again = parse_expression(expression_text(tree))
    assert not isinstance(again, SyntaxProblem)
    assert shape_of(again) == shape_of(tree)
    assert expression_text(again) == expression_text(tree)


@given(st.text(alphabet="xT.,()+-*/@=<>!# \n1e'\"[]{}:;\\%é\t", max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_text_is_parsed_or_refused(text: str) -> None:
    parsed = parse(text)
    for problem in parsed.problems:
        assert 0 <= problem.start < problem.end <= max(len(text), 1)
    if not parsed.problems:
        assert canonical(parse(canonical(parsed))) == canonical(parsed)


def test_comments_blank_lines_and_spaces_change_nothing() -> None:
    a = parse("h = X@W+b   # sum\n\n\n# a comment\nY =  gelu( h )\n")
    b = parse("h = (X @ W) + b\nY = gelu(\n  h)")
    assert canonical(a) == canonical(b) == "h = X @ W + b\nY = gelu(h)"


def test_spans_are_those_of_the_text() -> None:
    text = "Y = gelu( (X @ W) + b )"
    value = parse(text).assignments[0].value
    assert isinstance(value, Call)
    inner = value.args[0]
    assert text[inner.start : inner.end] == "(X @ W) + b"
    assert isinstance(inner, Binary)
    assert text[inner.left.start : inner.left.end] == "X @ W"


@pytest.mark.parametrize(
    ("text", "message", "marked"),
    [
        ("C = A +", "expected an expression after '+'", "+"),
        ("C = (A", "this parenthesis is never closed", "("),
        ("C = A)", "expected the end of the line, found ')'", ")"),
        ("C = A B", "expected the end of the line, found 'B'", "B"),
        ("C A", "expected '=' after 'C'", "A"),
        ("C == A", "expected '=' after 'C'", "=="),
        ("C, D = A", "expected '=' after 'C'", ","),
        ("2 = A", "expected a name to assign to, found '2'", "2"),
        ("C = f(a=1, 2)", "expected 'name=' (arguments by position come first), found '2'", "2"),
        ("C = A % 2", "unexpected character '%'", "%"),
        ("C = A ^ 2", "unexpected character '^'", "^"),
        ("C = not A", "'not' is not in the language", "not"),
        ("C = A and B", "'and' is not in the language", "and"),
        ("C = A < B < A", "a second comparison, '<'", "<"),
        ("C = A; D = B", "unexpected character ';'", ";"),
        ("C *= A", "'*=' is not in the language", "*="),
        ("for i in A:", "'for' is not in the language", "for"),
        ("C = é", "unexpected character 'é'", "é"),
        ("C = A.1", "expected the end of the line, found '.1'", ".1"),
        ("C = ,", "expected an expression, found ','", ","),
    ],
)
def test_problems(text: str, message: str, marked: str) -> None:
    problems = parse(text).problems
    assert [problem.message for problem in problems] == [message]
    assert text[problems[0].start : problems[0].end] == marked


def test_every_line_is_read_after_a_broken_one() -> None:
    parsed = parse("a = (1\nb = 2\nc = +\nd = 4")
    assert len(parsed.problems) >= 1
    assert [line.target for line in parse("a = 1 +\nb = 2\nc = *\nd = 4").assignments] == ["b", "d"]


@pytest.mark.parametrize(
    "text",
    [
        "(" * 10_000 + "x" + ")" * 10_000,
        "-" * 10_000 + "x",
        "x" + "**x" * 5_000,
        "x" + ".T" * 5_000,
        "+".join(["x"] * 5_000),
        "f(" * 5_000,
        "x" * 60_000,
        "\n" * 20_000,
    ],
)
def test_depth_and_size_are_bounded(text: str) -> None:
    problems = parse("C = " + text).problems
    assert problems
    assert {problem.code for problem in problems} <= {"TTB034", "TTB011"}


def test_depth_that_is_allowed() -> None:
    deep = "(" * (MAX_DEPTH - 1) + "x" + ")" * (MAX_DEPTH - 1)
    assert not parse("C = " + deep).problems
    assert not parse("C = " + "+".join(["x"] * (MAX_DEPTH - 1))).problems


@pytest.mark.parametrize(
    ("text", "help_", "mechanical"),
    [
        ("Y = F.relu(X)", "write relu(X)", True),
        ("Y = F.clip(0, 1)", "write clip(F, 0, 1)", True),  # a tensor of that name
        ("Y = np.where(X, 1, 0)", "write where(X, 1, 0)", True),
        ("Y = X.T.sum(\n  axis=1)", "write sum(X.T, axis=1)", True),
        ("Y = (A + B).where(C, 1)", "write where(A + B, C, 1)", True),
        ("Y = X.softcap(3)", "write softcap(X, 3)", False),  # perhaps an op of one's own
        ("Y = X.swish()", "write silu(x)", False),
        ("Y = X.T()", "write .T without parentheses", False),
    ],
)
def test_methods_and_modules_are_called_as_functions(text: str, help_: str, mechanical: bool) -> None:
    (problem,) = parse(text).problems
    assert problem.help == help_
    assert problem.fix == (help_.removeprefix("write ") if mechanical else None)
    assert text[problem.start : problem.end] == text[4:]
