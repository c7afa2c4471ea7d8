import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "helpdesk.settings")
http = get_asgi_application()  # loads the models, so it comes before what uses them

from channels.auth import AuthMiddlewareStack
from channels.routing import ChannelNameRouter, ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.urls import path

from .consumers import Staff, Transcript

application = ProtocolTypeRouter({
    "http": http,
    # Gone from here: the customers' consumer. Their WebSockets are Sophie's.
    "websocket": AllowedHostsOriginValidator(AuthMiddlewareStack(URLRouter([path("ws/staff/", Staff.as_asgi())]))),
    "channel": ChannelNameRouter({"transcript": Transcript.as_asgi()}),
})
