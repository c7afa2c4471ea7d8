from channels.consumer import AsyncConsumer
from channels.generic.websocket import AsyncJsonWebsocketConsumer

from .models import Line, Remark


class Staff(AsyncJsonWebsocketConsumer):
    """The one consumer that stays: the staff listens to the lobby and speaks there, beside Sophie's members.

    It has a method for each type of `channel.notify_django`: Channels ends a consumer that gets a type without one.
    """

    async def connect(self):
        if not self.scope["user"].is_staff:
            await self.close(code=4403)
            return
        await self.channel_layer.group_add("lobby", self.channel_name)
        await self.accept()

    async def disconnect(self, code):
        await self.channel_layer.group_discard("lobby", self.channel_name)

    async def receive_json(self, content):
        message = {"type": "chat.message", "text": content["text"], "author": self.scope["user"].username, "role": "operator"}
        await self.channel_layer.group_send("lobby", message)

    async def chat_message(self, event):
        await self.send_json(event)

    async def chat_answer_end(self, event):
        await self.send_json(event)

    async def chat_answer_error(self, event):
        await self.send_json(event)

    async def chat_person(self, event):
        await self.send_json(event)

    async def chat_feedback(self, event):
        await self.send_json(event)


class Transcript(AsyncConsumer):
    """Run by `manage.py runworker transcript`: keeps what was said, who asked for a person, and what people think of it. Each comes once."""

    async def chat_message(self, event):
        await self.keep(event, event["role"], event["author"])

    async def chat_answer_end(self, event):
        await self.keep(event, "assistant", "assistant")

    async def chat_answer_error(self, event):
        await self.keep(event, "assistant", "assistant")

    async def chat_person(self, event):
        await Remark.objects.acreate(group=event["group"], kind=event["state"], user=event["user"] or "", text=event["text"] or "")

    async def chat_feedback(self, event):
        await Remark.objects.acreate(group=event["group"], kind="rated", user=event["user"], rating=event["rating"], text=event["text"] or "")

    async def keep(self, event, role, author):
        await Line.objects.acreate(group=event["group"], seq=event["seq"], role=role, author=author, text=event["text"])
