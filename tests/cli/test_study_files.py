"""Whatever a study file does when it is read ends in one message."""

import pytest

from tests.commands import nas


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("class Odd(BaseException): pass\nraise Odd('why')", 2, "line 2: Odd: why"),
        ("raise KeyboardInterrupt", 130, "interrupted while odd.py was read"),
        ("import sys; sys.exit(0)", 2, "odd.py calls sys.exit()"),
        (
            "class Mute(Exception):\n    def __str__(self): raise OSError\nraise Mute",
            2,
            "line 3: Mute: a Mute, whose text cannot be made",
        ),
        ("raise GeneratorExit", 2, "line 1: GeneratorExit"),
    ],
)
def test_a_study_file_that_fails_in_any_way_is_one_message(tmp_path, monkeypatch, line, code, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "odd.py").write_text(line)
    result = nas("plan", "odd.py", code=code)
    assert said in result.stderr
    assert "Traceback" not in result.stderr
