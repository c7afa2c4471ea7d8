from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path

from . import views

urlpatterns = [
    path("", views.chat),
    path("hours/", views.hours),
    path("login/", LoginView.as_view(template_name="login.html")),
    path("logout/", LogoutView.as_view()),
    path("announce/", views.announce),
    path("remarks/", views.remarks),
    path("transcript/<group>/", views.transcript),
    path("sophie/hook/", views.sophie_hook),
]
