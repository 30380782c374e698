"""The closed lists of this floor, and the sentence behind every problem code."""

from collections.abc import Mapping
from typing import Any

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

# How long what a source said is kept: a year and a little, so that a changed mapping reaches the last year's months.
KEEP_DAYS, KEEP_AT_MOST_DAYS = 400, 3650

# The due work of looking at a connection, as the dispatcher knows it.
DUE_CONNECTION = "integrations.connection"


class ConnectionKind(TextChoices):
    FILE = "file", _("File")
    REST = "rest", _("REST API")
    SALESFORCE = "salesforce", _("Salesforce")
    HUBSPOT = "hubspot", _("HubSpot")
    KINTONE = "kintone", "kintone"


class Carries(TextChoices):
    """Which system a connection stands for; the checklist asks for both sales and marketing."""

    SFA = "sfa", _("SFA/CRM")
    MA = "ma", _("MA")
    BOTH = "both", _("SFA and MA")
    OTHER = "other", _("Other system")


class RunState(TextChoices):
    QUEUED = "queued", _("Waiting")
    RUNNING = "running", _("Running")
    SUCCEEDED = "succeeded", _("Succeeded")
    PARTLY = "partly", _("Succeeded with rejected rows")
    FAILED = "failed", _("Failed")
    CANCELLED = "cancelled", _("Cancelled")


ENDED = (RunState.SUCCEEDED, RunState.PARTLY, RunState.FAILED, RunState.CANCELLED)
UNDER_WAY = (RunState.QUEUED, RunState.RUNNING)
DELIVERED = (RunState.SUCCEEDED, RunState.PARTLY)


class RunKind(TextChoices):
    """What a run does: bring what is new, fetch what the source has called about, compare all, map what is kept."""

    SYNC = "sync", _("Import of changes")
    EVENTS = "events", _("Notified records")
    COMPARE = "compare", _("Comparison with the source")
    REMAP = "remap", _("Mapped again")


class Trigger(TextChoices):
    UPLOAD = "upload", _("Upload")
    MANUAL = "manual", _("By hand")
    SCHEDULE = "schedule", _("Schedule")
    WEBHOOK = "webhook", _("Notification")


class EventState(TextChoices):
    """What became of a notification: its record is still to be read, was read, is not read at all, or could not be."""

    WAITING = "waiting", _("Waiting")
    DONE = "done", _("Fetched")
    ASIDE = "aside", _("Not read here")
    LEFT = "left", _("Left to the next import")


class Health(TextChoices):
    HEALTHY = "healthy", _("Up to date")
    INCOMPLETE = "incomplete", _("Records missing")
    LATE = "late", _("Stale source")
    FAILING = "failing", _("Failing")
    PAUSED = "paused", _("Paused")
    EMPTY = "empty", _("Nothing received yet")


class Tax(TextChoices):
    UNKNOWN = "", _("As the file says")
    INCLUDED = "included", _("with tax")
    EXCLUDED = "excluded", _("without tax")


class Scope(TextChoices):
    READ = "read", _("Read")
    WRITE = "write", _("Write")
    ADMIN = "admin", _("Administer")
    EVALUATION = "evaluation", _("Evaluation")


