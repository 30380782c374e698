"""Being in one company's schema."""

import pytest

from tenants.accounts.models import User
from tenants.context import NoCompanyError, assert_schema, current_company, tenant_context
from tenants.models import Company


class TestTenantContext:
    def test_two_companies_have_their_own_people(self, acme, globex):
        with tenant_context(acme):
            assert User.objects.filter(username="alice").exists()
        with tenant_context(globex):
            assert not User.objects.filter(username="alice").exists()

    def test_returns_to_the_schema_before(self, acme, globex):
        with tenant_context(acme):
            with tenant_context(globex):
                assert current_company() == globex
            assert current_company() == acme
            assert_schema(acme)

    def test_there_is_no_company_in_public(self, db):
        with pytest.raises(NoCompanyError):
            current_company()

    def test_a_company_cannot_be_entered_otherwise(self, acme):
        with pytest.raises(TypeError), acme:
            pass
        with pytest.raises(TypeError):
            acme.activate()

    def test_both_were_provisioned(self, acme, globex):
        assert {acme.status, globex.status} == {"ready"}
        assert Company.objects.count() == 3
