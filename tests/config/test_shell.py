"""The frame around every page."""

import re
from pathlib import Path

import pytest
from django import forms
from django.contrib.auth.models import AnonymousUser
from django.contrib.staticfiles import finders
from django.template.loader import get_template, render_to_string
from django.test import RequestFactory
from django.utils import translation

from config import context_processors
from config.catalogue import ROOT
from config.context_processors import read_shell
from tenants.accounts.models import User
from tenants.capabilities import Capability
from tenants.registry import NavigationEntry, Registry


@pytest.fixture
def entries(monkeypatch):
    """A navigation of this test's own: what everybody sees, and what only those who manage connections see."""
    registry = Registry(name=lambda entry: entry.code, sort=lambda entry: entry.position)
    for position in range(8):
        registry.register(NavigationEntry(f"page{position}", f"Page {position}", "page", "home", position))
    registry.register(NavigationEntry("data", "Data", "data", "data", -1, Capability.MANAGE_CONNECTIONS))
    monkeypatch.setattr(context_processors, "navigation", registry)
    monkeypatch.setattr(context_processors, "reverse", lambda name: f"/{name.replace(':', '/')}/")
    return registry


def shell_of(user, path="/", **cookies):
    request = RequestFactory().get(path)
    request.user = user
    request.COOKIES.update(cookies)
    return read_shell(request)


class TestNavigation:
    def test_leaves_out_what_the_role_may_not_use(self, in_acme, bob, dave, entries):
        assert "Data" not in [link.label for link in shell_of(bob).navigation]
        assert "Data" in [link.label for link in shell_of(dave).navigation]

    def test_has_at_most_seven_entries_and_the_phone_keeps_four(self, in_acme, dave, entries):
        shell = shell_of(dave)
        assert len(shell.navigation) == 7
        assert shell.further  # the rest stands in the menu of the person
        assert [*shell.tabs, *shell.more_tabs] == shell.navigation
        assert len(shell.tabs) == 4

    def test_what_is_more_than_that_stands_in_the_user_menu(self, in_acme, dave, entries):
        assert [link.label for link in shell_of(dave).further] == ["Page 6", "Page 7"]

    def test_marks_where_one_is(self, in_acme, bob, entries):
        assert all(link.is_current for link in shell_of(bob, "/page/inside/").navigation)

    def test_is_empty_before_signing_in(self, in_acme, entries):
        assert shell_of(AnonymousUser()).navigation == []


class TestReader:
    def test_is_named_with_the_role(self, in_acme, alice):
        shell = shell_of(alice)
        assert (shell.user_name, shell.initial, shell.role_name) == ("Alice", "A", "マネージャー")

    def test_only_a_consultant_is_told_the_way_back(self, in_acme, alice):
        carol = User.objects.get(mirrored_from__isnull=False)
        assert shell_of(carol).console_url.startswith("http://console.")
        assert shell_of(alice).console_url == ""

    def test_the_switch_of_amounts_wins_over_the_companys_setting(self, in_acme, alice):
        assert shell_of(alice).amount_scale == "one"
        assert shell_of(alice, amount_scale="million").amount_scale == "million"
        assert shell_of(alice, amount_scale="billion").amount_scale == "one"

    def test_the_switch_names_the_companys_currency(self, in_acme, alice):
        assert [scale.label for scale in shell_of(alice).amount_scales] == ["円", "千円", "百万円"]

    def test_an_unknown_theme_is_ignored(self, in_acme, alice):
        assert shell_of(alice, theme="dark").theme == "dark"
        assert shell_of(alice, theme='"><script>').theme == ""


class TestErrorPages:
    @pytest.mark.parametrize("code", ["400", "403", "403_csrf", "404", "500", "503"])
    def test_say_what_to_do_even_without_a_context(self, code):
        written = render_to_string(f"{code}.html")
        assert "<h1>" in written
        assert 'class="button"' in written
        with translation.override("en"):
            assert render_to_string(f"{code}.html") != written


class TestTemplates:
    def test_keep_to_the_content_security_policy(self):
        """No inline handler, no inline style and no script without a nonce survives the policy of the pages."""
        for path in (ROOT / "templates").rglob("*.html"):
            source = path.read_text(encoding="utf-8")
            assert " style=" not in source, path
            assert " onclick=" not in source, path
            for script in source.split("<script")[1:]:
                assert "CSP_NONCE" in script.split(">")[0], path

    def test_turn_every_table_into_two_line_rows_on_a_phone(self):
        """Except spreadsheets, and what is set side by side to be compared."""
        for path in (ROOT / "templates").rglob("*.html"):
            for classes in re.findall(r'<table class="([^"]*)"', path.read_text(encoding="utf-8")):
                assert {"table-phone", "grid", "sheet-lines", "beside"} & set(classes.split()), path

    def test_name_chart_js_in_one_place(self):
        named = [path.name for path in (ROOT / "templates").rglob("*.html") if "chart/chart.js" in path.read_text()]
        assert named == ["chart_scripts.html"]

    def test_find_chart_js_among_the_static_files_in_version_4(self):
        source = Path(finders.find("unfold/js/chart/chart.js")).read_text(encoding="utf-8")
        assert re.findall(r'\bversion="(\d+)\.', source) == ["4"]

    def test_the_form_field_shows_its_error_beside_it(self):
        class DueForm(forms.Form):
            due = forms.DateField(label="Due")

        written = str(DueForm({"due": ""})["due"].as_field_group())
        assert 'aria-invalid="true"' in written
        assert "errorlist" in written

    def test_can_all_be_read(self):
        for path in (ROOT / "templates").rglob("*.html"):
            get_template(str(path.relative_to(ROOT / "templates")))
