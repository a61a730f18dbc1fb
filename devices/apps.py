"""Hardware on premises: agents that dial out over mutual TLS, so that the cloud can call their local APIs.

Owns Device, EnrollmentToken, DeviceCertificate, Link and TelemetryRecord; none of them exists yet.
"""

from django.apps import AppConfig


class DevicesConfig(AppConfig):
    name = "devices"
