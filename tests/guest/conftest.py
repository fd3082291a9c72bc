"""Linux guests for tests, where the machine allows them."""

import os
from contextlib import ExitStack

import pytest

from guest import Session, Settings, Unavailable
from offcut.live import LiveError


@pytest.fixture(scope="module", params=["rtl", pytest.param("model", marks=pytest.mark.long)])
def guest(request):
    """A booted guest whose rings the gateware serves, or the model. Skips, with the reason, where none can be had."""
    with ExitStack() as stack:
        try:
            session = stack.enter_context(Session(Settings(engine=request.param, name=f"offcut-guest-test-{os.getpid()}")))
        except (Unavailable, LiveError) as error:
            pytest.skip(str(error))
        yield session
