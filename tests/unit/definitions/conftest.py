"""Examples have no deadline of their own: the machine that runs them may be busy with other things."""

from hypothesis import HealthCheck, settings

settings.register_profile("definitions", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("definitions")
