"""A fault of ours is answered in words: a page to a person, a problem to a program."""

import pytest

pytestmark = pytest.mark.django_db


@pytest.fixture
def broken(monkeypatch, client_for, acme, dave):
    """Somebody signed in, where nothing can be read."""

    def fail(**_asked):
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr("kpis.api.base.sight_of", fail)
    monkeypatch.setattr("kpis.views.today.sight_of", fail)
    client = client_for(dave, acme)
    client.raise_request_exception = False
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
    return client


def test_a_program_is_told_by_a_problem(broken):
    answer = broken.get("/api/v1/targets/")
    assert (answer.status_code, answer["Content-Type"]) == (500, "application/problem+json")
    told = answer.json()
    assert (told["status"], told["code"], told["errors"]) == (500, "server_error", [])
    assert "try again" in told["detail"]


def test_a_person_is_told_by_a_page(broken):
    answer = broken.get("/")
    assert answer.status_code == 500
    assert "Something went wrong on our side" in answer.content.decode()
