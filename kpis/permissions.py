"""Who may call an address: the view names a capability for each action, the table in `tenants` says who has it."""

from collections.abc import Iterable
from typing import Any

from django.core.exceptions import PermissionDenied
from django.utils.translation import gettext as _
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from kpis.models import DimensionMember, KpiNode
from kpis.selectors.visibility import Sight
from tenants.capabilities import Scope, require


class HasCapability(BasePermission):
    """Asks `view.capabilities` (by action, else by method) and leaves the scope of it on the view."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Raises PermissionDenied with a sentence when the role or the key does not reach."""
        action = getattr(view, "action", request.method.lower())
        capability = view.capabilities.get(action)
        if capability is None:
            # A method that the address does not have is answered by the framework (405).
            return request.method == "OPTIONS" or not hasattr(view, (request.method or "").lower())
        view.scope = require(request.user, capability)
        return True


def check_reach(
    user: Any, scope: str, sight: Sight, dimension: str, member: DimensionMember | None, nodes: Iterable[KpiNode]
) -> None:
    """Raises PermissionDenied when a write reaches beyond the caller's scope."""
    if not reaches(user, scope, sight, dimension, member, nodes):
        raise PermissionDenied(_("This is not yours to write: your role reaches your own people and KPIs."))


def check_typing(
    user: Any, scope: str, sight: Sight, dimension: str, member: DimensionMember | None, nodes: Iterable[KpiNode]
) -> None:
    """The same for a value that is typed, which deputies of the KPIs type too. Raises PermissionDenied."""
    placed = list(nodes)
    if not any(node.deputy is not None and node.deputy.user_id == user.pk for node in placed):
        check_reach(user, scope, sight, dimension, member, placed)


def reaches(
    user: Any, scope: str, sight: Sight, dimension: str, member: DimensionMember | None, nodes: Iterable[KpiNode]
) -> bool:
    """Whether a write stays within the caller's scope.

    Who does not write for all writes for himself and for the teams and persons below him, however much he may see;
    for the company only on nodes that he answers for himself.
    """
    if scope == Scope.ALL:
        return True
    if scope == Scope.NONE:
        return False
    if member is not None and sight.may_write(dimension, member.pk):
        return True
    return any(user.pk == node.responsible_user_id or user.pk == _login_of(node) for node in nodes)


def _login_of(node: KpiNode) -> int | None:
    return node.responsible.user_id if node.responsible else None
