"""The REST API against its own OpenAPI document: requests made from it, answers held to it.

`make test` makes a few dozen requests an operation, `make test-generative` three hundred and new ones.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from tests.web.conftest import TODAY

schemathesis = pytest.importorskip("schemathesis")

from schemathesis.config import SchemathesisConfig  # noqa: E402

from onstudy.faces.web.app import create_app  # noqa: E402
from onstudy.faces.web.stock import Stock  # noqa: E402
from onstudy.registry.geography import zip_origin  # noqa: E402
from onstudy.registry.importing import import_records  # noqa: E402
from onstudy.registry.store import in_memory  # noqa: E402

#: Which refusals are documented and no fault; whoever runs `st run` in this checkout has the same.
CONFIG = Path(__file__).parents[2] / "schemathesis.toml"
#: Requests an operation, by the Hypothesis profile in force: `make test`, `make test-generative`.
EACH = 300 if settings().max_examples > 1000 else 30


def _schema() -> Any:
    """The document of a site with the trials that ship, and the site to send requests to."""
    registry = in_memory()
    import_records(registry, [])
    zip_origin("20892")  # unpacked before, so that no request waits for the table
    app = create_app(Stock(registry, today=lambda: TODAY), hosts=())
    config = SchemathesisConfig.from_path(str(CONFIG))
    return schemathesis.openapi.from_asgi("/api/onstudy/v1/openapi.json", app, config=config)


@pytest.mark.generative
@_schema().parametrize()  # type: ignore[untyped-decorator]
@settings(max_examples=EACH, deadline=None, database=None, suppress_health_check=list(HealthCheck))
def test_the_answers_are_as_documented(case: Any) -> None:
    case.call_and_validate()
