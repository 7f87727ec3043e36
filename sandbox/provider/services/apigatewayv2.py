"""API Gateway v2: HTTP APIs, integrations, routes, stages, authorizers.

Upstream: hashicorp/terraform-provider-aws, internal/service/apigatewayv2/{api,integration,route,stage,authorizer}.go.
Differs: no import of OpenAPI documents (`body`).
"""

from collections.abc import Callable, Mapping
from typing import Any

from sandbox.provider.resource import Context, Created, ResourceError, ResourceType, Tags, camel, given, pascal
from sandbox.provider.schema import (
    Change,
    Prop,
    arn,
    array,
    between,
    block,
    boolean,
    integer,
    longest,
    mapping,
    name,
    number,
    one_of,
    tags,
    text,
    unsupported,
)
from sandbox.provider.wire import Props


def _read_tags(context: Context, id_: str, state: Props) -> Tags:  # noqa: ARG001
    return context.client("apigatewayv2").get_tags(ResourceArn=state["arn"]).get("Tags", {})


def _write_tags(context: Context, id_: str, state: Props, wanted: Tags, gone: list[str]) -> None:  # noqa: ARG001
    if gone:
        context.client("apigatewayv2").untag_resource(ResourceArn=state["arn"], TagKeys=gone)
    if wanted:
        context.client("apigatewayv2").tag_resource(ResourceArn=state["arn"], Tags=wanted)


def _found(fields: Mapping[str, Prop], answer: Props, names: tuple[str, ...], **other: str) -> Props:
    """The settings in AWS's answer; None for those that it does not have."""
    found = camel(fields, {key: value for key, value in answer.items() if value not in ("", [], {})}, **other)
    return {key: found.get(key) for key in names}


def _reset(new: Props, changed: set[str], names: tuple[str, ...], empty: Props) -> Props:
    """What an update sends: the changed settings, those that the program no longer gives as `empty` has them."""
    return {key: new[key] if new.get(key) is not None else empty.get(key, "") for key in names if key in changed}


# --- API --------------------------------------------------------------------------------------------------------------

_API = (
    "apiKeySelectionExpression",
    "corsConfiguration",
    "description",
    "disableExecuteApiEndpoint",
    "ipAddressType",
    "name",
    "routeSelectionExpression",
    "version",
)


def _create_api(context: Context, new: Props) -> Created:
    wanted = pascal(API.inputs, given(new, *_API, "credentialsArn", "protocolType", "routeKey", "target"))
    answer = context.client("apigatewayv2").create_api(**wanted, **({"Tags": context.tags} if context.tags else {}))
    return Created(answer["ApiId"])


def _read_api(context: Context, id_: str, state: Props) -> Props | None:  # noqa: ARG001
    found = context.client("apigatewayv2").get_api(ApiId=id_)
    root = f"arn:{context.partition}:apigateway:{context.region}::/apis/{id_}"
    return {
        **_found(API.inputs, found, _API),
        "apiEndpoint": found.get("ApiEndpoint"),
        "arn": root,
        "disableExecuteApiEndpoint": found.get("DisableExecuteApiEndpoint", False),
        "executionArn": f"arn:{context.partition}:execute-api:{context.region}:{context.session.account}:{id_}",
        "protocolType": found["ProtocolType"],
    }


def _update_api(context: Context, id_: str, old: Props, new: Props, changed: set[str]) -> None:  # noqa: ARG001
    client = context.client("apigatewayv2")
    wanted = _reset(new, changed, _API, {"disableExecuteApiEndpoint": False})
    if "corsConfiguration" in changed and not new.get("corsConfiguration"):
        client.delete_cors_configuration(ApiId=id_)
        del wanted["corsConfiguration"]
    if wanted:
        client.update_api(ApiId=id_, **pascal(API.inputs, wanted))


def _delete_api(context: Context, id_: str, state: Props) -> None:  # noqa: ARG001
    context.client("apigatewayv2").delete_api(ApiId=id_)


API = ResourceType(
    token="aws:apigatewayv2/api:Api",
    inputs={
        "apiKeySelectionExpression": text(
            one_of("$context.authorizer.usageIdentifierKey", "$request.header.x-api-key"),
            default="$request.header.x-api-key",
        ),
        "body": unsupported(),
        "corsConfiguration": block(
            {
                "allowCredentials": boolean(),
                # Compared without regard to case, as upstream.
                "allowHeaders": array(text(normal=str.lower), unordered=True),
                "allowMethods": array(text(normal=str.lower), unordered=True),
                "allowOrigins": array(text(normal=str.lower), unordered=True),
                "exposeHeaders": array(text(normal=str.lower), unordered=True),
                "maxAge": integer(),
            }
        ),
        "credentialsArn": text(arn, replaces=True),
        "description": text(longest(1024)),
        "disableExecuteApiEndpoint": boolean(),
        "failOnWarnings": unsupported(),
        "ipAddressType": text(one_of("ipv4", "dualstack"), computed=True),
        "name": name(128, replaces=False),
        "protocolType": text(one_of("HTTP", "WEBSOCKET"), required=True, replaces=True),
        "routeKey": text(replaces=True),
        "routeSelectionExpression": text(default="$request.method $request.path"),
        "tags": tags(),
        "target": text(replaces=True),
        "version": text(longest(64)),
    },
    outputs=("apiEndpoint", "arn", "executionArn"),
    create=_create_api,
    read=_read_api,
    update=_update_api,
    delete=_delete_api,
    tags=(_read_tags, _write_tags),
)

