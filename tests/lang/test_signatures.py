"""The front end's signatures and the op table agree on names, operands, parameters and integers."""

from __future__ import annotations

from tt_build.lang import functions
from tt_build.lang.signatures import OPERATORS, SIGNATURES


def test_elementwise_functions_are_those_of_the_op_table() -> None:
    mine = {name for name, signature in SIGNATURES.items() if signature.kind == "elementwise"}
    assert mine == set(functions.FUNCTIONS)


def test_operands_parameters_and_integers_agree() -> None:
    for name, function in functions.FUNCTIONS.items():
        signature = SIGNATURES[name]
        assert signature.operands == function.operands, name
        assert [(p.name, p.default) for p in signature.params] == [(p.name, p.default) for p in function.params], name
        assert signature.int_ok == bool(function.int_calls), name


def test_operators_are_functions_too() -> None:
    assert {op for sign, op in OPERATORS.items() if sign != "@"} <= set(functions.FUNCTIONS)
