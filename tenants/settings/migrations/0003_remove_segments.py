from django.db import migrations


class Migration(migrations.Migration):
    # Segments are named where their members are, in kpis; nothing ever read these.
    dependencies = [("company_settings", "0002_target_approval")]
    operations = [migrations.RemoveField(model_name="companysettings", name="segments")]
