"""HubSpot: owners, teams, deal stages, contacts, companies and deals over its dated API.

A first load walks the list endpoint. An increment asks the search endpoint for a window of change, in the order of
the ids and each page behind the last id: so no query ever nears the 10,000 results that search gives, and records
that share a moment are not lost. Both begin with what is archived, which search never shows. Search lags behind what
is stored by up to minutes; the look-back is longer.

Records carry the properties that the mapping asks for at their top, as text or null, and under `history` the values
that a property had, oldest first: `history.dealstage` is a list of {"value", "at"} to be read with `each`. That of a
lifecycle says beside it the "step": the value, with `:back` where it is a stage before MQL and the last one was MQL or
SQL, as when sales sends an MQL back; "" for another stage before MQL, which says of nobody's work.
"""

from integrations.connectors.hubspot.connector import HubSpotConnector
from integrations.connectors.hubspot.source import SECRETS, VERSION, auth_of, consent_address, read_hubspot, redeem

__all__ = ["SECRETS", "VERSION", "HubSpotConnector", "auth_of", "consent_address", "read_hubspot", "redeem"]