PROBLEMS = {
    # reading a file
    "empty_file": _("“%(file)s” is empty. Export it again with its heading row and data."),
    "only_headings": _("“%(file)s” has a heading row but no data below it. Check the export's filter."),
    "file_too_large": _(
        "“%(file)s” has %(megabytes)s MB, the limit is %(limit)s MB. Nothing was read. Split it by period or leave "
        "out columns that are not needed."
    ),
    "wrong_file_type": _(
        "“%(file)s” is not a CSV or Excel workbook (.xlsx) but looks like %(found)s. Save it as .xlsx or CSV and "
        "send it again."
    ),
    "utf16_file": _("“%(file)s” is written in UTF-16. Save it as “CSV UTF-8” or as an Excel workbook (.xlsx)."),
    "broken_encoding": _(
        "“%(file)s”, row %(row)s: the byte %(byte)s (position %(position)s) is not valid %(encoding)s. The file is "
        "damaged or mixes encodings. Nothing was imported; export it again as CSV UTF-8."
    ),
    "unknown_encoding": _("The encoding “%(encoding)s” is not known. Use utf-8 or cp932."),
    "broken_quotes": _(
        "“%(file)s”, row %(row)s: a quotation mark is not closed or stands in the wrong place. Correct the row and "
        "send the file again."
    ),
    "broken_workbook": _("“%(file)s” is a damaged Excel workbook. Open it in Excel, save it again and send that."),
    "workbook_too_large": _(
        "“%(file)s” spans too many cells to be read. Delete empty rows and columns beyond the data and save it again."
    ),
    "several_sheets": _("“%(file)s” has several sheets: %(found)s. Write which one is meant."),
    "missing_sheet": _("“%(file)s” has no sheet “%(sheet)s”. It has: %(found)s."),
    "duplicated_heading": _("“%(file)s” has the heading “%(column)s” twice. Rename one of the two columns."),
    "too_many_columns": _(
        "“%(file)s”, row %(row)s has %(columns)s columns, the limit is %(limit)s. Leave out what is not needed, or "
        "export it again with commas between the columns."
    ),
    "cell_too_long": _(
        "“%(file)s”, row %(row)s: a cell has more than %(limit)s characters. Perhaps a quotation mark is not closed. "
        "Correct the row and send the file again."
    ),
    "other_encoding": _(
        "“%(file)s” is written in %(found)s. Nothing was imported; save it as “CSV UTF-8” and send it again."
    ),
    "workbook_entities": _(
        "“%(file)s” declares entities, which no Excel workbook does and which could open other files. It was not read. "
        "Save it again in Excel and send that."
    ),
    "no_headings": _(
        "The first row of “%(file)s” holds values (“%(value)s”) instead of headings. Put the name of each column into "
        "the first row and send it again."
    ),
    "unknown_headings": _(
        "“%(file)s” is of no kind that this connection knows. The nearest is “%(known)s”; of its columns these are "
        "missing: %(columns)s. The file has: %(found)s. Export it as before, or send it as a sample and map its fields."
    ),
    "no_sample": _("No file of “%(reads)s” is kept. Send one as a sample, and its columns can be mapped."),
    "missing_column": _(
        "“%(file)s” lacks the column %(columns)s. Its columns are: %(found)s. Add the column or change the mapping."
    ),
    "too_many_cells": _(
        "“%(file)s”, row %(row)s has more cells than the %(columns)s headings. A comma inside a text needs quotation "
        "marks around the text."
    ),
    # mappings and deliveries
    "unknown_resource": _("The mapping “%(stream)s” names “%(resource)s”, which is not a kind of data we know."),
    "unknown_field": _("The mapping names the field “%(field)s”, which %(resource)s does not have."),
    "field_not_mapped": _("The mapping of %(resource)s does not say where “%(field)s” comes from."),
    "bad_field_type": _(
        "The mapping gives “%(field)s” the type “%(type)s”. Custom fields alone have one: number, date or flag; leave "
        "it out for text."
    ),
    "bad_template": _("The mapping's template “%(template)s” cannot be read. Write column names in braces."),
    "bad_earlier": _(
        "The earlier value maps of “%(field)s” cannot be used. Give each its “values” and “until”, a day like "
        "2026-10-01, and in “dated_by” the column that says which day a record is of."
    ),
    "no_mapping": _("This connection has no mapping yet. Choose a preset first."),
    "no_file_for_mapping": _("No mapping of this connection fits the file name “%(file)s”. It expects: %(patterns)s."),
    "nothing_kept": _("Nothing is kept of what this connection has brought. Read the source again instead."),
    "nothing_to_read": _("There is no file to read yet. Upload one, or put one into the connection's folder."),
    "file_gone": _("“%(file)s” is no longer stored. Send it again."),
    "interrupted": _(
        "The import stopped at row %(row)s of “%(stream)s” because of an error on our side. Rows before it are "
        "stored; importing the same file again completes the rest and changes nothing twice."
    ),
    "cancelled": _("Cancelled by a person."),
    # asking a source
    "bad_address": _("“%(url)s” is not an address that can be called. Write it like https://api.example.com/v1/."),
    "not_https": _("“%(url)s” is not encrypted. Use its https:// address."),
    "closed_address": _("“%(host)s” is not on the open internet. Only public addresses of the source can be called."),
    "foreign_address": _(
        "The source points to another host (%(host)s) for its next page. Its records are not read from there; ask its "
        "operator, or use the address it moved to."
    ),
    "moved": _("The source has moved (status %(status)s). Enter its new address in the connection."),
    "not_reached": _("%(host)s cannot be reached. It is tried again by itself; check the address if this lasts."),
    "no_answer": _("%(host)s does not answer in time. It is tried again by itself."),
    "source_busy": _("The source is busy or under maintenance (status %(status)s). It is tried again by itself."),
    "too_many_calls": _("The source asks for fewer calls (status %(status)s). It goes on by itself when it may."),
    "budget_spent": _("All calls that the source allows for now are spent. It goes on by itself later."),
    "not_authorised": _(
        "The source does not accept the credentials (status %(status)s: %(message)s). Enter them anew in the "
        "connection."
    ),
    "not_allowed": _(
        "The credentials may not read this (status %(status)s: %(message)s). Give their user the right at the source."
    ),
    "reconnect": _(
        "The source no longer knows this connection: its permission was withdrawn, or used up elsewhere. Connect it "
        "anew on the page of the connection, or enter the new credentials."
    ),
    "not_connected": _("Nobody has agreed at the source yet. Press “Connect with HubSpot” and agree there."),
    "consent_refused": _(
        "HubSpot did not let us in (%(error)s). Connect again with a user of the account who may allow apps, and agree."
    ),
    "consent_lost": _(
        "What came back from HubSpot belongs to no request of yours, or to one of more than %(minutes)s minutes ago. "
        "Nothing was changed; press “Connect with HubSpot” once more."
    ),
    "missing_scopes": _(
        "The credentials may not read this: they lack %(scopes)s. Add these scopes at the source, then test the "
        "connection again."
    ),
    "missing_fields": _(
        "“%(stream)s” no longer has the fields %(fields)s at the source, or the credentials may not see them. Nothing "
        "of it was read; correct the mapping or give the right back."
    ),
    "read_without_fields": _(
        "“%(stream)s” no longer has the fields %(fields)s at the source, or the credentials may not see them. The rest "
        "was read, and what came from them keeps its last values. Correct the mapping or give the right back: what has "
        "changed meanwhile is read again then."
    ),
    "quota_left": _("The source allows %(left)s more calls today, of %(most)s."),
    "no_token": _("The source gave no token for these credentials. Enter them anew in the connection."),
    "no_credentials": _("The credential “%(name)s” is missing. Enter it in the connection."),
    "sealed": _("The credentials cannot be opened on this server. Enter them anew in the connection."),
    "refused": _("The source refuses the question (status %(status)s: %(message)s). Check the path and the fields."),
    "not_json": _("The source answered with something that is not JSON. Nothing was changed; check the address."),
    "answer_too_large": _("One answer of the source exceeds %(limit)s MB. Ask it for smaller pages."),
    "no_records_at": _(
        "“%(stream)s”: there is no list of records at “%(path)s” in the answer. Correct “records” in the description."
    ),
    "unexpected_answer": _(
        "“%(stream)s”: there is no “%(path)s” in the answer of the source. Nothing was changed; it is tried again at "
        "the next run."
    ),
    "record_without_id": _("“%(stream)s”: a record has nothing at “%(path)s”. Correct “id” in the description."),
    "other_record": _(
        "“%(stream)s”: the source was asked for the record %(asked)s and gave %(given)s. Correct “single” in the "
        "description."
    ),
    "page_repeats": _("“%(stream)s”: the source gives the same page again and again. Correct the paginator."),
    "bad_document": _("The description of the source is wrong at “%(place)s”: %(why)s"),
    # asking Salesforce
    "login_refused": _(
        "The source refuses the login (%(error)s: %(message)s). Check the credentials, the domain and that the app is "
        "allowed for its user."
    ),
    "bad_private_key": _("The private key is not an RSA key in PEM form. Enter the whole key file, without password."),
    "instance_moved": _("The organization has moved to another address. It is read there at the next run."),
    "api_disabled": _(
        "The source does not offer its API to this organization or user (status %(status)s: %(message)s). Its edition "
        "needs the API, and the user the right to it."
    ),
    "object_hidden": _(
        "“%(object)s” does not exist at the source, or the connection's user may not read it. Give the user the right, "
        "or leave the object out."
    ),
    "field_gone": _(
        "“%(stream)s” has no field %(fields)s, or the connection's user may not see it. Give the user the right, or "
        "change the mapping; until then “%(stream)s” is not read."
    ),
    "query_too_long": _(
        "“%(stream)s”: the question with %(columns)s fields has %(size)s bytes, the limit is %(limit)s. Map "
        "fewer fields."
    ),
    "query_timeout": _(
        "The source takes too long to find the records. It is tried again by itself; if this lasts, ask its "
        "administrator for an index."
    ),
    "locator_gone": _("The source lost its place again and again. Reading goes on behind the last record by itself."),
    "job_failed": _(
        "“%(stream)s”: the source could not prepare its records (%(message)s). It is tried again by itself."
    ),
    "fewer_than_told": _(
        "“%(stream)s”: the source says that there are %(told)s records and gave %(read)s. What came is stored; the "
        "next import reads the same again by itself. If this is said again, tell whoever runs the source."
    ),
    "incomplete_answer": _(
        "“%(stream)s”: an answer of the source is incomplete. It is not used, and asked for again by itself."
    ),
    "not_csv": _("The source answered with something that is not CSV. Nothing was changed."),
    "quota_used": _("%(used)s of %(limit)s calls of the last 24 hours are used (%(percent)s%%)."),
    # kintone
    "bad_tokens": _(
        "The API tokens cannot be used. Enter 1 to %(most)s of them with commas between, as the settings of the apps "
        "show them."
    ),
    "app_not_allowed": _(
        "No API token of this connection opens the app (status %(status)s: %(message)s). Create one with the right to "
        "view records in the app's settings, update the app, and enter it in the connection."
    ),
    "app_gone": _(
        "kintone finds nothing there (status %(status)s: %(message)s). Check the app's number, the guest space and the "
        "address in the connection."
    ),
    "filter_aborted": _(
        "kintone broke off its search because too many records match (%(warning)s). The incomplete answer was not "
        "used; read the connection anew from the beginning."
    ),
    "not_kintone": _("“%(stream)s”: the answer is not one of kintone's. Nothing was changed; check the address."),
    "reads_again": _(
        "kintone tells changes by the minute: every run reads the last %(minutes)s minutes before it again, which "
        "changes nothing twice."
    ),
    "many_calls_at_once": _(
        "%(running)s of the %(limit)s calls that this kintone allows at once are under way. Other programs may slow "
        "the reading down."
    ),
    "unknown_stream": _(
        "The source has no stream “%(stream)s”. Correct its description, or take the stream out of the mappings."
    ),
    # single rows
    "required": _("%(column)s is empty, but it is required."),
    "bad_date": _("“%(value)s” is not a date. Write it like 2026/11/24."),
    "bad_number": _("“%(value)s” is not a number."),
    "bad_integer": _("“%(value)s” is not a whole number."),
    "spreadsheet_error": _(
        "The spreadsheet shows the error %(value)s instead of a value. Correct the formula there and send it again."
    ),
    "bad_bool": _("“%(value)s” is neither yes nor no."),
    "unmapped_value": _("“%(value)s” in %(column)s is not in the value map. Add it to the mapping."),
    "repeated_id": _("“%(value)s” appears already in row %(row)s with other content. Remove one of the two."),
}


