"""What people fill in: about connections and files, about sources that are called, about their fields, about keys."""

from integrations.forms.connections import (
    BY_SAMPLE,
    ApiKeyForm,
    ConnectionForm,
    FrequencyForm,
    IdentityForm,
    KeepForm,
    PushedForm,
    ResyncForm,
    SampleForm,
    UploadForm,
    ValueForm,
)
from integrations.forms.mappings import MappingForm
from integrations.forms.setups import SETUPS
from integrations.forms.sources import SourceForm

__all__ = [
    "BY_SAMPLE",
    "SETUPS",
    "ApiKeyForm",
    "ConnectionForm",
    "FrequencyForm",
    "IdentityForm",
    "KeepForm",
    "MappingForm",
    "PushedForm",
    "ResyncForm",
    "SampleForm",
    "SourceForm",
    "UploadForm",
    "ValueForm",
]
