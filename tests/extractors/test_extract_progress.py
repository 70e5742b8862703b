import pytest

from extractors.progress import ExtractProgress


def test_line_a_minute_is_printed_where_there_is_no_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    now_s = 100.0
    with ExtractProgress(lambda: now_s) as progress:
        for second in range(0, 130, 10):
            now_s = 100.0 + second
            progress.report(40 + second // 2, 500, None)

    said = capsys.readouterr().err.splitlines()
    assert said == ["70 of 500 files, 0.50 a second", "100 of 500 files, 0.50 a second"]
    assert progress.n_new == 60
