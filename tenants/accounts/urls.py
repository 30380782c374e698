"""Signing in and out, on the console and on every company."""

from django.contrib.auth.views import LogoutView
from django.urls import path

from tenants.accounts.views import SignInView, change_language

urlpatterns = [
    path("login/", SignInView.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("language/", change_language, name="set_language"),
]