# How a source differs from what was mapped.
DRIFTS = {
    "field_gone": _(
        "%(field)s: the source has no field “%(column)s” any more, or the credentials may not see it. Map another "
        "field, or give the right back."
    ),
    "field_retyped": _(
        "%(field)s: “%(column)s” is of another kind now at the source (%(before)s → %(now)s). See whether its values "
        "still fit."
    ),
    "field_unseen": _(
        "%(field)s: none of the first records has “%(column)s”. See whether the source calls it otherwise now."
    ),
    "field_empty": _(
        "%(field)s: “%(column)s” had values before and none in the last import. See whether it is called otherwise now."
    ),
    "word_new": _(
        "%(field)s: the source has the new word “%(word)s” in “%(column)s”. It counts as unmapped until "
        "you say what it means."
    ),
    "word_gone": _("%(field)s: the source has no word “%(word)s” in “%(column)s” any more. What it meant stays."),
    "word_renamed": _(
        "%(field)s: “%(before)s” in “%(column)s” is called “%(now)s” now. It keeps its meaning; change it where that "
        "is not meant."
    ),
}

# Why a call to us was not taken.
REFUSALS = {
    "unsigned": _("It carried no signature, or a secret was missing in its address."),
    "bad_signature": _("Its signature or secret is wrong. Enter at the source the address and secret of this page."),
    "too_old": _("It was signed more than five minutes before it came, or the clocks differ by as much."),
    "not_json": _("What it said is not JSON."),
    "not_events": _("What it said is not what this kind of source says. Check the address that was entered there."),
    "too_many_events": _("It told of too many records at once."),
    "not_described": _("The description does not say how the source calls. Add “webhook” to it."),
    "sealed": _("The secret cannot be opened on this server. Open the address anew."),
    "no_secret": _("There is no secret to prove it by. Open the address anew."),
}


