"""Names that the company gives to dimensions and their members."""

from django.db import transaction

from kpis.engine.issues import gettext_noop
from kpis.models import Dimension, DimensionMember
from kpis.services.refusal import RefusedError
from tenants.accounts.models import User


class MirroredNameError(RefusedError):
    """The member stands for a person, team or product, which is renamed where it comes from."""

    code = "mirrored_name"


@transaction.atomic
def rename_dimension(*, dimension: Dimension, name: str, actor: User | None) -> Dimension:
    """Give a dimension the company's own name; empty goes back to the built-in one."""
    dimension.name = name.strip()
    dimension.save(update_fields=["name"])
    return dimension


@transaction.atomic
def rename_member(*, member: DimensionMember, name: str, actor: User | None) -> DimensionMember:
    """Give a member a name in place of its code (empty: the code again). Raises MirroredNameError."""
    if any(hasattr(member, kind) for kind in ("person", "team", "product")):
        raise MirroredNameError(gettext_noop("This name comes from a person, team or product. Change it there."))
    member.name = name.strip() or member.code
    member.save(update_fields=["name"])
    return member
