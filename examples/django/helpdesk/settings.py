"""A small help desk: customers chat through Sophie, the staff through Django Channels, as before."""

import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
REDIS_URL = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0").removesuffix("/0")
# Where browsers find Sophie. Cookies do not know ports: the session cookie of this site goes there, too.
SOPHIE_WS = os.environ.get("SOPHIE_WS", "ws://127.0.0.1:8080")
# The same by HTTP: where the widget and its frame come from.
SOPHIE_URL = SOPHIE_WS.replace("ws", "http", 1)

SECRET_KEY = os.environ.get("SECRET_KEY", "only-for-trying-out")
DEBUG = True
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]

INSTALLED_APPS = [
    "daphne",  # makes `runserver` speak ASGI
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "channels",
    "helpdesk",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": ["django.contrib.auth.context_processors.auth", "django.template.context_processors.request"]},
    }
]
ROOT_URLCONF = "helpdesk.urls"
ASGI_APPLICATION = "helpdesk.asgi.application"
LOGIN_URL = "/login/"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/login/"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("DATABASE", BASE_DIR / "db.sqlite3"),
        # The worker writes while the site reads.
        "OPTIONS": {"timeout": 20},
    }
}

CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.core.RedisChannelLayer",
        "CONFIG": {
            # redis-py 8 gives up a read after 5 s, which is as long as the layer waits for a message: every consumer that
            # is idle for 5 s would die. None: no limit.
            "hosts": [{"address": f"{REDIS_URL}/0", "socket_timeout": None}],
            # Room for a burst at each Sophie node; the sender's setting decides.
            "channel_capacity": {"sophie.*": 10_000},
        },
    }
}

CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
    # Sophie's general cache: what the hook said of whom. JSON, since pickle is nobody's business but Python's.
    "sophie": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": f"{REDIS_URL}/1",
        "OPTIONS": {"SERIALIZER": "django_redis.serializers.json.JSONSerializer"},
    },
}
