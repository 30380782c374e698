"""Addresses of the pages of this floor."""

from django.urls import path

from kpis.views import (
    back_calculation,
    catalogue,
    checklist,
    details,
    forecasts,
    records,
    today,
    tree_editor,
    trees,
    trees_list,
)

urlpatterns = [
    path("", today.today, name="home"),
    path("back-calculation/", back_calculation.back_calculation, name="back-calculation"),
    path("checklist/", checklist.checklist, name="checklist"),
    path("kpis/catalogue/", catalogue.catalogue, name="metric-catalogue"),
    path("forecast/", forecasts.table, name="forecast"),
    path("forecast/export/", forecasts.export, name="forecast-export"),
    path("kpis/", trees.tree, name="kpi-tree"),
    path("kpis/<uuid:public_id>/", details.detail, name="kpi"),
    path("kpis/<uuid:public_id>/records/", records.records, name="kpi-records"),
    path("kpis/<uuid:public_id>/benchmark/", details.benchmark, name="kpi-benchmark"),
    path("trees/", trees_list.trees, name="trees"),
    path("trees/new/", trees_list.new, name="tree-new"),
    path("trees/<uuid:public_id>/edit/", tree_editor.edit, name="tree-edit"),
    path("trees/<uuid:public_id>/check/", tree_editor.check, name="tree-check"),
    path("trees/<uuid:public_id>/copy/", trees_list.copy, name="tree-copy"),
    path("trees/<uuid:public_id>/status/", trees_list.status, name="tree-status"),
    path("trees/<uuid:public_id>/drivers/", tree_editor.driver, name="tree-driver"),
    path("trees/<uuid:public_id>/nodes/", tree_editor.node_new, name="node-new"),
    path("trees/<uuid:public_id>/nodes/<uuid:node_id>/", tree_editor.node_edit, name="node-edit"),
    path("trees/<uuid:public_id>/nodes/<uuid:node_id>/move/", tree_editor.node_move, name="node-move"),
    path("trees/<uuid:public_id>/nodes/<uuid:node_id>/remove/", tree_editor.node_remove, name="node-remove"),
]
