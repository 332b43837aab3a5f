from tests.commands import nas


def test_the_written_study_plans_and_runs_as_it_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NAS_HOME", str(tmp_path / "out"))
    said = nas("init", "own/idea").stdout
    assert said.splitlines() == [
        "own/idea: README.md, my_space.py, my_study.py",
        "next: cd own/idea && nas plan my_study.py",
    ]
    monkeypatch.chdir(tmp_path / "own" / "idea")
    assert "31 runs" in nas("plan", "my_study.py").stdout
    assert "3 decisions" in nas("space", "show", "my_space.py.widths").stdout
    nas("run", "my_study.py", "--smoke", "--local")
    assert "no 5x5 branches" in nas("effects", "my_study.py", "--smoke").stdout


def test_a_file_that_is_there_is_not_overwritten(tmp_path):
    (tmp_path / "my_study.py").write_text("mine")
    said = nas("init", tmp_path, code=2).stderr
    assert f"{tmp_path} has a my_study.py already; nothing was written" in said
    assert [path.name for path in tmp_path.iterdir()] == ["my_study.py"]
    assert (tmp_path / "my_study.py").read_text() == "mine"
