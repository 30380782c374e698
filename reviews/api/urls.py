"""Addresses below /api/v1/."""

from rest_framework.routers import SimpleRouter

from reviews.api.views import ActionViewSet, MeetingViewSet, MissViewSet, SeriesViewSet

app_name = "reviews-api"

router = SimpleRouter(use_regex_path=False)
router.register("misses", MissViewSet)
router.register("actions", ActionViewSet)
router.register("meetings", MeetingViewSet)
router.register("meeting-series", SeriesViewSet)
urlpatterns = router.urls
