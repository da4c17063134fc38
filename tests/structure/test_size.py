"""Functions fit on a screen; files have one subject."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path

MOST_LINES = 60
MOST_FILE_LINES = 600


def sources() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "*.py"], capture_output=True, text=True, check=True
    )
    return [
        Path(name) for name in listed.stdout.split() if "/migrations/" not in name and Path(name).exists()
    ]


def too_long(source: str) -> list[str]:
    return [
        f"{node.name} ({node.end_lineno - node.lineno + 1} lines)"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if (node.end_lineno or 0) - node.lineno + 1 > MOST_LINES
    ]


def test_a_long_function_would_be_found() -> None:
    assert too_long("def f():\n" + "    x = 1\n" * MOST_LINES) == ["f (61 lines)"]


def test_no_function_is_longer_than_a_screen() -> None:
    assert len(sources()) > 50
    assert {str(path): found for path in sources() if (found := too_long(path.read_text()))} == {}


def test_no_file_is_longer_than_it_should_be() -> None:
    assert [str(path) for path in sources() if path.read_text().count("\n") > MOST_FILE_LINES] == []
