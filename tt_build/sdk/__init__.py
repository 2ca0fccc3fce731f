"""The real SDK as judge: its wheel, its headers and the type-check gate over generated kernels."""

from tt_build.sdk.cache import SdkUnavailable
from tt_build.sdk.findings import Finding
from tt_build.sdk.gate import CheckResult, check, check_to_file, errors
from tt_build.sdk.wheel import ensure

__all__ = ["CheckResult", "Finding", "SdkUnavailable", "check", "check_to_file", "ensure", "errors"]
