"""The pure parts of the HTTP API (the Event Store Wrapper): what requests may be and what answers look like.

Nothing here knows of Lambda, API Gateway or AWS; `functions/event_store_wrapper` puts it together.
"""

ROUTE_KEYS: tuple[str, ...] = (
    "GET /events",
    "GET /event/{id}",
    "GET /flows",
    "GET /flow/{id}",
    "POST /flow",
    "POST /route/{id}",
    "DELETE /flow/{id}",
    "GET /openapi.json",
    "$default",
)
"""The API's routes as API Gateway names them. `$default` takes every other request, so that it gets a problem document
of ours too."""