# What testing a source finds, beside the problems above.
FINDINGS = {
    "stream_read": _("“%(stream)s” can be read: %(count)s records on its first page."),
    "stream_empty": _(
        "“%(stream)s” can be read, but gives no records. Check its path and the rights of the credentials."
    ),
    "stream_failed": _("“%(stream)s” cannot be read. %(why)s"),
    "no_change_time": _(
        "“%(stream)s”: some records have no time of change at “%(field)s”, so changes of theirs could be missed. "
        "Correct “incremental” in the description."
    ),
    "single_not_found": _(
        "“%(stream)s”: a record of the list is not found by itself at “%(path)s”. Correct “single” in the description; "
        "until then records that are asked for one by one would seem to be deleted."
    ),
    "object_not_used": _(
        "The organization has no “%(object)s”, or the connection's user may not read it. Nothing is read of it; the "
        "rest is."
    ),
    "mapped_fields_there": _("All %(count)s fields that the mappings read are there."),
    "quota_told": _("%(used)s of the %(limit)s calls that the source allows are used."),
    "quota_of_day": _("%(used)s of %(limit)s calls of today are used."),
    "quota_untold": _("The source tells no quota."),
    "clock_agrees": _("The clock of the source agrees with ours."),
    "clock_differs": _(
        "The clock of the source differs from ours by %(seconds)s seconds. Nothing is missed: changes are asked for by "
        "the source's own clock."
    ),
}

