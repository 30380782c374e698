from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("kpis", "0015_parallel_checks"),
    ]

    operations = [
        migrations.AddField(
            model_name="account",
            name="domain",
            field=models.CharField(blank=True, default="", max_length=253, verbose_name="Domain"),
        ),
        migrations.AddField(
            model_name="activity",
            name="happened_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="Time"),
        ),
        migrations.AddField(
            model_name="deal",
            name="email_hash",
            field=models.CharField(
                blank=True, default="", max_length=128, verbose_name="E-mail of the contact (keyed hash)"
            ),
        ),
        migrations.AddField(
            model_name="lead",
            name="created_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="Created at"),
        ),
        migrations.AddField(
            model_name="lead",
            name="email_domain",
            field=models.CharField(blank=True, default="", max_length=253, verbose_name="Domain of the e-mail"),
        ),
        migrations.AddIndex(
            model_name="account",
            index=models.Index(
                condition=models.Q(("domain", ""), _negated=True), fields=["domain"], name="account_domain"
            ),
        ),
        migrations.AddIndex(
            model_name="deal",
            index=models.Index(
                condition=models.Q(("email_hash", ""), _negated=True), fields=["email_hash"], name="deal_email"
            ),
        ),
        migrations.AddIndex(
            model_name="lead",
            index=models.Index(
                condition=models.Q(("email_hash", ""), _negated=True), fields=["email_hash"], name="lead_email"
            ),
        ),
        migrations.AddIndex(
            model_name="lead",
            index=models.Index(
                condition=models.Q(("email_domain", ""), _negated=True), fields=["email_domain"], name="lead_domain"
            ),
        ),
        migrations.AddIndex(
            model_name="lead",
            index=models.Index(
                condition=models.Q(("created_at__isnull", False)), fields=["source", "created_at"], name="lead_arrival"
            ),
        ),
    ]
