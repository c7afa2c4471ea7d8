"""Django Channels with channels_redis, a group of its layer for each group. REDIS_URL says where Redis is."""

import os

import django
from django.conf import settings

settings.configure(
    CHANNEL_LAYERS={
        "default": {
            "BACKEND": "channels_redis.core.RedisChannelLayer",
            "CONFIG": {
                # redis-py 8 gives up a read after 5 s, which is as long as the layer waits for a message: whoever is
                # waiting then loses its WebSocket. It happens while sockets are idle, and while many are being opened.
                "hosts": [{"address": os.environ["REDIS_URL"], "socket_timeout": None}],
                # By default it drops what is behind 100 messages: then nothing would be compared.
                "capacity": 100_000,
            },
        }
    }
)
django.setup()

from channels.generic.websocket import AsyncWebsocketConsumer  # noqa: E402 (it needs the settings)


class Member(AsyncWebsocketConsumer):
    async def connect(self):
        self.group = "g" + self.scope["path"].strip("/")
        await self.channel_layer.group_add(self.group, self.channel_name)
        await self.accept()

    async def disconnect(self, code):
        await self.channel_layer.group_discard(self.group, self.channel_name)

    async def receive(self, text_data=None, bytes_data=None):
        await self.channel_layer.group_send(self.group, {"type": "told", "text": text_data})

    async def told(self, event):
        await self.send(text_data=event["text"])


application = Member.as_asgi()
