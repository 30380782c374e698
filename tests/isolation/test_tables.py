"""Every table of each kind of schema, by app. A new model belongs into exactly one of the lists, on purpose."""

from tenants.services.provisioning import existing_tables

# Routing, lifecycle and schedule: ids only, since every company's connection can read them.
PUBLIC = {
    "django": "migrations",
    "outbox": "event",
    "tenants": "company consultantgrant deadletter domain duesync handoff",
}
# Who signs in and what was done: each company and the console have their own.
USERS = {
    "accounts": "user user_groups user_user_permissions",
    "auditlog": "logentry",
    "auth": "group group_permissions permission",
    "axes": "accessattempt accessattemptexpiration accessfailurelog accesslog",
    "django": "admin_log content_type migrations session",
    "otp_totp": "totpdevice",
}
CONSOLE = USERS | {
    "console": "companyhealth companyrequest",
}
COMPANY = USERS | {
    "company_settings": "companysettings",
    "integrations": "apikey checkpoint connection fieldmapping rawrecord rejectedrecord sourcefile syncrun upload",
    "kpis": (
        "account activity calendarday calendarrule companyholiday contract deal dealcredit dealline "
        "dealstageevent dimension dimensionmember dirtyfact dirtyrange exchangerate externalidentity "
        "factchange factstream fiscalyear kpievent kpinode kpitree lead leadstageevent lockedcell manualentry "
        "measureblock metric metricversion order period periodtransition person product revenueline "
        "surveyresponse target targetrevision team team_succeeds teamleader teammembership "
        "unresolvedreference"
    ),
    "reviews": "action actionchange agendaitem decision meeting meetingseries miss",
}


def tables_of(kind: dict[str, str]) -> set[str]:
    return {f"{app}_{name}" for app, names in kind.items() for name in names.split()}


class TestTables:
    def test_public_holds_ids_only(self, db):
        assert existing_tables(company=None) == tables_of(PUBLIC)

    def test_the_console_holds_users_and_summaries(self, console):
        assert existing_tables(company=console) == tables_of(CONSOLE)

    def test_a_company_holds_all_that_is_its_own(self, acme):
        assert existing_tables(company=acme) == tables_of(COMPANY)

    def test_companies_are_alike(self, acme, globex):
        assert existing_tables(company=acme) == existing_tables(company=globex)