# --- parts of an API --------------------------------------------------------------------------------------------------


def _part(
    *,
    token: str,
    key: str,
    inputs: dict[str, Any],
    settings: tuple[str, ...],
    calls: str,
    fixed: tuple[str, ...] = (),
    other: dict[str, str] | None = None,
    empty: Props | None = None,
    read: Callable[[Props, Props], Props] = lambda found, state: {},  # noqa: ARG005
    revise: Callable[[dict[str, Change], Props, Props], dict[str, Change]] | None = None,
    outputs: tuple[str, ...] = (),
) -> ResourceType:
    """The type of something that lives in an API under an id of its own (`key`): integrations, routes, authorizers.

    `calls` ends the names of its API calls, `fixed` are settings that never change (but must be told), `other` are
    settings with another name in the API, `empty` is what resets a setting if not "".
    """
    names = other or {}

    def create(context: Context, new: Props) -> Created:
        wanted = pascal(inputs, given(new, "apiId", *fixed, *settings), **names)
        if new.get("authorizerType") == "REQUEST" and new.get("identitySources"):
            # As upstream: what the console would choose, so that a change to 0 can be told. (There for HTTP APIs only.)
            wanted.setdefault("AuthorizerResultTtlInSeconds", 300)
        answer = getattr(context.client("apigatewayv2"), f"create_{calls}")(**wanted)
        return Created(answer[key])

    def parts(id_: str, state: Props) -> tuple[str, str]:
        if "apiId" in state:
            return state["apiId"], id_
        api, _, part = id_.partition("/")
        if not part:
            raise ResourceError(f"wrong format of import ID ({id_}), use API-ID/{calls.upper()}-ID")
        return api, part

    def find(context: Context, id_: str, state: Props) -> Props | None:
        api, part = parts(id_, state)
        found = getattr(context.client("apigatewayv2"), f"get_{calls}")(ApiId=api, **{key: part})
        imported = {} if "apiId" in state else {"id": part}
        return {**_found(inputs, found, (*fixed, *settings), **names), "apiId": api, **read(found, state), **imported}

    def update(context: Context, id_: str, old: Props, new: Props, changed: set[str]) -> None:
        wanted = pascal(inputs, _reset(new, changed, settings, empty or {}), **names)
        wanted |= pascal(inputs, given(new, *fixed))
        if "requestParameters" in changed:
            # As upstream: API Gateway merges, so what goes is named with an empty value.
            parameters = new.get("requestParameters") or {}
            gone = dict.fromkeys(set(old.get("requestParameters") or {}) - set(parameters), "")
            wanted["RequestParameters"] = {**gone, **parameters}
        getattr(context.client("apigatewayv2"), f"update_{calls}")(ApiId=old["apiId"], **{key: id_}, **wanted)

    def delete(context: Context, id_: str, state: Props) -> None:
        getattr(context.client("apigatewayv2"), f"delete_{calls}")(ApiId=state["apiId"], **{key: id_})

    return ResourceType(
        token=token,
        inputs=inputs,
        outputs=outputs,
        create=create,
        read=find,
        update=update,
        delete=delete,
        revise=revise,
    )


