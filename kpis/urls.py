"""Addresses of the pages of this floor."""

from django.urls import path

from kpis.views import budget_table, checklist, details, records, target_grid, today, trees

urlpatterns = [
    path("", today.today, name="home"),
    path("budget/", budget_table.budget_table, name="budget-table"),
    path("budget/table.csv", budget_table.budget_as_csv, name="budget-csv"),
    path("budget/table.xlsx", budget_table.budget_xlsx, name="budget-xlsx"),
    path("checklist/", checklist.checklist, name="checklist"),
    path("kpis/", trees.tree, name="kpi-tree"),
    path("kpis/<uuid:public_id>/", details.detail, name="kpi"),
    path("kpis/<uuid:public_id>/records/", records.records, name="kpi-records"),
    path("targets/", target_grid.targets, name="target-grid"),
]
