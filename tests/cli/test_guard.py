"""What the servers answer, and to whom."""

import http.client
import threading
from functools import partial
from http.server import ThreadingHTTPServer

import pytest
from optuna.study import StudyDirection

from nas.base.errors import NothingToReport
from nas.cli.live import Shown, plain
from nas.cli.serve import HOST, _Files, guarded
from nas.store.database import connect
from nas.store.reading import records, runs_of

PORT = 8080


def asked(method="GET", host=f"{HOST}:{PORT}", origin=None, refused=lambda: "only reads"):
    """The status of a request to a guarded application that answers everything."""
    environment = {"REQUEST_METHOD": method, "SERVER_PORT": str(PORT)}
    environment |= {"HTTP_HOST": host} if host else {}
    environment |= {"HTTP_ORIGIN": origin} if origin else {}
    status = []
    application = guarded(lambda _, start: start("200 OK", []) or [], refused)
    list(application(environment, lambda line, headers: status.append(line[:3])))
    return status[0]


@pytest.mark.parametrize("host", [f"{HOST}:{PORT}", f"localhost:{PORT}", f"LOCALHOST:{PORT}"])
def test_the_dashboard_answers_its_own_pages(host):
    assert asked(host=host) == "200"
    assert asked(host=host, origin=f"http://{host}") == "200"


@pytest.mark.parametrize(
    "host", ["evil.example", f"evil.example:{PORT}", f"{HOST}:1", HOST, f"{HOST}.evil:{PORT}", None]
)
def test_the_dashboard_answers_no_other_host(host):
    assert asked(host=host) == "403"


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", f"https://{HOST}:{PORT}", f"http://{HOST}:1"]
)
@pytest.mark.parametrize("method", ["GET", "DELETE", "POST"])
def test_the_dashboard_answers_no_page_of_another_origin(origin, method):
    assert asked(method, origin=origin, refused=lambda: None) == "403"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "delete"])
def test_the_dashboard_writes_only_where_it_may(method):
    assert asked(method) == "403"
    assert asked(method, refused=lambda: None) == "200"


def test_what_is_shown_of_a_study_is_not_written(tmp_path):
    with connect(f"sqlite:///{tmp_path}/nas.db") as storage:
        study_id = storage.create_new_study([StudyDirection.MAXIMIZE], "x@0")
        shown = Shown(storage)
        shown.set_study_system_attr(study_id, "dashboard:note_ver", 1)
        assert shown.get_study_system_attrs(study_id) == {"dashboard:note_ver": 1}
        assert shown.get_all_studies()[0].system_attrs == {"dashboard:note_ver": 1}
        assert storage.get_study_system_attrs(study_id) == {}


def test_a_study_whose_runs_were_deleted_is_said_so(tmp_path):
    with connect(f"sqlite:///{tmp_path}/nas.db") as storage:
        assert runs_of(storage, "x@0") is None
        with pytest.raises(NothingToReport, match="were deleted from this database by another"):
            records(storage, "x@0")


def test_a_note_holds_text_as_text():
    assert plain("<img src=x onerror=y>\n# [a](b) `c` $x$") == (
        "&#60;img src=x onerror=y&#62; &#35; &#91;a&#93;&#40;b&#41; &#96;c&#96; &#36;x&#36;"
    )


@pytest.fixture
def site(tmp_path):
    """A site that is served, beside a secret; its port."""
    folder = tmp_path / "site"
    (folder / "data").mkdir(parents=True)
    (folder / "linked").mkdir()
    (folder / "index.html").write_text("page")
    (tmp_path / "secret").write_text("secret")
    (folder / "out").symlink_to(tmp_path / "secret")
    (folder / "above").symlink_to(tmp_path)
    (folder / "linked" / "index.html").symlink_to(tmp_path / "secret")
    server = ThreadingHTTPServer((HOST, 0), partial(_Files, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def status(port, path, **headers):
    connection = http.client.HTTPConnection(HOST, port)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    said = answer.read().decode()
    connection.close()
    return answer.status, said


def test_a_site_is_served_without_listings_and_without_what_links_lead_to(site):
    assert status(site, "/") == (200, "page")
    assert status(site, "/index.html?theme=dark") == (200, "page")
    for path in ("/data/", "/data", "/out", "/above/secret", "/linked/", "/%00", "/a%00b",
                 "/../secret", "/%2e%2e/secret", "/" + "a" * 300):  # fmt: skip
        found, said = status(site, path)
        assert (found, "secret\n" in said or said == "secret") == (404, False), path
    assert status(site, "/", Host="evil.example")[0] == 403
    assert status(site, "/", Origin="http://evil.example")[0] == 403
