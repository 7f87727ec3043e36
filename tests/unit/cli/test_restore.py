"""`restore`: a file that release did not save is told, and nothing is asked of AWS for it."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from signalbox.cli import main


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"edits": {}}',
        '{"edits": [], "flows": {}}',
        '{"edits": {"e": 1}, "flows": {}}',
        '{"edits": {"e": {"r": {"a": NaN}}}, "flows": {}}',
        '{"edits": {"e": {"r": {"a": 1e999}}}, "flows": {}}',
        "[" * 100_000,
    ],
    ids=lambda text: text[:30],
)
def test_what_release_did_not_save_is_told(text: str, tmp_path: Path) -> None:
    file = tmp_path / "edits.json"
    file.write_text(text)
    done = CliRunner().invoke(main, ["restore", str(file)])
    assert done.exit_code == 1
    assert "is not what `python -m signalbox release` saves" in done.output
