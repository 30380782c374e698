"""Reading the bodies of requests."""

import json
from typing import Any

from django.utils.translation import gettext as _
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser


class BoundedJSONParser(JSONParser):
    """JSON that can be kept: nested too deeply, or with half a character in it, it is a faulty request.

    JSON may escape one half of a surrogate pair; no text can hold it, neither a column nor an answer.
    """

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        try:
            data = super().parse(stream, media_type, parser_context)
            json.dumps(data, ensure_ascii=False).encode()
        except RecursionError as error:
            raise ParseError(_("The JSON is nested too deeply to be read.")) from error
        except UnicodeEncodeError as error:
            raise ParseError(_("The JSON holds half of a character (a lone surrogate).")) from error
        return data