SECRET_LABELS = {
    "key": _("API key"),
    "token": _("Token"),
    "username": _("User name"),
    "password": _("Password"),
    "client_id": _("Client ID"),
    "client_secret": _("Client secret"),
    "refresh_token": _("Refresh token"),
    "private_key": _("Private key (PEM)"),
    "tokens": _("API tokens, with commas between"),
}


def describe_finding(code: str, params: Mapping[str, Any]) -> str:
    """The sentence for a finding of a test, in the reader's language; a problem found is its own sentence."""
    if problem := params.get("problem"):
        params = {**params, "why": describe_problem(problem["code"], problem["params"])}
    sentence = FINDINGS.get(code)
    return str(sentence) % params if sentence is not None else describe_problem(code, params)


def describe_problem(code: str, params: Mapping[str, Any]) -> str:
    """The sentence for a problem code, in the reader's language."""
    sentence = PROBLEMS.get(code)
    return str(sentence) % params if sentence is not None else code


def describe_row_problem(code: str, params: Mapping[str, Any]) -> str:
    """The sentence for a problem of a row, after the name of its column where the sentence does not say it."""
    sentence, column = describe_problem(code, params), params.get("column", "")
    return sentence if not column or column in sentence else f"{column}: {sentence}"


def describe_refusal(code: str) -> str:
    """Why a call to us was not taken, in the reader's language."""
    return str(REFUSALS.get(code, code))


def describe_drift(code: str, params: Mapping[str, Any]) -> str:
    """How a source differs from what was mapped, in the reader's language."""
    return str(DRIFTS[code]) % params
