import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import make_url

from nas.base.paths import default_url
from nas.store.database import connect, exists


@pytest.mark.parametrize("name", ["who?1", "%41", "?timeout=abc", "a b#c", "é@:", "100%"])
def test_the_database_is_in_nas_home_whatever_its_name(tmp_path, monkeypatch, name):
    monkeypatch.setenv("NAS_HOME", str(tmp_path / name))
    (tmp_path / name).mkdir()
    assert not exists(default_url())
    with connect(default_url()):
        pass
    assert exists(default_url())
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.db")] == [
        f"{name}/nas.db"
    ]


@given(st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=20))
def test_the_url_of_any_folder_is_read_back(name):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NAS_HOME", f"/somewhere/x{name}")
        assert make_url(default_url()).database == f"/somewhere/x{name}/nas.db"
