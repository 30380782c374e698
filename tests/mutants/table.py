"""What each test is for, as a table: a small fault put into the code, and the test that must notice it.

The first fault of an area is tried in the gate, all of them in the proof.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """One fault: in the file `path` the text `old`, which stands there once, becomes `new`; `test` has to fail."""

    path: str
    old: str
    new: str
    test: str

    @property
    def test_file(self) -> str:
        return self.test.partition("::")[0]

    @property
    def test_name(self) -> str:
        return self.test.partition("[")[0].rpartition("::")[2]


TENANTS = "tests/tenants/"
ENGINE = "tests/kpis/engine/"
KEPT = "tests/kpis/api/test_kept_answers.py"
KPIS = "tests/kpis/"
DATA = "tests/integrations/"
REVIEWS = "tests/reviews/"
AGREED = "tests/kpis/targets_agreed/"
LATE = "tests/kpis/pages/test_late_sources.py"
INPUTS = "tests/kpis/inputs/"

AREAS: dict[str, list[Mutant]] = {
    "the schema of a company": [
        Mutant(
            "tenants/backend/base.py",
            "if self.search_path_set_schemas is None and not was_broken:",
            "if self.search_path_set_schemas == was_broken:",
            f"{TENANTS}test_backend.py::TestSearchPath::test_a_failed_set_raises_and_runs_nothing",
        ),
        Mutant(
            "tenants/tasks.py",
            'return self._refuse(kwargs, "It names no company that is ready, so nothing was run.")',
            "return self.run(*args, **kwargs)",
            f"{TENANTS}test_tasks.py::TestCompanyTask::test_without_a_company_runs_nothing_and_leaves_a_dead_letter",
        ),
        Mutant(
            "tenants/tasks.py",
            "DeadLetter.objects.create(",
            "DeadLetter(",
            f"{TENANTS}test_tasks.py::TestCompanyTask::test_without_a_company_runs_nothing_and_leaves_a_dead_letter",
        ),
        Mutant(
            "tenants/tasks.py",
            "Company.objects.ready().filter(id=company_id)",
            "Company.objects.filter(id=company_id)",
            f"{TENANTS}test_tasks.py::TestCompanyTask::test_a_company_that_is_not_ready_runs_nothing",
        ),
        Mutant(
            "tenants/cache.py",
            'f"{connection.schema_name}:{key_prefix}:{version}:{key}"',
            'f"{key_prefix}:{version}:{key}"',
            f"{TENANTS}test_separation.py::TestCache::test_two_companies_never_share_a_key",
        ),
        Mutant(
            "tenants/context.py",
            "    finally:\n        connection.set_tenant(previous)\n\n\n@contextmanager\ndef bare_context",
            "    finally:\n        pass\n\n\n@contextmanager\ndef bare_context",
            f"{TENANTS}test_context.py::TestTenantContext::test_returns_to_the_schema_before",
        ),
        Mutant(
            "kpis/services/streams.py",
            "    FactStream.objects.filter(source=source, fact=fact)",
            "    connection.set_schema(source)\n    FactStream.objects.filter(source=source, fact=fact)",
            f"{TENANTS}test_tasks.py::TestSchemaSwitches::test_there_is_only_one_way",
        ),
    ],
    "the life of a company": [
        Mutant(
            "tenants/middleware.py",
            "if company.status == CompanyStatus.PROVISIONING:",
            "if company.status == company.type:",
            f"{TENANTS}test_hosts.py::TestHosts::test_a_company_in_preparation_says_so",
        ),
        Mutant(
            "tenants/services/provisioning.py",
            "    if missing:\n",
            "    if not existing_tables(company=company):\n",
            f"{TENANTS}test_provisioning.py::TestProvisioning::test_a_missing_table_is_noticed",
        ),
        Mutant(
            "tenants/services/companies.py",
            'f"DROP SCHEMA IF EXISTS {quote_schema_name(company.schema_name)} CASCADE"',
            '"SELECT 1"',
            f"{TENANTS}test_provisioning.py::TestDeleteAndCreateAgain::test_no_old_row_is_visible",
        ),
        Mutant(
            "tenants/services/companies.py",
            "Domain.objects.filter(tenant=company).delete()",
            "Domain.objects.filter(tenant=company).count()",
            f"{TENANTS}test_hosts.py::TestHosts::test_an_archived_company_looks_as_if_it_had_never_been",
        ),
        Mutant(
            "tenants/services/provisioning.py",
            "update(failure=f",
            "update(status=CompanyStatus.READY, failure=f",
            f"{TENANTS}test_provisioning.py::TestProvisioning::test_a_failure_is_written_down_never_served_and_repaired",
        ),
        Mutant(
            "templates/tenants/host_page.html",
            "{{ sentence }}",
            "",
            f"{TENANTS}test_hosts.py::TestHosts::test_an_unknown_host_gets_a_sentence",
        ),
    ],
    "the hand-off": [
        Mutant(
            "tenants/services/grants.py",
            "used_at=None, expires_at__gt=now",
            "expires_at__gt=now",
            f"{TENANTS}test_hand_off.py::TestTicket::test_is_spent_by_its_first_use",
        ),
        Mutant(
            "tenants/services/grants.py",
            "id=hand_off_id, grant__company=company, used_at",
            "id=hand_off_id, used_at",
            f"{TENANTS}test_hand_off.py::TestTicket::test_opens_no_other_company",
        ),
        Mutant(
            "tenants/services/grants.py",
            "used_at=None, expires_at__gt=now",
            "used_at=None",
            f"{TENANTS}test_hand_off.py::TestTicket::test_is_good_for_a_minute",
        ),
        Mutant(
            "tenants/services/grants.py",
            "if not grant.is_live(now):",
            "if not grant.pk:",
            f"{TENANTS}test_hand_off.py::TestTicket::test_needs_the_grant_when_it_is_used",
        ),
        Mutant(
            "tenants/middleware.py",
            "if not (in_time and is_grant_live(",
            "if not (in_time or is_grant_live(",
            f"{TENANTS}test_hand_off.py::TestFromConsoleToClient::test_a_revoked_grant_ends_the_visit",
        ),
        Mutant(
            "tenants/services/grants.py",
            "cache.delete(grant_key(console_user_id))",
            "grant_key(console_user_id)",
            f"{TENANTS}test_hand_off.py::TestFromConsoleToClient::test_a_revoked_grant_ends_the_visit",
        ),
    ],
    "work that waits": [
        Mutant(
            "tenants/services/due.py",
            "ORDER BY turn, next_run_at LIMIT",
            "ORDER BY next_run_at LIMIT",
            f"{TENANTS}test_due.py::TestDispatchDue::test_a_busy_company_does_not_keep_another_waiting",
        ),
        Mutant(
            "tenants/outbox/services.py",
            "ORDER BY turn, id LIMIT",
            "ORDER BY id LIMIT",
            f"{TENANTS}test_outbox.py::TestDispatch::test_companies_take_turns",
        ),
        Mutant(
            "tenants/outbox/services.py",
            "claimable |= Q(state__in=OPEN_STATES)",
            "claimable |= Q()",
            f"{TENANTS}test_outbox.py::TestRunEvent::test_a_message_that_came_twice_runs_once",
        ),
        Mutant(
            "tenants/outbox/services.py",
            "        if event.attempt_count >= MAX_ATTEMPTS:\n            _give_up(event, reason, now)",
            "        if event.attempt_count > MAX_ATTEMPTS:\n            _give_up(event, reason, now)",
            f"{TENANTS}test_outbox.py::TestRunEvent::test_poison_ends_as_a_dead_letter_after_bounded_attempts",
        ),
        Mutant(
            "tenants/services/due.py",
            "AND company.status = %s",
            "AND company.status <> %s || 'x'",
            f"{TENANTS}test_due.py::TestDispatchDue::test_leaves_a_suspended_company_alone",
        ),
    ],
    "facts and what follows from them": [
        Mutant(
            "integrations/services/landing.py",
            "if name in known and known[name] != line.mark",
            "if name in known",
            f"{DATA}services/test_sync.py::TestRunSync::test_changes_nothing_the_second_time",
        ),
        Mutant(
            "kpis/services/dependents.py",
            "(fact, fact_id) SELECT %s, id FROM {rows}",
            "(fact, fact_id) SELECT %s, id FROM {FACT_TABLES[resource]}",
            f"{KPIS}services/test_recompute.py::TestNothingDirty::test_a_changed_row_dirties_only_its_own_periods",
        ),
        Mutant(
            "kpis/services/fact_batch.py",
            "f\"CASE WHEN '{name}' = ANY(n.present) THEN {self.given(name, column)} ELSE f.{name} END AS {name}\"",
            'f"{self.given(name, column)} AS {name}"',
            f"{KPIS}services/test_facts.py::TestUpsert::test_an_absent_field_is_kept_where_another_record_of_the_list_has_it",
        ),
        Mutant(
            "kpis/services/dependents.py",
            "AND outcome IN ('open', 'void')",
            "",
            f"{KPIS}services/test_recompute.py::TestCredit::test_a_later_owner_moves_nothing_on_a_closed_deal",
        ),
        Mutant(
            "kpis/services/dependents.py",
            '"exchange-rates": _OF_CURRENCY,',
            '"exchange-rates": (),',
            f"{KPIS}services/test_recompute.py::TestMoney::test_converts_at_the_days_rate_and_says_where_there_is_none",
        ),
        Mutant(
            "kpis/services/dependents.py",
            " WHERE e.deal_id > 0 AND EXISTS (SELECT FROM kpis_dealphase p WHERE p.step IS NOT NULL)",
            " WHERE false",
            f"{KPIS}services/test_steps.py::TestPassing::test_follows_the_history_and_the_company",
        ),
        Mutant(
            "kpis/services/events.py",
            "AND NOT EXISTS (SELECT FROM kpis_calendarday o WHERE o.day = f.renewal_due_on AND o.month = d.month)",
            "",
            f"{KPIS}services/test_customer_metrics.py::TestDueSet::test_within_the_month_it_is_the_same_renewal",
        ),
        Mutant(
            "kpis/services/organisation.py",
            "    dependents.mark_members(cursor, [current.pk])  # what",
            "    # what",
            f"{KPIS}services/test_recompute.py::TestCredit::"
            "test_who_is_in_no_team_any_more_takes_what_closed_afterwards_out_of_it",
        ),
        Mutant(
            "kpis/services/events.py",
            "JOIN passed p ON p.step >= known.step",
            "JOIN passed p ON p.step = known.step",
            f"{KPIS}services/test_steps.py::TestPassing::test_a_skipped_step_is_passed_with_a_later_one",
        ),
        Mutant(
            "kpis/services/recompute.py",
            "        touched: dict[str, Dates] = dict(exchange.dates)\n",
            "        touched: dict[str, Dates] = {name: each and {max(each)} for name, each in events.items()}\n",
            f"{KPIS}services/test_recompute.py::TestLeads::"
            "test_a_sql_is_dated_by_its_stage_or_its_deal_whichever_is_earlier",
        ),
    ],
    "marketing and sales joined": [
        Mutant(
            "kpis/engine/joining.py",
            "return Link(rule, leads[0]) if len(leads) == 1 else Link(rule, None, leads)",
            "return Link(rule, leads[0])",
            f"{KPIS}joining/test_links.py::TestSeveralLeads::test_are_no_link_but_a_question",
        ),
        Mutant(
            "kpis/services/lead_links.py",
            "    WHERE d.id = asked.id AND ",
            "    WHERE d.id = asked.id AND d.lead_id IS NULL AND ",
            f"{KPIS}joining/test_links.py::TestWhatTheSourceSays::test_is_never_overwritten",
        ),
        Mutant(
            "kpis/services/lead_links.py",
            "    WHERE k.undone_at IS NOT NULL\n",
            "    WHERE false\n",
            f"{KPIS}joining/test_links.py::TestUndo::test_no_rule_brings_back_what_a_person_took_off",
        ),
        Mutant(
            "kpis/services/events.py",
            "      AND NOT EXISTS (SELECT FROM kpis_leadexclusion o WHERE o.lead_id = f.id AND o.is_out)\n",
            "",
            f"{KPIS}joining/test_exclusions.py::TestCardScans::test_a_pile_is_held_back_until_it_is_confirmed",
        ),
        Mutant(
            "kpis/selectors/handovers.py",
            "return False if so_far.least > agreed else None",
            "return None",
            f"{KPIS}joining/test_handovers.py::TestLedger::"
            "test_without_a_contact_it_is_late_as_soon_as_the_time_is_over",
        ),
        Mutant(
            "kpis/selectors/handovers.py",
            "if people is None or row.lead.owner_id in people",
            "if True",
            f"{KPIS}joining/test_handovers.py::TestPage::test_a_member_reads_the_own_leads_and_the_companys_totals",
        ),
    ],
    "what a number means": [
        Mutant(
            "kpis/engine/status.py",
            "Status.MET if each >= ONE",
            "Status.MET if each >= ON_TRACK_FROM",
            f"{ENGINE}test_status.py::TestJudge::test_a_finished_period",
        ),
        Mutant(
            "kpis/engine/status.py",
            'period.state == "open" and period.accumulation == "sum" and period.total',
            'period.state == "open" and period.total',
            f"{ENGINE}test_status.py::TestJudge::test_an_open_period",
        ),
        Mutant(
            "kpis/engine/status.py",
            'AT_RISK_FROM = Decimal("0.85")',
            'AT_RISK_FROM = Decimal("0.80")',
            f"{ENGINE}test_status.py::TestJudge::test_an_open_period",
        ),
        Mutant(
            "kpis/engine/status.py",
            "period.elapsed <= 1",
            "period.elapsed < 1",
            f"{ENGINE}test_status.py::TestJudge::test_no_verdict_before_the_second_business_day",
        ),
        Mutant(
            "kpis/engine/status.py",
            'return ONE + gain if direction == "up" else max(ONE - gain, ZERO)',
            "return ONE + gain",
            f"{ENGINE}test_status.py::TestAchievement::test_by_direction",
        ),
        Mutant(
            "kpis/engine/status.py",
            "return period.usual or usual_share(period.elapsed, period.total)",
            "return usual_share(period.elapsed, period.total)",
            f"{ENGINE}test_status.py::TestDue::test_who_sells_late_is_held_against_the_own_curve",
        ),
        Mutant(
            "kpis/engine/graph.py",
            "if name not in references",
            "if name == code",
            f"{KPIS}test_definitions.py::TestCreateMetric::test_refuses_a_formula_with_an_unknown_name",
        ),
        Mutant(
            "kpis/engine/graph.py",
            "issues.append(\n                Issue(\n                    cycle[0],",
            "[].append(\n                Issue(\n                    cycle[0],",
            f"{KPIS}test_definitions.py::TestCreateMetric::test_refuses_a_formula_that_goes_in_a_circle",
        ),
    ],
    "answers that are kept": [
        Mutant(
            "kpis/selectors/kept.py",
            "kept.version == version and ",
            "",
            f"{KEPT}::TestChanged::test_by_a_service_is_shown_at_once",
        ),
        Mutant(
            "kpis/selectors/kept.py",
            'aggregate(total=Sum("number"))["total"] or 0',
            "count()",
            f"{KEPT}::TestChanged::test_what_was_rolled_back_is_not_shown",
        ),
        Mutant(
            "kpis/selectors/kept.py",
            "(answers_version(), timezone.localdate(now))",
            "(answers_version(),)",
            f"{KEPT}::TestTime::test_a_day_begins_at_midnight_of_the_company",
        ),
        Mutant(
            "kpis/selectors/kept.py",
            "_code(), get_language(), asked)",
            "_code(), asked)",
            f"{KEPT}::TestOwn::test_languages_have_answers_of_their_own",
        ),
        Mutant(
            "kpis/selectors/kept.py",
            " and now < kept.ends_at",
            "",
            f"{KEPT}::TestTime::test_a_source_is_late_at_its_time",
        ),
        Mutant(
            "kpis/api/views/results.py",
            "request.accepted_media_type, named, seen)",
            "request.accepted_media_type, named)",
            f"{KEPT}::TestOwn::test_each_sees_what_is_in_sight",
        ),
    ],
    "sources that are late": [
        Mutant(
            "kpis/engine/freshness.py",
            "start <= min(self.known_until, today)",
            "start <= today",
            f"{LATE}::TestNoZero::test_a_period_that_began_after_the_last_success_has_no_number",
        ),
        Mutant(
            "kpis/engine/freshness.py",
            "None if None in promised else min(",
            "max(",
            f"{LATE}::TestNoZero::test_one_broken_source_of_several_leaves_the_sum_untold",
        ),
        Mutant(
            "kpis/engine/freshness.py",
            "intervals * expected_every + GRACE",
            "intervals * expected_every",
            f"{LATE}::TestLateness::test_an_hourly_source_is_not_late_while_it_is_read",
        ),
        Mutant(
            "kpis/selectors/matrix/counting.py",
            "covered.is_read_since(self.periods.asked[p].end + wait, self.today)",
            "self.periods.asked[p].end + wait <= self.today",
            f"{LATE}::TestNoZero::test_a_cohort_matures_only_as_far_as_the_source_has_told",
        ),
        Mutant(
            "kpis/services/snapshots.py",
            "each in found or (until >= month and each not in gone)",
            "each in found or each not in gone",
            f"{LATE}::TestNoZero::test_no_snapshot_says_that_nothing_is_open",
        ),
        Mutant(
            "kpis/selectors/matrix/computing.py",
            "return shared if is_told else",
            "return shared if shared else",
            f"{REVIEWS}test_late_sources.py::TestWaiting::test_a_period_that_was_not_read_to_its_end_opens_no_miss",
        ),
        Mutant(
            "reviews/registry.py",
            '    on("stream.read", record_told_misses)\n',
            "",
            f"{REVIEWS}test_late_sources.py::TestWaiting::test_it_opens_when_the_source_is_read_again",
        ),
        Mutant(
            "kpis/views/handovers.py",
            "if not told.tells_none(start, end, today):",
            "if told.known_until is None:",
            f"{LATE}::TestHandovers::test_what_nobody_has_told_of_is_not_none",
        ),
        Mutant(
            "integrations/services/runs.py",
            "connection.stopped_at = connection.stopped_at or now",
            "connection.stopped_at = now",
            "tests/integrations/services/test_mending.py"
            "::TestLetter::test_is_sent_once_a_stop_however_often_it_is_tried",
        ),
        Mutant(
            "kpis/services/definitions.py",
            "untold = [] if is_checked or (reason and actor is not None) else [_untold(metric)]",
            "untold = []",
            "tests/kpis/inputs/test_taking_over.py::TestPage::test_refuses_and_leads_to_the_parallel_check",
        ),
    ],
    "targets and closing": [
        Mutant(
            "kpis/services/targets.py",
            "elif period.state == PeriodState.CLOSED:",
            "elif period.state == PeriodState.CLOSED.name:",
            f"{KPIS}test_targets.py::TestSetTarget::test_refuses_a_locked_period",
        ),
        Mutant(
            "kpis/services/periods.py",
            "        lock_cells(periods=[*closing,",
            "        list([*closing,",
            f"{KPIS}test_periods.py::TestClosePeriod::test_later_facts_do_not_move_it",
        ),
        Mutant(
            "kpis/services/periods.py",
            "    if not reason.strip():\n",
            "    if reason is None:\n",
            f"{KPIS}test_periods.py::TestReopenPeriod::test_refuses_without_a_reason",
        ),
        Mutant(
            "kpis/services/periods.py",
            "    recompute(now=now)\n    with transaction.atomic():",
            "    with transaction.atomic():",
            f"{KPIS}test_periods.py::TestClosePeriod::test_counts_facts_that_have_just_arrived",
        ),
        Mutant(
            "kpis/services/recompute.py",
            "note_touched(touched.values())",
            "note_touched([])",
            f"{KPIS}pages/test_late_changes.py::TestTold::test_so_is_a_merged_one",
        ),
        Mutant(
            "kpis/services/comparing.py",
            "if each.refusal is None",
            "if each",
            f"{KPIS}pages/test_late_changes.py::TestDecided::"
            "test_what_was_refused_is_told_again_only_where_it_changes_again",
        ),
        Mutant(
            "kpis/services/restatements.py",
            "        forget_open(grain=period.grain",
            "        dict(grain=period.grain",
            f"{KPIS}pages/test_late_changes.py::TestDecided::test_refusing_leaves_the_number_and_takes_every_mark_off",
        ),
        Mutant(
            "kpis/tasks.py",
            "    note_to_compare(None)",
            "    note_to_compare(set())",
            f"{KPIS}pages/test_late_changes.py::TestCompared::test_every_night_what_no_recompute_touches",
        ),
        Mutant(
            "kpis/services/targets.py",
            "if target.initial_value is None or entry.node.tree.status == TreeStatus.DRAFT:",
            "if target:",
            f"{KPIS}test_targets.py::TestSetTarget::test_a_change_in_an_active_tree_keeps_the_initial_target",
        ),
        Mutant(
            "kpis/selectors/matrix/counting.py",
            "is_covered = has_steps and",
            "is_covered =",
            f"{KPIS}services/test_template_metrics.py::test_without_numbered_steps_nobody_knows",
        ),
        Mutant(
            "kpis/services/definitions.py",
            "        _refuse_reading_anew(metric, changes)",
            "        pass",
            f"{KPIS}test_definitions.py::TestUpdateMetric::test_refuses_to_read_closed_numbers_in_another_way",
        ),
        Mutant(
            "kpis/services/copied_targets.py",
            "if sum(values, Decimal(0)) == totals.get((node, start, line)):",
            "if not values:",
            f"{KPIS}test_trees.py::TestCopyOfTargets::test_what_added_up_adds_up_again",
        ),
    ],
    "from a number to its records": [
        Mutant(
            "kpis/selectors/matrix/axes.py",
            '    successors = _successors() if org == "now" else {}\n',
            "    successors: dict[int, int] = {}\n",
            f"{KPIS}pages/test_budget_table.py::TestOrganisation::test_a_number_leads_to_the_records_of_both",
        ),
        Mutant(
            "kpis/selectors/budget_table.py",
            "        return difference if abs(difference) > ROUNDING else None\n",
            "        return None\n",
            f"{KPIS}pages/test_budget_table.py::TestMonthsBesideTheirQuarter::test_says_by_how_much_and_why",
        ),
        Mutant(
            "kpis/renderings/budgets.py",
            " - shown) > ROUNDING:\n",
            " - shown) < 0:\n",
            f"{KPIS}pages/test_budget_table.py::TestMonthsBesideTheirQuarter"
            "::test_the_workbook_writes_the_total_with_a_note",
        ),
        Mutant(
            "kpis/selectors/closing_dues.py",
            "closing is not None and closing < today",
            "closing is not None and closing <= today",
            f"{KPIS}pages/test_closing.py::TestDues::test_on_its_day_it_is_in_time",
        ),
        Mutant(
            "kpis/services/evidence.py",
            "before != after and any(then.shares.get(who) != now.shares.get(who) for who in customers)",
            "before != after and bool(customers)",
            f"{KPIS}services/test_evidence.py::TestCustomersWithPast"
            "::test_what_an_old_customer_ordered_late_makes_nobody_new",
        ),
        Mutant(
            "kpis/selectors/details.py",
            "return (row.fiscal_year.start_year - 1, row.ordinal) if",
            "return (row.fiscal_year.start_year, row.ordinal) if",
            f"{KPIS}pages/test_details.py::TestDetail::test_last_year_stands_beside_in_chart_and_table",
        ),
    ],
    "working back from the goal": [
        Mutant(
            "kpis/engine/back_calculation/timing.py",
            "weights[places[start] - lag] += part",
            "weights[places[start] - profile.most] += part",
            f"{ENGINE}test_back_calculation.py::TestProfile::"
            "test_run_forward_through_the_same_profile_it_is_the_goal_month_by_month",
        ),
        Mutant(
            "kpis/selectors/back_calculation/history.py",
            "None if absence == Absence.MATURING else pair",
            "pair",
            f"{KPIS}test_back_calculation.py::TestInsideSales::test_its_own_rate_leaves_out_what_may_still_convert",
        ),
        Mutant(
            "kpis/selectors/back_calculation/lags.py",
            "profile if profile.is_reliable else None",
            "profile",
            f"{KPIS}test_back_calculation.py::TestLeadTimes::test_too_few_orders_are_no_habit_so_their_median_counts",
        ),
        Mutant(
            "kpis/services/catalogue.py",
            "if is_defined_otherwise(code, newest_specs()):",
            "if code not in newest_specs():",
            f"{KPIS}test_catalogue.py::test_a_code_that_the_company_defines_otherwise_is_not_taken_over_silently",
        ),
    ],
    "targets that people agree to": [
        Mutant(
            "kpis/engine/approval.py",
            "if standing.is_proposer or standing.has_decided or done >= steps:",
            "if standing.has_decided or done >= steps:",
            f"{ENGINE}test_approval.py::TestMayDecide::test_not_even_an_owner_decides_on_the_own_proposal",
        ),
        Mutant(
            "kpis/services/targets.py",
            "            _refuse_unapproved([each.entry for each in changes], actor, now)",
            "            pass",
            f"{AGREED}test_requests.py::TestNeedsApproval::test_a_target_in_force_is_not_set_by_who_needs_approval",
        ),
        Mutant(
            "kpis/selectors/approvals.py",
            "        return bool(self.led & higher)",
            "        return bool(self.led)",
            f"{AGREED}test_requests.py::TestApprove::test_nor_does_a_peer_or_who_stands_in_for_the_proposer",
        ),
        Mutant(
            "kpis/services/target_requests.py",
            "    _refuse_changed(open_cells, entries)",
            "    len(entries)",
            f"{AGREED}test_requests.py::TestApprove::test_a_target_changed_after_the_proposal_is_not_overwritten",
        ),
        Mutant(
            "kpis/services/confirmations.py",
            "if row.confirmed_at is None and row.at <= seen_at]",
            "if row.confirmed_at is None]",
            f"{AGREED}test_pages.py::TestConfirming::test_what_was_set_after_looking_is_not_confirmed",
        ),
        Mutant(
            "kpis/selectors/target_gaps.py",
            "if not above & aimed[start]:",
            "if start:",
            f"{AGREED}test_levels.py::TestLevels::test_teams_below_teams_do_not_count_twice",
        ),
        Mutant(
            "kpis/services/leavers.py",
            "before + held.rest",
            "held.rest",
            f"{AGREED}test_levels.py::TestLeaver::test_moves_the_rest_and_keeps_every_sum",
        ),
        Mutant(
            "kpis/engine/proration.py",
            "before.whole, before.handed, value - before.kept",
            "value, before.handed, ZERO",
            f"{KPIS}api/test_proposals.py::TestAskedAgain::test_proposes_the_same_and_changes_nothing",
        ),
        Mutant(
            "kpis/engine/proration.py",
            "return self.whole - self.kept - self.handed",
            "return self.whole - self.kept",
            f"{KPIS}api/test_proposals.py::TestAskedAgain::test_nothing_is_handed_over_twice",
        ),
        Mutant(
            "kpis/selectors/leavers.py",
            "person.left_on >= period.end_date",
            "person.left_on >= period.start_date",
            f"{AGREED}test_levels.py::TestLeaver::test_what_remains_begins_after_the_last_day",
        ),
        Mutant(
            "kpis/models/targets.py",
            "return super().get_queryset().exclude(value=None)",
            "return super().get_queryset()",
            f"{KPIS}test_targets.py::TestRemoveTarget::test_is_a_revision_and_no_target_to_any_reader",
        ),
        Mutant(
            "kpis/models/targets.py",
            "return self.filter(Q(request=None) | Q(request__status=RequestStatus.APPROVED))",
            "return self.all()",
            f"{KPIS}pages/test_back_calculation.py::TestWho::test_what_needs_approval_is_proposed",
        ),
        Mutant(
            "kpis/engine/status.py",
            "        return target / actual",
            "        return actual / target",
            f"{ENGINE}test_status.py::TestAchievement::test_lower_is_better_as_target_by_actual",
        ),
        Mutant(
            "kpis/selectors/details.py",
            'revisions.order_by("-number")',
            'revisions.order_by("number")',
            f"{KPIS}pages/test_details.py::TestDetail::test_lists_targets_with_their_history_newest_first",
        ),
    ],
    "who sees what": [
        Mutant(
            "kpis/selectors/visibility.py",
            "    if scope == Scope.ALL:\n        return OPEN",
            "    if scope != Scope.NONE:\n        return OPEN",
            f"{KPIS}api/test_matrix.py::TestSight::test_a_member_sees_the_own_row_and_company_totals",
        ),
        Mutant(
            "integrations/permissions.py",
            "Scope.READ: READ,",
            "Scope.READ: READ + WRITE,",
            f"{KPIS}api/test_common.py::TestScopes::test_a_reading_key_writes_nothing",
        ),
        Mutant(
            "integrations/services/api_keys.py",
            "if key.revoked_at is not None:",
            "if key.pk is None:",
            f"{DATA}api/test_authentication.py::TestApiKeyAuthentication::test_refuses_a_revoked_key",
        ),
        Mutant(
            "integrations/services/api_keys.py",
            "if not hmac.compare_digest(expected, _hash(text)) or key is None:",
            "if key is None:",
            f"{DATA}api/test_authentication.py::TestApiKeyAuthentication"
            "::test_refuses_the_right_prefix_with_another_secret",
        ),
        Mutant(
            "integrations/services/api_keys.py",
            "prefix=prefix, secret_hash=_hash(text)",
            "prefix=prefix, secret_hash=text",
            f"{DATA}api/test_authentication.py::TestKeys::test_keeps_only_a_hash",
        ),
        Mutant(
            "reviews/selectors/sight.py",
            "    reach = reach_of(user, scope, today=today)\n    return actions.filter(",
            "    reach = reach_of(user, scope, today=today)\n    return actions or actions.filter(",
            f"{REVIEWS}test_pages.py::TestActions::test_a_member_sees_and_changes_only_own_ones",
        ),
        Mutant(
            "tenants/capabilities.py",
            "Role.VIEWER: {Capability.READ_RESULTS: Scope.TEAM,",
            "Role.VIEWER: {Capability.LOG_ACTIONS: Scope.OWN, Capability.READ_RESULTS: Scope.TEAM,",
            f"{TENANTS}test_separation.py::TestCapabilities::test_follow_from_the_role",
        ),
    ],
    "broken files": [
        Mutant(
            "integrations/connectors/workbook.py",
            "if said := blanked.get(number):",
            "if said := blanked.get(-number):",
            f"{DATA}services/test_broken_files.py::test_a_bad_cell_of_a_workbook_keeps_its_row_out",
        ),
        Mutant(
            "integrations/connectors/workbook.py",
            'if b"<!DOCTYPE" in text or b"<!ENTITY" in text:',
            "if not text:",
            f"{DATA}services/test_broken_files.py::test_a_broken_file_is_refused_whole[a-file-of-the-server]",
        ),
        Mutant(
            "integrations/connectors/file.py",
            'if used == "cp932" and _is_euc(data):',
            "if not used:",
            f"{DATA}services/test_broken_files.py::test_a_broken_file_is_refused_whole[EUC-JP]",
        ),
        Mutant(
            "integrations/connectors/values.py",
            "return text if _MORE_THAN_DIGITS.search(text) else",
            "return",
            f"{DATA}services/test_broken_files.py::test_a_bad_cell_keeps_its_row_out",
        ),
    ],
    "sources": [
        Mutant(
            "integrations/connectors/base.py",
            "reached = min(window.seen, window.started)",
            "reached = max(window.seen, window.started)",
            f"{DATA}connectors/test_acceptance.py::TestTwentyWaysItGoesWrong::test_04_a_stamp_of_the_future_hides_nothing",
        ),
        Mutant(
            "integrations/services/pulling.py",
            "None if each.is_gone else each.values",
            "each.values",
            f"{DATA}services/test_remapping.py::TestMappingAgain::test_does_not_bring_back_what_was_deleted",
        ),
        Mutant(
            "integrations/services/runs.py",
            "    if run.kind == RunKind.SYNC:\n        _note_success(",
            "    if run.kind:\n        _note_success(",
            f"{DATA}services/test_remapping.py::TestAChangedMapping::test_says_nothing_about_freshness",
        ),
        Mutant(
            "integrations/services/runs.py",
            "        note_read(run=run, at=None)\n",
            "",
            f"{DATA}services/test_rhythms.py::TestFailing::test_what_failed_by_hand_is_tried_again_soon_though_it_was_not_due",
        ),
        Mutant(
            "integrations/services/runs.py",
            "is_troubled = outcome.is_partial or (bool(run.streams) and has_troubled_stream(connection=connection))",
            "is_troubled = outcome.is_partial",
            f"{DATA}services/test_rhythms.py::TestFailing::test_one_broken_stream_neither_stops_the_others_nor_is_forgotten",
        ),
        Mutant(
            "integrations/services/rhythms.py",
            "if each.at <= along] if is_any_due else []",
            "if each.at <= now] if is_any_due else []",
            f"{DATA}services/test_rhythms.py::TestDue::test_what_is_due_almost_at_once_is_read_along",
        ),
        Mutant(
            "integrations/services/consent.py",
            "    if {name: said[name] for name in _binding(actor)} != _binding(actor):\n        raise lost\n",
            "",
            f"{DATA}views/test_consent.py::TestRefused::test_the_state_of_somebody_else",
        ),
        Mutant(
            "integrations/forms/vendors.py",
            "return self.kept if self.kept and read(self.kept) == read(written) else written",
            "return written",
            f"{DATA}views/test_vendors.py::TestEdit::test_saving_what_is_shown_changes_nothing",
        ),
        Mutant(
            "integrations/services/sources.py",
            'return f"{current_company().pk}:{connection.kind}:{place}"',
            "return str(connection.public_id)",
            f"{DATA}services/test_budgets.py::TestAccounts::test_together_they_get_what_one_would",
        ),
        Mutant(
            "integrations/services/retention.py",
            "    old.exclude(brought).delete()",
            "    old.delete()",
            f"{DATA}services/test_retention.py::TestRuns::test_old_ones_keep_their_counts_and_those_that_brought_nothing_go",
        ),
        Mutant(
            "integrations/connectors/changes.py",
            "withdrawn = sorted((before | gone) - {_id_of",
            "withdrawn = sorted(gone - {_id_of",
            f"{DATA}services/test_pulling.py::TestReading::test_elements_of_a_list_come_and_go",
        ),
        Mutant(
            "integrations/services/credentials.py",
            "if {name: content.get(name) for name in _binding(connection)} != _binding(connection):",
            "if not content:",
            f"{DATA}services/test_credentials.py::test_does_not_open_at_another_row",
        ),
        Mutant(
            "integrations/connectors/hooks.py",
            "if abs(now.timestamp() - int(stamp) / 1000) > OLDEST_CALL.total_seconds():",
            "if not now:",
            f"{DATA}connectors/test_hooks.py::TestHubSpot::test_a_call_of_another_time_is_none",
        ),
        Mutant(
            "integrations/services/refetching.py",
            "or record.updated_at >= known[record.external_id]",
            "or known",
            f"{DATA}views/test_hooks.py::TestFetching::test_18_an_index_that_lags_does_not_bring_the_past_back",
        ),
        Mutant(
            "integrations/connectors/comparison.py",
            "return self.listed_count > 0 and (",
            "return bool(self.known_count) and (",
            f"{DATA}services/test_comparing.py::TestGuards::test_an_empty_list_withdraws_nothing_and_asks_a_person",
        ),
        Mutant(
            "integrations/services/comparing.py",
            "if each.is_gone and each.external_id in doubtful]",
            "if each.external_id in doubtful]",
            f"{DATA}services/test_comparing.py::TestGuards::test_only_the_source_itself_says_that_a_record_is_gone",
        ),
        Mutant(
            "integrations/connectors/presets/proposing.py",
            "if there.keys() >= set(way.columns)",
            "if way.field",
            f"{DATA}services/test_source_presets.py::TestSalesforce::test_a_hidden_field_is_left_out_by_name_and_the_rest_is_read",
        ),
        Mutant(
            "integrations/services/presets.py",
            "if (wish.reads, wish.resource) in taken:",
            "if wish.reads in taken:",
            f"{DATA}services/test_source_presets.py::TestPropose::test_a_stream_that_is_mapped_already_stays_as_it_is",
        ),
        Mutant(
            "integrations/services/presets.py",
            "if mapping.stream in in_force:",
            "if mapping.resource in {}:",
            f"{DATA}services/test_source_presets.py::TestTake::test_is_refused_whole_where_somebody_was_faster",
        ),
        Mutant(
            "integrations/connectors/presets/kintone.py",
            "if each.kind in labels.kinds]",
            "if each.kind]",
            f"{DATA}services/test_source_presets.py::TestKintone::test_a_field_of_another_type_is_not_taken_for_it",
        ),
        Mutant(
            "integrations/connectors/presets/salesforce.py",
            'skip_blank=("CompletedDateTime",)',
            "skip_blank=()",
            f"{DATA}services/test_source_presets.py::TestSalesforce::test_its_standard_objects_become_facts_that_know_each_other",
        ),
        Mutant(
            "integrations/forms/mappings.py",
            'for way in ("column", "template")',
            'for way in ("column",)',
            f"{DATA}views/test_preset_page.py::TestPage::test_the_editor_shows_the_words_of_a_template_and_keeps_their_meanings",
        ),
        Mutant(
            "integrations/connectors/eras.py",
            'if day < date.fromisoformat(each["until"])]',
            'if day <= date.fromisoformat(each["until"])]',
            f"{DATA}connectors/test_eras.py::TestEras::test_13_a_word_means_what_it_meant_on_its_day",
        ),
        Mutant(
            "kpis/engine/same_people.py",
            "if max(Counter(each.source for each in group).values()) > 1:",
            "if False:",
            f"{KPIS}joining/test_same_people.py::TestByAddress::test_an_address_that_several_share_is_nobodys",
        ),
        Mutant(
            "integrations/services/pulling.py",
            "            reading.position = begun_anew(reading.position)\n",
            "            pass\n",
            f"{DATA}services/test_pulling.py::TestFailing::"
            "test_06_a_stream_that_gives_fewer_than_it_counts_is_partial_and_read_again",
        ),
        Mutant(
            "integrations/services/storing.py",
            "settle(run=self._run, stream=part.mapping.stream, records=part.records, file=file)",
            "pass",
            f"{DATA}views/test_missing.py::TestOfASource::test_goes_when_the_source_mends_the_record",
        ),
        Mutant(
            "integrations/services/listing.py",
            "UNION TABLE listed UNION TABLE refused)",
            "UNION TABLE listed)",
            f"{DATA}views/test_missing.py::TestOfASource::"
            "test_goes_by_the_comparison_when_the_source_tells_no_deletion",
        ),
        Mutant(
            "integrations/services/retention.py",
            "old.filter(is_standing=False).delete()",
            "old.delete()",
            f"{DATA}services/test_retention.py::TestRejected::"
            "test_one_that_is_still_not_imported_is_never_forgotten_only_what_the_source_said",
        ),
        Mutant(
            "integrations/services/pulling.py",
            "return 0 if None in expected else sum",
            "return sum",
            f"{DATA}services/test_progress.py::TestRest::"
            "test_one_stream_without_a_total_leaves_it_unknown_until_that_is_read[leads]",
        ),
        Mutant(
            "integrations/services/pulling.py",
            "return _Reading(stands) if lacked is None else _Reading(lacked, later=stands)",
            "return _Reading(stands)",
            f"{DATA}services/test_drift.py::TestFields::"
            "test_11_the_stream_goes_on_without_it_and_what_changed_meanwhile_comes_when_it_is_back",
        ),
        Mutant(
            "kpis/services/fact_batch.py",
            'wanted, "deleted_at IS NULL")',
            "wanted)",
            f"{DATA}services/test_merging.py::TestMerge::test_08_later_references_to_the_merged_one_find_who_is_left",
        ),
    ],
    "files": [
        Mutant(
            "integrations/services/storing.py",
            "    @transaction.atomic\n    def store(",
            "    def store(",
            f"{DATA}services/test_faults.py::test_a_killed_worker_loses_and_doubles_nothing",
        ),
        Mutant(
            "integrations/connectors/file.py",
            "    if size > max_bytes:",
            "    if size > max_bytes * 1000:",
            f"{DATA}connectors/test_file.py::TestFileTypes::test_refuses_a_200_mb_file_before_reading_it",
        ),
        Mutant(
            "integrations/services/deliveries.py",
            "files = {**_files_done(run, delivery), delivery.file.name: done}",
            "files = {**_files_done(run, delivery), delivery.file.name: done + 1}",
            f"{DATA}services/test_faults.py::test_a_killed_worker_loses_and_doubles_nothing",
        ),
        Mutant(
            "integrations/connectors/file.py",
            "text = data.decode(encoding)\n",
            'text = data.decode(encoding, errors="replace")\n',
            f"{DATA}services/test_sync.py::TestNothingIsHalfImported"
            "::test_a_file_with_a_broken_byte_stores_nothing_of_its_neighbours",
        ),
        Mutant(
            "integrations/connectors/mapping.py",
            '    if missing:\n        raise ConnectorError(\n            "data", "missing_column"',
            '    if not headings:\n        raise ConnectorError(\n            "data", "missing_column"',
            f"{DATA}services/test_sync.py::TestNothingIsHalfImported::test_a_missing_column_is_named",
        ),
        Mutant(
            "integrations/connectors/file.py",
            "if head.startswith(signature):",
            "if head == signature:",
            f"{DATA}connectors/test_file.py::TestFileTypes::test_refuses_what_only_calls_itself_csv",
        ),
    ],
    "files of any headings": [
        Mutant(
            "integrations/connectors/recognising.py",
            "LEAST_SHARE * len(nearest)",
            "0",
            f"{DATA}views/test_kinds_of_file.py::TestOtherHeadings"
            "::test_a_file_of_no_known_kind_is_refused_whole_naming_what_is_missing",
        ),
        Mutant(
            "integrations/connectors/recognising.py",
            "nearest = max(kinds",
            "nearest = min(kinds",
            f"{DATA}views/test_kinds_of_file.py::TestTaking::test_tells_two_kinds_apart",
        ),
        Mutant(
            "integrations/services/samples.py",
            "        check_headings(table)\n",
            "",
            f"{DATA}views/test_kinds_of_file.py::TestFromASample"
            "::test_refuses_what_cannot_be_a_sample_and_keeps_nothing",
        ),
        Mutant(
            "integrations/services/samples.py",
            "headings=tuple(file.headings) if mapping.headings else ()",
            "headings=mapping.headings",
            f"{DATA}views/test_kinds_of_file.py::TestOtherHeadings::test_are_learned_from_another_sample",
        ),
        Mutant(
            "integrations/connectors/deciding.py",
            "        self._tally.unmapped[rule.field, text] += count\n",
            "",
            f"{DATA}views/test_open_words.py::TestStages"
            "::test_a_word_of_the_source_dates_the_mql_and_an_unsaid_one_is_counted",
        ),
        Mutant(
            "integrations/connectors/deciding.py",
            "value = referred(value)",
            "value = str(value)",
            f"{DATA}views/test_open_words.py::TestPeople::test_a_name_is_said_to_be_a_person_of_another_source",
        ),
        Mutant(
            "integrations/forms/custom.py",
            "if not there or any(_is_code(cell) for cell in there):",
            "if not there:",
            f"{DATA}views/test_own_fields.py::TestOwnFields"
            "::test_is_added_by_its_name_and_filled_with_the_type_of_the_sample",
        ),
        Mutant(
            "integrations/connectors/salesforce/soql.py",
            'PARTS.get(name, "")',
            '""',
            f"{DATA}connectors/test_salesforce.py::TestSelecting"
            "::test_of_the_history_of_leads_only_changes_of_the_status_are_read",
        ),
    ],
    "a client's own sheet": [
        Mutant(
            "kpis/services/sheet_start.py",
            "if plan.digest != seen:",
            "if not plan:",
            f"{KPIS}services/test_sheet_start.py::TestWholeOrNotAtAll::test_what_was_not_shown_is_not_made",
        ),
        Mutant(
            "kpis/selectors/sheet_start/plan.py",
            "elif number.start in self.closed:",
            "elif not number.start:",
            f"{KPIS}services/test_sheet_start.py::TestCellsThatAreNotTaken::test_a_closed_month_stays_and_the_rest_is_taken",
        ),
        Mutant(
            "kpis/selectors/sheet_start/plan.py",
            "elif kind not in _AIMS and span.start_date > self.today:",
            "elif kind not in _AIMS and not span:",
            f"{KPIS}services/test_sheet_start.py::TestCellsThatAreNotTaken::test_a_zero_in_a_month_to_come_is_no_actual",
        ),
        Mutant(
            "kpis/selectors/sheet_start/plan.py",
            "value = value.quantize(_PLACES)",
            "value = +value",
            f"{KPIS}services/test_sheet_start.py::TestStart::test_numbers_with_more_digits_than_are_stored_do_not_change_every_time",
        ),
        Mutant(
            "kpis/selectors/sheet_start/plan.py",
            "cell.month.moved(-1) if kind is Kind.PREVIOUS_YEAR else cell.month",
            "cell.month",
            f"{KPIS}services/test_sheet_start.py::TestStart::test_the_previous_year_becomes_actuals_a_year_earlier",
        ),
        Mutant(
            "kpis/selectors/sheet_start/choices.py",
            "by_id[next(iter(ids))] if len(ids) == 1 else None",
            "by_id[next(iter(ids))]",
            f"{KPIS}services/test_sheet_start.py::TestRowsAndNames::test_two_of_the_same_name_are_not_guessed",
        ),
        Mutant(
            "kpis/engine/cross_tab/sums.py",
            "set(columns[0]).intersection(*columns[1:])",
            "set(columns[0]).union(*columns[1:])",
            f"{KPIS}services/test_sheet_start.py::TestRowsAndNames::test_without_a_total_the_company_is_the_sum_where_everybody_has_a_number",
        ),
        Mutant(
            "kpis/engine/cross_tab/reading.py",
            "return Decimal(100) if largest >= _PLAINLY_PERCENT else None",
            "return Decimal(100)",
            f"{ENGINE}test_cross_tab.py::TestValues::test_a_rate_that_could_be_both_is_not_guessed",
        ),
        Mutant(
            "kpis/engine/cross_tab/checks.py",
            "if stated == computed:",
            "if stated:",
            f"{ENGINE}test_cross_tab.py::TestSheets::test_says_what_people_read_in_it",
        ),
    ],
    "the checklist": [
        Mutant(
            "kpis/selectors/checklist.py",
            "if months < due:",
            "if not months:",
            f"{KPIS}test_checklist.py::TestItems::test_the_goal_needs_a_whole_year_of_targets",
        ),
        Mutant(
            "integrations/selectors/checklist.py",
            "return Carries.BOTH in carried or {Carries.SFA, Carries.MA} <= carried",
            "return bool(carried)",
            f"{DATA}selectors/test_checklist.py::TestAutomatic::test_is_done_with_both_systems_and_automatic_kpis",
        ),
        Mutant(
            "kpis/selectors/checklist.py",
            "if not factor.reason.strip():",
            "if factor.reason is None:",
            f"{KPIS}test_checklist.py::TestItems::test_a_factor_says_why_and_has_a_kpi",
        ),
        Mutant(
            "kpis/selectors/checklist.py",
            '        step = _("No back-calculation from the KGI has been applied yet.")\n',
            "        return ItemState(ItemStatus.DONE, evidence)\n",
            f"{KPIS}test_checklist.py::TestItems::test_worked_back_stays_in_progress_and_names_what_hangs_loose",
        ),
        Mutant(
            "integrations/selectors/checklist.py",
            "if each.promised_every is not None and each.carries",
            "if each.carries",
            f"{DATA}selectors/test_checklist.py::TestAutomatic::test_needs_a_schedule",
        ),
        Mutant(
            "integrations/selectors/checklist.py",
            'MANUAL_SHARE = Decimal("0.20")',
            'MANUAL_SHARE = Decimal("0.95")',
            f"{DATA}selectors/test_checklist.py::TestManualEntry::test_allows_a_fifth_of_the_values",
        ),
        Mutant(
            "integrations/selectors/checklist.py",
            "LATE_BY = 2\n",
            "LATE_BY = 200\n",
            f"{DATA}selectors/test_checklist.py::TestFrequency::test_regresses_when_one_is_late_by_two_intervals",
        ),
        Mutant(
            "kpis/selectors/checklist.py",
            "if is_told and matrix.target[n][0][0] is not None:",
            "if matrix.target[n][0][0] is not None:",
            f"{KPIS}test_checklist.py::TestItems::test_target_stands_beside_actual_where_data_comes",
        ),
        Mutant(
            "kpis/selectors/checklist.py",
            "if told >= TREND_PERIODS:",
            "if told:",
            f"{KPIS}test_checklist.py::TestItems::test_trends_need_six_periods",
        ),
        Mutant(
            "kpis/selectors/checklist.py",
            "if best[-1][1] >= FILLED_SHARE and unassigned <= UNASSIGNED_SHARE:",
            "if best[0][1] >= FILLED_SHARE:",
            f"{KPIS}test_checklist.py::TestItems::test_segments_are_filled_or_named",
        ),
    ],
    "misses, actions and meetings": [
        Mutant(
            "reviews/engine/misses.py",
            "return start_date is None or period_start >= start_date",
            "return True",
            f"{REVIEWS}test_misses.py::TestRecordMisses::test_periods_before_the_start_date_are_recorded_and_not_asked",
        ),
        Mutant(
            "reviews/engine/misses.py",
            "if segment not in missed and not stored.is_withdrawn:",
            "if segment in missed and not stored:",
            f"{REVIEWS}test_misses.py::TestRecordMisses::test_withdraws_what_closing_shows_as_met",
        ),
        Mutant(
            "reviews/services/misses.py",
            "if end == DecisionKind.ACCEPTED and not reason:",
            "if end == DecisionKind.ACCEPTED and reason is None:",
            f"{REVIEWS}test_misses.py::TestAnswerMiss::test_accepting_needs_a_reason",
        ),
        Mutant(
            "reviews/services/meetings.py",
            "    freeze_items(items=list(meeting.agenda_items",
            "    len(list(meeting.agenda_items",
            f"{REVIEWS}test_meetings.py::TestOpenMeeting::test_freezes_the_numbers_and_shows_later_ones_beside",
        ),
        Mutant(
            "reviews/services/meetings.py",
            "        carry_over(items=undecided, meeting=ensure",
            "        carry_over(items=undecided.none(), meeting=ensure",
            f"{REVIEWS}test_meetings.py::TestCloseMeeting::test_carries_what_was_not_decided",
        ),
        Mutant(
            "reviews/services/meetings.py",
            "else writable.filter(minutes_version=base_version)",
            "else writable",
            f"{REVIEWS}test_meetings.py::TestMinutes::test_nobodys_words_are_overwritten",
        ),
    ],
    "causes from a shipped template": [
        Mutant(
            "kpis/selectors/contributions/lags.py",
            "return read_lag(start=start, of=of, end=end,",
            "return read_lag(start=start, end=end,",
            "tests/kpis/test_template_causes.py::test_referrals_answer_only_for_the_orders_that_came_of_referrals",
        ),
        Mutant(
            "kpis/selectors/matrix/computing.py",
            "if counts_each_once(row.metric.code, self.definitions):",
            "if False:",
            "tests/kpis/test_template_causes.py::test_customers_of_months_are_no_target_of_a_quarter",
        ),
    ],
    "templates of the consultancy": [
        Mutant(
            "kpis/engine/templates/merging.py",
            'return "" if before == mine else OWN_CHANGE',
            'return ""',
            f"{ENGINE}test_template_merging.py::TestMerge::test_own_changes_survive",
        ),
        Mutant(
            "kpis/library/services.py",
            "            if not is_allowed:",
            "            if is_allowed is None:",
            f"{KPIS}library/test_services.py::TestPush::test_needs_a_grant_when_asked_for_and_when_it_arrives",
        ),
        Mutant(
            "kpis/services/template_use.py",
            "spec=specs.to_data(metric.spec), effective_from=_next_month(self.now), **self.acting",
            "spec=specs.to_data(metric.spec), **self.acting",
            f"{KPIS}test_template_use.py::TestOffer::test_a_definition_holds_from_the_next_month_and_closed_numbers_stay",
        ),
        Mutant(
            "kpis/library/services.py",
            "pushes.filter(public_id=push_id, company_id=company.id, status=status)",
            "pushes.filter(public_id=push_id, status=status)",
            f"{KPIS}library/test_services.py::TestPush::test_a_push_of_another_company_is_not_found",
        ),
    ],
    "typed values": [
        Mutant(
            "kpis/services/entries.py",
            "        if is_first:",
            "        if is_first is None:",
            f"{INPUTS}test_entries.py::test_the_first_of_two_who_type_at_once_stays",
        ),
        Mutant(
            "kpis/engine/inputs.py",
            "            return each",
            "            continue",
            f"{INPUTS}test_entries.py::TestNoValue::test_a_quarter_with_a_month_without_data_has_no_sum",
        ),
        Mutant(
            "kpis/selectors/inputs.py",
            " and (owner is None or self.is_late)",
            "",
            f"{INPUTS}test_page.py::TestWhose::test_the_deputy_sees_it_once_it_is_late",
        ),
        Mutant(
            "kpis/engine/inputs.py",
            " or reminded.last_on == today:",
            ":",
            f"{INPUTS}test_reminders.py::test_twice_on_a_day_sends_once",
        ),
        Mutant(
            "kpis/engine/parallel.py",
            "elif not is_complete:",
            "elif None:",
            f"{INPUTS}test_parallel.py::TestMonths::test_a_source_that_was_not_read_since_differs_from_nothing",
        ),
        Mutant(
            "kpis/services/parallel.py",
            "if equal >= check.months_needed or (reason.strip() and actor is not None):",
            "if check:",
            f"{INPUTS}test_parallel.py::TestSwitch::test_too_early_needs_a_person_with_a_reason",
        ),
    ],
}
MUTANTS = [mutant for mutants in AREAS.values() for mutant in mutants]
IN_THE_GATE = [mutant for mutants in AREAS.values() for mutant in mutants[:1]]
