"""Addresses of the pages of this floor."""

from django.urls import path

from reviews.views import actions, meetings, misses

urlpatterns = [
    path("misses/", misses.miss_list, name="misses"),
    path("misses/<uuid:public_id>/", misses.miss_page, name="miss"),
    path("misses/<uuid:public_id>/answer/", misses.miss_answer, name="miss-answer"),
    path("actions/", actions.action_list, name="actions"),
    path("actions/new/", actions.action_new, name="action-new"),
    path("actions/<uuid:public_id>/", actions.action_page, name="action"),
    path("meetings/", meetings.meeting_list, name="meetings"),
    path("meetings/series/new/", meetings.series_page, name="series-new"),
    path("meetings/series/<uuid:public_id>/", meetings.series_page, name="series"),
    path("meetings/<uuid:public_id>/", meetings.meeting_page, name="meeting"),
    path("meetings/<uuid:public_id>/print/", meetings.meeting_print, name="meeting-print"),
    path("meetings/<uuid:public_id>/schedule/", meetings.meeting_schedule, name="meeting-schedule"),
    path("meetings/<uuid:public_id>/open/", meetings.meeting_open, name="meeting-open"),
    path("meetings/<uuid:public_id>/close/", meetings.meeting_close, name="meeting-close"),
    path("meetings/<uuid:public_id>/minutes/", meetings.meeting_minutes, name="meeting-minutes"),
    path("meetings/<uuid:public_id>/kpis/", meetings.meeting_add_kpi, name="meeting-add-kpi"),
    path("meetings/<uuid:public_id>/items/<uuid:item_id>/", meetings.meeting_decide, name="meeting-decide"),
]
