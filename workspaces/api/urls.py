from django.urls import path

from . import mcp, services_urls, snapshots, templates, workspaces

_ITEM = "workspaces/<uuid:public_id>"
_SNAPSHOT = f"{_ITEM}/snapshots/<uuid:snapshot_id>"

urlpatterns = [
    *services_urls.urlpatterns,
    path("workspaces", workspaces.WorkspacesView.as_view()),
    path(_ITEM, workspaces.WorkspaceView.as_view()),
    path(f"{_ITEM}/start", workspaces.StartView.as_view()),
    path(f"{_ITEM}/stop", workspaces.StopView.as_view()),
    path(f"{_ITEM}/restart", workspaces.RestartView.as_view()),
    path(f"{_ITEM}/restore", workspaces.RestoreView.as_view()),
    path(f"{_ITEM}/purge", workspaces.PurgeView.as_view()),
    path(f"{_ITEM}/wake", workspaces.WakeView.as_view()),
    path(f"{_ITEM}/shares", workspaces.SharesView.as_view()),
    path(f"{_ITEM}/shares/<uuid:user_id>", workspaces.ShareView.as_view()),
    path(f"{_ITEM}/logs", workspaces.LogsView.as_view()),
    path(f"{_ITEM}/stats", workspaces.StatsView.as_view()),
    path(f"{_ITEM}/snapshots", snapshots.SnapshotsView.as_view()),
    path(f"{_ITEM}/snapshots/import", snapshots.ImportSnapshotView.as_view()),
    path(_SNAPSHOT, snapshots.SnapshotView.as_view()),
    path(f"{_SNAPSHOT}/restore", snapshots.RestoreSnapshotView.as_view()),
    path(f"{_SNAPSHOT}/export", snapshots.ExportSnapshotView.as_view()),
    path(f"{_SNAPSHOT}/content", snapshots.SnapshotContentView.as_view()),
    path(f"{_ITEM}/mcp.json", mcp.McpJsonView.as_view()),
    path("mcp/tools", mcp.ToolsView.as_view()),
    path("mcp/invoke", mcp.InvokeView.as_view()),
    path("templates", templates.TemplatesView.as_view()),
    path("templates/providers", templates.ProvidersView.as_view()),
    path("templates/<uuid:public_id>", templates.TemplateView.as_view()),
]
