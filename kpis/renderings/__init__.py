"""Tables as files: frozen dataclasses in, bytes out."""
