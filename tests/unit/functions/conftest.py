"""Settings of the functions' tests."""

from hypothesis import settings

# A machine that is busy with other tests is no fault of the code.
settings.register_profile("no-deadline", deadline=None)
settings.load_profile("no-deadline")
