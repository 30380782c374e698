"""The admin of reviews: every model is there, frozen ones cannot be typed, the rest writes as the services do."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.test import Client

from kpis.models import KpiNode
from reviews.models import Action, Meeting, MeetingSeries, Miss
from tenants.models import Company


@pytest.fixture
def as_dave(client_for: Callable[..., Client], dave: Any, acme: Company) -> Client:
    return client_for(dave, acme)


def test_every_model_has_a_list_that_opens(october_miss: Miss, next_meeting: Meeting, as_dave: Client) -> None:
    models = list(apps.get_app_config("reviews").get_models())
    assert [model for model in models if model not in admin.site._registry] == []
    answers = {model.__name__: as_dave.get(f"/admin/reviews/{model._meta.model_name}/").status_code for model in models}
    assert set(answers.values()) == {200}, answers


def test_a_miss_can_be_looked_at_and_not_typed(october_miss: Miss, as_dave: Client) -> None:
    address = f"/admin/reviews/miss/{october_miss.pk}/change/"
    assert as_dave.get(address).status_code == 200
    assert as_dave.post(address, {"value": "1"}).status_code == 403


def test_an_action_is_changed_with_its_history(
    bookings: KpiNode, make_action: Callable[..., Action], as_dave: Client
) -> None:
    action = make_action(bookings)
    address = f"/admin/reviews/action/{action.pk}/change/"
    assert as_dave.get(address).status_code == 200
    sent = {
        "cause": action.cause,
        "action": action.action,
        "due_on": "2026-12-01",
        "status": "done",
        "effect_metric": bookings.metric_id,
        "history-TOTAL_FORMS": "0",
        "history-INITIAL_FORMS": "0",
    }
    assert as_dave.post(address, sent).status_code == 302
    action.refresh_from_db()
    assert (action.status, action.history.get().changes["status"]) == ("done", ["planned", "done"])


def test_an_effect_on_a_rate_is_typed_in_points(
    win_rate: KpiNode, make_action: Callable[..., Action], as_dave: Client
) -> None:
    action = make_action(win_rate, effect_amount=Decimal("0.05"))
    address = f"/admin/reviews/action/{action.pk}/change/"
    assert 'value="5"' in as_dave.get(address).content.decode()
    sent = {"cause": action.cause, "action": action.action, "due_on": "2026-12-01", "status": "planned"}
    history = {"history-TOTAL_FORMS": "0", "history-INITIAL_FORMS": "0"}
    as_dave.post(address, sent | history | {"effect_metric": win_rate.metric_id, "effect_amount": "7.5"})
    action.refresh_from_db()
    assert action.effect_amount == Decimal("0.075")


def test_a_series_is_saved_with_its_next_meeting(tree: Any, as_dave: Client) -> None:
    sent = {"name": "週次", "interval": "weekly", "weekday": "0", "week_of_month": "1", "starts_at": "10:00"}
    assert as_dave.post("/admin/reviews/meetingseries/add/", sent | {"is_active": "on"}).status_code == 302
    assert MeetingSeries.objects.get().meetings.filter(status="planned").count() == 1
    moved = sent | {"weekday": "4", "is_active": "on"}
    as_dave.post(f"/admin/reviews/meetingseries/{MeetingSeries.objects.get().pk}/change/", moved)
    assert Meeting.objects.get().scheduled_at.weekday() == 4
