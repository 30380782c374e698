"""Mail addresses become keyed hashes at the door: equal addresses can be found, none can be read."""

from django.utils.crypto import salted_hmac

from tenants.context import current_company


def seal_address(address: str) -> str:
    """The hash under which this company knows an address, 64 characters.

    Keyed with the installation's SECRET_KEY and the company, so that nobody without the key can try addresses, and
    hashes of two companies cannot be compared. After a change of the key the streams have to be read again in full.
    """
    return salted_hmac(f"kpis.address.{current_company().pk}", address, algorithm="sha256").hexdigest()
