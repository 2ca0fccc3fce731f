"""Is a result right: seeded inputs, a float64 reference with error bounds, and the comparison."""

from tt_build.verify.compare import OutputResult, Tolerance, compare
from tt_build.verify.inputs import make_inputs
from tt_build.verify.prepare import Prepared, prepare
from tt_build.verify.reference import Ref, evaluate
from tt_build.verify.values import EvaluationError, Math

__all__ = [
    "EvaluationError",
    "Math",
    "OutputResult",
    "Prepared",
    "Ref",
    "Tolerance",
    "compare",
    "evaluate",
    "make_inputs",
    "prepare",
]
