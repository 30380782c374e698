"""The administration wears the product's look."""

import pytest

pytestmark = pytest.mark.django_db


class TestAdministration:
    def test_lists_the_models_in_unfolds_own_way(self, client_for, dave, acme):
        page = client_for(dave, acme).get("/admin/").content.decode()
        assert "/admin/kpis/deal/" in page
        assert "Not available for global schema" not in page

    def test_carries_the_companys_name_the_tokens_and_a_way_back(self, client_for, dave, acme):
        page = client_for(dave, acme).get("/admin/").content.decode()
        assert "css/tokens.css" in page
        assert 'href="/kpis/"' in page

    def test_speaks_japanese_throughout(self, client_for, dave, acme):
        page = client_for(dave, acme).get("/admin/kpis/deal/").content.decode()
        assert "Type to search" not in page
