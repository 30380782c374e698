"""Addresses of the pages of this floor."""

from django.urls import path

from kpis.views import budget_table, checklist, details, records, target_files, target_grid, today, trees

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
    path("targets/grid.<slug:ending>", target_files.target_file, name="target-file"),
    path("targets/import/", target_files.target_import, name="target-import"),
    path("targets/import/save/", target_files.target_import_save, name="target-import-save"),
]
