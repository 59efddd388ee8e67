"""Rate limits: so many requests of one actor in one window, counted in the cache."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import structlog
from django.core.cache import cache
from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.settings import api_settings
from rest_framework.throttling import BaseThrottle

log = structlog.get_logger(__name__)

_SECONDS = {"s": 1, "sec": 1, "min": 60, "m": 60, "hour": 3600, "h": 3600, "day": 86400, "d": 86400}


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one actor has left: requests in this window, and seconds until the next."""

    limit: int
    remaining: int
    reset: int

    def headers(self) -> dict[str, str]:
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.reset),
        }


def parse_rate(rate: str) -> tuple[int, int]:
    """ "1200/min" as requests and seconds."""
    number, _slash, period = rate.partition("/")
    return int(number), _SECONDS[period.strip().lower()]


class ActorThrottle(BaseThrottle):
    """A fixed window for each user. The counter is one atomic increment; a cache that is away
    lets requests pass, since the console is needed most when something is down."""

    allowance: Allowance | None = None

    def allow_request(self, request: Request, view: Any) -> bool:
        limit, period = parse_rate(str(api_settings.DEFAULT_THROTTLE_RATES["actor"]))
        now = time.time()
        window = int(now // period)
        key = f"api-rate:{request.user.pk}:{window}"
        try:
            cache.add(key, 0, timeout=period * 2)
            used = cache.incr(key)
        except (RedisError, OSError, ValueError) as error:
            log.warning("rate_limit_not_counted", error=str(error))
            return True
        self.allowance = Allowance(
            limit, max(0, limit - used), math.ceil((window + 1) * period - now)
        )
        request._request.evenkeel_allowance = self.allowance  # type: ignore[attr-defined]
        return used <= limit

    def wait(self) -> float | None:
        """Seconds until the next window, for Retry-After."""
        return self.allowance.reset if self.allowance else None
