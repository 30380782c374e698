"""Salesforce: its objects by SOQL page by page, the first load of large ones as a bulk job."""

from integrations.connectors.salesforce.connector import SalesforceConnector
from integrations.connectors.salesforce.description import SECRETS, Description, read_description
from integrations.connectors.salesforce.login import open_instance

__all__ = ["SECRETS", "Description", "SalesforceConnector", "open_instance", "read_description"]
