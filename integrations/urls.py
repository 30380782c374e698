"""Addresses below /data/."""

from django.urls import path

from integrations.views import connections, consent, files, hooks, keeping, keys, presets, runs, sources

urlpatterns = [
    path("", connections.connections, name="connections"),
    path("new/", sources.connection_new, name="connection_new"),
    path("new/<slug:kind>/", sources.connection_setup, name="connection_setup"),
    path("connected/hubspot/", consent.consented, name="consented"),
    path("keys/", keys.api_keys, name="api_keys"),
    path("keys/<uuid:key_id>/revoke/", keys.key_revoke, name="key_revoke"),
    path("pushed/frequency/", connections.pushed_frequency, name="pushed_frequency"),
    path("runs/<uuid:run_id>/", runs.sync_run, name="sync_run"),
    path("runs/<uuid:run_id>/progress/", runs.run_progress, name="run_progress"),
    path("runs/<uuid:run_id>/cancel/", runs.run_cancel, name="run_cancel"),
    path("runs/<uuid:run_id>/rejected.csv", runs.rejected_rows, name="rejected_rows"),
    path("<uuid:connection_id>/", connections.connection, name="connection"),
    path("<uuid:connection_id>/upload/", connections.upload, name="upload"),
    path("<uuid:connection_id>/uploads/<uuid:upload_id>/", connections.upload_preview, name="upload_preview"),
    path("<uuid:connection_id>/uploads/<uuid:upload_id>/values/", connections.map_value, name="map_value"),
    path("<uuid:connection_id>/sync/", connections.sync, name="sync"),
    path("<uuid:connection_id>/pause/", connections.pause, name="pause"),
    path("<uuid:connection_id>/resume/", connections.resume, name="resume"),
    path("<uuid:connection_id>/frequency/", connections.frequency, name="frequency"),
    path("<uuid:connection_id>/remap/", keeping.connection_remap, name="connection_remap"),
    path("<uuid:connection_id>/missing/", runs.missing, name="missing"),
    path("<uuid:connection_id>/missing.csv", runs.missing_rows, name="missing_rows"),
    path("<uuid:connection_id>/keep/", keeping.connection_keep, name="connection_keep"),
    path("<uuid:connection_id>/source/", sources.source_edit, name="source_edit"),
    path("<uuid:connection_id>/test/", sources.source_test, name="source_test"),
    path("<uuid:connection_id>/preset/", presets.source_preset, name="source_preset"),
    path("<uuid:connection_id>/consent/", consent.consent, name="consent"),
    path("<uuid:connection_id>/streams/", sources.streams, name="streams"),
    path("<uuid:connection_id>/sample/", files.file_sample, name="file_sample"),
    path("<uuid:connection_id>/mapping/", sources.stream_mapping, name="stream_mapping"),
    path("<uuid:connection_id>/mapping/end/", sources.mapping_end, name="mapping_end"),
    path("<uuid:connection_id>/start/", sources.source_start, name="source_start"),
    path("<uuid:connection_id>/compare/", sources.source_compare, name="source_compare"),
    path("<uuid:connection_id>/hook/", hooks.hook, name="hook"),
    path("<uuid:connection_id>/resync/", sources.source_resync, name="source_resync"),
]