INTEGRATION = _part(
    token="aws:apigatewayv2/integration:Integration",
    key="IntegrationId",
    calls="integration",
    fixed=("integrationSubtype", "integrationType"),
    settings=(
        "connectionId",
        "connectionType",
        "contentHandlingStrategy",
        "credentialsArn",
        "description",
        "integrationMethod",
        "integrationUri",
        "passthroughBehavior",
        "payloadFormatVersion",
        "requestParameters",
        "requestTemplates",
        "templateSelectionExpression",
        "timeoutMilliseconds",
        "tlsConfig",
    ),
    other={"timeoutMilliseconds": "TimeoutInMillis"},
    empty={"requestParameters": {}, "requestTemplates": {}, "tlsConfig": {}},
    read=lambda found, state: {  # noqa: ARG005
        "integrationResponseSelectionExpression": found.get("IntegrationResponseSelectionExpression")
    },
    outputs=("integrationResponseSelectionExpression",),
    # HTTP APIs have no such setting.
    revise=lambda changes, old, new: {
        path: change
        for path, change in changes.items()
        if path != "passthroughBehavior" or old.get(path) or new[path] != "WHEN_NO_MATCH"
    },
    inputs={
        "apiId": text(required=True, replaces=True),
        "connectionId": text(longest(1024, 1)),
        "connectionType": text(one_of("INTERNET", "VPC_LINK"), default="INTERNET"),
        "contentHandlingStrategy": text(one_of("CONVERT_TO_BINARY", "CONVERT_TO_TEXT")),
        "credentialsArn": text(arn),
        "description": text(),
        "integrationMethod": text(
            one_of("ANY", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"), computed=True
        ),
        "integrationSubtype": text(longest(128, 1), replaces=True),
        "integrationType": text(one_of("AWS", "AWS_PROXY", "HTTP", "HTTP_PROXY", "MOCK"), required=True, replaces=True),
        "integrationUri": text(),
        "passthroughBehavior": text(one_of("WHEN_NO_MATCH", "NEVER", "WHEN_NO_TEMPLATES"), default="WHEN_NO_MATCH"),
        "payloadFormatVersion": text(one_of("1.0", "2.0"), default="1.0"),
        "requestParameters": mapping(),
        "requestTemplates": mapping(),
        "responseParameters": unsupported(),
        "templateSelectionExpression": text(),
        "timeoutMilliseconds": integer(between(50, 30000), computed=True),
        "tlsConfig": block({"serverNameToVerify": text()}),
    },
)

ROUTE = _part(
    token="aws:apigatewayv2/route:Route",
    key="RouteId",
    calls="route",
    settings=(
        "apiKeyRequired",
        "authorizationScopes",
        "authorizationType",
        "authorizerId",
        "modelSelectionExpression",
        "operationName",
        "requestModels",
        "routeKey",
        "routeResponseSelectionExpression",
        "target",
    ),
    empty={"apiKeyRequired": False, "authorizationScopes": [], "requestModels": {}},
    inputs={
        "apiId": text(required=True, replaces=True),
        "apiKeyRequired": boolean(default=False),
        "authorizationScopes": array(text(), unordered=True),
        "authorizationType": text(one_of("NONE", "AWS_IAM", "CUSTOM", "JWT"), default="NONE"),
        "authorizerId": text(),
        "modelSelectionExpression": text(),
        "operationName": text(longest(64, 1)),
        "requestModels": mapping(),
        "requestParameters": unsupported(),
        "routeKey": text(longest(1024), required=True),
        "routeResponseSelectionExpression": text(),
        "target": text(longest(128)),
    },
)

AUTHORIZER = _part(
    token="aws:apigatewayv2/authorizer:Authorizer",
    key="AuthorizerId",
    calls="authorizer",
    settings=(
        "authorizerCredentialsArn",
        "authorizerPayloadFormatVersion",
        "authorizerResultTtlInSeconds",
        "authorizerType",
        "authorizerUri",
        "enableSimpleResponses",
        "identitySources",
        "jwtConfiguration",
        "name",
    ),
    other={
        "audiences": "Audience",
        "authorizerResultTtlInSeconds": "AuthorizerResultTtlInSeconds",
        "identitySources": "IdentitySource",
    },
    empty={"enableSimpleResponses": False, "identitySources": [], "jwtConfiguration": {}},
    # The emulator gives a payload version to JWT authorizers as well.
    read=lambda found, state: (  # noqa: ARG005
        {"authorizerPayloadFormatVersion": None} if found["AuthorizerType"] == "JWT" else {}
    ),
    inputs={
        "apiId": text(required=True, replaces=True),
        "authorizerCredentialsArn": text(arn),
        "authorizerPayloadFormatVersion": text(one_of("1.0", "2.0")),
        "authorizerResultTtlInSeconds": integer(between(0, 3600), computed=True),
        "authorizerType": text(one_of("JWT", "REQUEST"), required=True),
        "authorizerUri": text(longest(2048, 1)),
        "enableSimpleResponses": boolean(),
        "identitySources": array(text(), unordered=True),
        "jwtConfiguration": block({"audiences": array(text(), unordered=True), "issuer": text()}),
        "name": name(128, replaces=False),
    },
)

# --- stage ------------------------------------------------------------------------------------------------------------

_STAGE = (
    "accessLogSettings",
    "autoDeploy",
    "clientCertificateId",
    "defaultRouteSettings",
    "deploymentId",
    "description",
    "stageVariables",
)


def _create_stage(context: Context, new: Props) -> Created:
    wanted = pascal(STAGE.inputs, given(new, "apiId", *_STAGE))
    if new.get("routeSettings"):
        wanted["RouteSettings"] = _route_settings(new["routeSettings"])
    tagging = {"Tags": context.tags} if context.tags else {}
    context.client("apigatewayv2").create_stage(StageName=new["name"], **wanted, **tagging)
    return Created(new["name"])


def _route_settings(settings: list[Props]) -> Props:
    return {
        each["routeKey"]: pascal(_ROUTE_SETTINGS, {key: value for key, value in each.items() if key != "routeKey"})
        for each in settings
    }


def _read_stage(context: Context, id_: str, state: Props) -> Props | None:
    api, stage, imported = state.get("apiId"), id_, {}
    if not api:
        api, _, stage = id_.partition("/")
        imported = {"id": stage}
    found = context.client("apigatewayv2").get_stage(ApiId=api, StageName=stage)
    root = f"{context.partition}:execute-api:{context.region}:{context.session.account}:{api}"
    endpoint = context.client("apigatewayv2").get_api(ApiId=api).get("ApiEndpoint", "")
    settings = {key: value for key, value in found.get("DefaultRouteSettings", {}).items() if value not in ("", None)}
    routes = [
        {"routeKey": key, **camel(_ROUTE_SETTINGS, value)} for key, value in found.get("RouteSettings", {}).items()
    ]
    return {
        **_found(STAGE.inputs, found, _STAGE),
        "apiId": api,
        "arn": f"arn:{context.partition}:apigateway:{context.region}::/apis/{api}/stages/{stage}",
        "autoDeploy": found.get("AutoDeploy", False),
        "defaultRouteSettings": camel(_ROUTE_SETTINGS, settings) or None,
        "executionArn": f"arn:{root}/{stage}",
        "invokeUrl": f"{endpoint}/" if stage == "$default" else f"{endpoint}/{stage}",
        "name": stage,
        "routeSettings": routes or None,
        "stageVariables": found.get("StageVariables") or None,
        **imported,
    }


def _update_stage(context: Context, id_: str, old: Props, new: Props, changed: set[str]) -> None:
    client = context.client("apigatewayv2")
    wanted = _reset(new, changed, _STAGE, {"autoDeploy": False, "defaultRouteSettings": {}, "accessLogSettings": {}})
    request = pascal(STAGE.inputs, wanted)
    if "stageVariables" in changed:
        # As upstream: API Gateway merges, so what goes is named with an empty value.
        gone = dict.fromkeys(set(old.get("stageVariables") or {}) - set(new.get("stageVariables") or {}), "")
        request["StageVariables"] = {**gone, **(new.get("stageVariables") or {})}
    if "routeSettings" in changed:
        kept = _route_settings(new.get("routeSettings") or [])
        for route in _route_settings(old.get("routeSettings") or []):
            if route not in kept:
                client.delete_route_settings(ApiId=new["apiId"], StageName=id_, RouteKey=route)
        request["RouteSettings"] = kept
    if "accessLogSettings" in changed and not new.get("accessLogSettings"):
        client.delete_access_log_settings(ApiId=new["apiId"], StageName=id_)
        del request["AccessLogSettings"]
    client.update_stage(ApiId=new["apiId"], StageName=id_, **request)


def _delete_stage(context: Context, id_: str, state: Props) -> None:
    context.client("apigatewayv2").delete_stage(ApiId=state["apiId"], StageName=id_)


_ROUTE_SETTINGS = {
    "dataTraceEnabled": boolean(),
    "detailedMetricsEnabled": boolean(),
    "loggingLevel": text(one_of("ERROR", "INFO", "OFF"), computed=True),
    "throttlingBurstLimit": integer(),
    "throttlingRateLimit": number(),
}

STAGE = ResourceType(
    token="aws:apigatewayv2/stage:Stage",
    inputs={
        "accessLogSettings": block(
            {"destinationArn": text(arn, required=True), "format": text(longest(3072), required=True)}
        ),
        "apiId": text(required=True, replaces=True),
        "autoDeploy": boolean(default=False),
        "clientCertificateId": text(),
        "defaultRouteSettings": block(_ROUTE_SETTINGS, computed=True),
        "deploymentId": text(computed=True),
        "description": text(longest(1024)),
        "name": name(128, r"[$\w\-]+"),
        "routeSettings": array(block({**_ROUTE_SETTINGS, "routeKey": text(required=True)}), unordered=True),
        "stageVariables": mapping(),
        "tags": tags(),
    },
    outputs=("arn", "executionArn", "invokeUrl"),
    create=_create_stage,
    read=_read_stage,
    update=_update_stage,
    delete=_delete_stage,
    tags=(_read_tags, _write_tags),
)

TYPES = (API, INTEGRATION, ROUTE, STAGE, AUTHORIZER)
