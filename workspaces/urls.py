from django.urls import path

from .pages import connect, files, logs, services, shares, snapshots, templates, terminal, workspaces

_W, _S = "workspaces/<uuid:public_id>", "services/<uuid:public_id>"
urlpatterns = [
    path("workspaces", workspaces.workspaces, name="workspaces"),
    path("workspaces/new", workspaces.new_workspace, name="new-workspace"),
    path(_W, workspaces.workspace, name="workspace"),
    path(f"{_W}/state", workspaces.state, name="workspace-state"),
    path(f"{_W}/settings", workspaces.settings, name="workspace-settings"),
    path(f"{_W}/shares", shares.workspace_shares, name="workspace-shares"),
    path(f"{_W}/shares/<uuid:user_id>/remove", shares.remove_share, name="remove-share"),
    path(f"{_W}/files", files.files, name="workspace-files"),
    path(f"{_W}/files/content", files.download, name="workspace-file"),
    path(f"{_W}/logs", logs.workspace_logs, name="workspace-logs"),
    path(f"{_W}/usage", logs.workspace_usage, name="workspace-usage"),
    path(f"{_W}/terminal", terminal.workspace_terminal, name="workspace-terminal"),
    path(f"{_W}/snapshots", snapshots.snapshots, name="workspace-snapshots"),
    path(f"{_W}/snapshots/<uuid:snapshot_id>", snapshots.change_snapshot, name="change-snapshot"),
    path(f"{_W}/snapshots/<uuid:snapshot_id>/content", snapshots.download_snapshot, name="download-snapshot"),
    path(f"{_W}/connect", connect.connect, name="workspace-connect"),
    path("services", services.services, name="services"),
    path("services/new", services.new_service, name="new-service"),
    path("services/new-external", services.new_external_service, name="new-external-service"),
    path(_S, services.service, name="service"),
    path(f"{_S}/state", services.state, name="service-state"),
    path(f"{_S}/settings", services.settings, name="service-settings"),
    path(f"{_S}/ports", services.service_ports, name="service-ports"),
    path(f"{_S}/ports/<uuid:port_id>/remove", services.remove_port, name="remove-port"),
    path(f"{_S}/logs", logs.service_logs, name="service-logs"),
    path(f"{_S}/usage", logs.service_usage, name="service-usage"),
    path(f"{_S}/terminal", terminal.service_terminal, name="service-terminal"),
    path("templates", templates.templates, name="templates"),
    path("templates/new", templates.new_template, name="new-template"),
    path("templates/<uuid:public_id>", templates.template, name="template"),
    path("templates/<uuid:public_id>/delete", templates.delete_template, name="delete-template"),
]
