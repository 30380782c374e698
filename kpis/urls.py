"""Addresses of the pages of this floor."""

from django.urls import path

from kpis.views import back_calculation, catalogue, checklist, details, records, today, trees

urlpatterns = [
    path("", today.today, name="home"),
    path("back-calculation/", back_calculation.back_calculation, name="back-calculation"),
    path("checklist/", checklist.checklist, name="checklist"),
    path("kpis/catalogue/", catalogue.catalogue, name="metric-catalogue"),
    path("kpis/", trees.tree, name="kpi-tree"),
    path("kpis/<uuid:public_id>/", details.detail, name="kpi"),
    path("kpis/<uuid:public_id>/records/", records.records, name="kpi-records"),
]
