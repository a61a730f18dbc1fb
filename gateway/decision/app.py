"""The decision process: `uvicorn gateway.decision.app:app --uds <home>/run/decision.sock`.

Django is set up for its settings and for the apps' `decider.py`, which register here; no request
passes through it.
"""

import os

import django
from django.conf import settings
from django.utils.module_loading import autodiscover_modules

from gateway.checks import refuse_weak_settings
from gateway.decision.asgi import DecisionApp
from gateway.decision.context import open_context
from gateway.decision.registry import registry
from gateway.decision.tokens import TokenSigner
from gateway.metrics import files

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway.settings")
django.setup()
refuse_weak_settings()
autodiscover_modules("decider")
files.keep()

app = DecisionApp(registry, lambda: open_context(registry, settings), TokenSigner(settings.SECRET_KEY))
