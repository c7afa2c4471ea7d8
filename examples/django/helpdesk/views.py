import hashlib

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.conf import settings
from django.contrib.auth.decorators import login_required, user_passes_test
from django.contrib.auth.signals import user_logged_out
from django.core.cache import caches
from django.dispatch import receiver
from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from .models import Line, Remark


@login_required
def chat(request):
    return render(request, "chat.html", {"sophie": settings.SOPHIE_WS, "session": request.user.username})


@login_required
def hours(request):
    """Any other page of the site, with the same chat in its corner."""
    return render(request, "hours.html", {"sophie": settings.SOPHIE_URL, "session": request.user.username})


@login_required
@require_POST
def announce(request):
    """What a Django site did before Sophie, and goes on doing: a message to everyone in a group."""
    message = {"type": "chat.message", "text": request.POST["text"], "author": request.user.username, "role": "operator"}
    async_to_sync(get_channel_layer().group_send)(request.POST.get("group", "lobby"), message)
    return HttpResponse(status=204)


@login_required
def transcript(request, group):
    lines = Line.objects.filter(group=group).order_by("seq").values("seq", "role", "author", "text")
    return JsonResponse({"group": group, "lines": list(lines)})


@user_passes_test(lambda user: user.is_staff)
def remarks(request):
    """Who asked for a person and what became of it, and the ratings."""
    return JsonResponse({"remarks": list(Remark.objects.order_by("id").values("group", "kind", "user", "rating", "text"))})


@csrf_exempt
@require_POST
def sophie_hook(request):
    """Sophie asks who the sender of these cookies is, and what they may do."""
    if not request.user.is_authenticated:
        return HttpResponse(status=401)
    user = request.user
    return JsonResponse({
        "user": user.username,
        "groups": ["lobby"],
        "sessions": [user.username],
        "context": f"The user's name is {user.get_full_name() or user.username}.",
        "expires_in": 3600,
    })


@receiver(user_logged_out)
def forget_in_sophie(request, **_):
    """Sophie keeps the hook's answer for up to five minutes: who logs out is to be forgotten at once."""
    shown = f"sessionid={request.COOKIES.get('sessionid')}\n{request.headers.get('Authorization', '')}"
    caches["sophie"].delete(f"sophie:hook:{hashlib.sha256(shown.encode()).hexdigest()}")
