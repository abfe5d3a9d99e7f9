"""Memory that is freed and asked for again comes from the process, not from the system."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs glibc's mallopt")

_PROGRAM = """
import resource
import sys

import numpy as np

from iterate_core.heap import keep_freed_memory

if sys.argv[1] == "keep":
    keep_freed_memory()


def use_and_free() -> None:
    held = [np.ones(2**20) for _ in range(10)]  # 8 MiB each


use_and_free()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    use_and_free()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def _pages_cleared(word: str) -> int:
    told = subprocess.run(
        [sys.executable, "-c", _PROGRAM, word], capture_output=True, check=True, text=True
    )
    return int(told.stdout)


def test_freed_memory_is_used_again_without_the_system() -> None:
    pages_of_a_round = 10 * 8 * 2**20 // 4096
    assert _pages_cleared("keep") < 0.01 * 5 * pages_of_a_round
    assert _pages_cleared("give back") > 0.1 * 5 * pages_of_a_round


def test_python_looks_for_garbage_seldom_and_then_as_ever() -> None:
    program = """
import gc

from iterate_core.heap import expect_garbage, expect_no_garbage

usual = gc.get_threshold()
expect_no_garbage()
assert gc.get_threshold()[0] > 100 * usual[0]
expect_garbage()
assert gc.get_threshold() == usual
assert gc.get_freeze_count() > 0
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_libraries_are_passed_over_once_they_are_there() -> None:
    program = """
import gc

from iterate_core.heap import pass_over_libraries

pass_over_libraries()
passed = gc.get_freeze_count()
assert passed > 0
later = [[] for _ in range(1000)]
pass_over_libraries()
assert gc.get_freeze_count() == passed
"""
    subprocess.run([sys.executable, "-c", program], check=True)
