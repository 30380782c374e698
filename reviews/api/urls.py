"""Addresses under /api/v1/."""

from rest_framework.routers import SimpleRouter

from reviews.api.views import ActionViewSet, MeetingViewSet, MissViewSet, SeriesViewSet

router = SimpleRouter(use_regex_path=False)
router.register("misses", MissViewSet, basename="api-miss")
router.register("actions", ActionViewSet, basename="api-action")
router.register("meetings", MeetingViewSet, basename="api-meeting")
router.register("meeting-series", SeriesViewSet, basename="api-meeting-series")
urlpatterns = router.urls
