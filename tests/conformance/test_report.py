"""`clew.conformance.run`: a level, counts, and JSON for what a URL names."""

from __future__ import annotations

from pathlib import Path

from clew.conformance import run


def test_a_store_that_does_everything_is_at_the_full_level(tmp_path: Path) -> None:
    seen: list[tuple[str, str]] = []
    report = run(f"sqlite:///{tmp_path}/c.db", on_test=lambda test, outcome: seen.append((test, outcome)), topics="once or leas")
    assert (report.level, report.failed, report.skipped, report.failures) == ("full", 0, 0, [])
    assert report.passed == len(seen) > 10
    assert report.to_json()["level"] == "full"


def test_a_store_that_cannot_be_opened_fails_and_says_why(tmp_path: Path) -> None:
    report = run(f"sqlite:///{tmp_path}/missing/folder/c.db", topics="right_expect")
    assert report.level == "failed"
    assert report.failures[0][0].startswith("test_a_right_expect")
    assert "folder" in report.failures[0][1]


def test_credentials_never_reach_the_report() -> None:
    report = run("redis://ada:secret@127.0.0.1:1/0?timeout=0.1", topics="right_expect")
    assert report.level == "failed"
    assert "secret" not in str(report.to_json())
