"""The Event Store Wrapper: the HTTP API over events, flows and routes, and the two policies for its callers."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pulumi
import pulumi_aws as aws

from components.component import Component
from components.lambda_function import LambdaFunction, LambdaFunctionArgs, LambdaSettings
from components.policy import allow, document
from components.triggers import allow_invoke
from signalbox.api import ROUTE_KEYS
from signalbox.model import Function

STEADY_REQUESTS_PER_SECOND = 50
BURST_REQUESTS = 100
"""What one stack's people and scripts need; beyond it callers get 429 and the functions of the account stay free."""


@dataclass(frozen=True, slots=True)
class Jwt:
    """Callers bring a JSON Web Token of `issuer` (an https URL) for one of `audience`."""

    issuer: str
    audience: Sequence[str]


@dataclass(frozen=True, slots=True)
class EventStoreWrapperArgs:
    """`jwt` None: callers sign with SigV4 and IAM decides."""

    settings: LambdaSettings
    function: Function
    code: Path
    jwt: Jwt | None = None


class EventStoreWrapper(Component):
    """The API at `url`. `reader` and `operator` are ready IAM policies: all GET requests, and all requests."""

    def __init__(self, name: str, args: EventStoreWrapperArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        scope = args.settings.scope
        self.lambda_function = LambdaFunction(
            f"{name}-lambda", LambdaFunctionArgs(args.settings, args.function, args.code, None), self.child()
        )
        self.api = aws.apigatewayv2.Api(
            f"{name}-api", name=scope.physical("event-store", 128), protocol_type="HTTP", opts=self.child()
        )
        self._routes(args)
        self.stage = self._stage()
        self.permission = allow_invoke(
            self,
            "api",
            self.lambda_function.function,
            "apigateway.amazonaws.com",
            self.api.execution_arn.apply(lambda arn: f"{arn}/*"),
        )
        self.reader = self._caller_policy("reader", scope.physical("reader", 128), "GET/*")
        self.operator = self._caller_policy("operator", scope.physical("operator", 128), "*")
        self.url = self.api.api_endpoint
        self.register_outputs({"url": self.url, "reader": self.reader.arn, "operator": self.operator.arn})

    def _routes(self, args: EventStoreWrapperArgs) -> None:
        integration = aws.apigatewayv2.Integration(
            f"{self.name}-integration",
            api_id=self.api.id,
            integration_type="AWS_PROXY",
            integration_uri=self.lambda_function.function.arn,
            payload_format_version="2.0",
            opts=self.child(),
        )
        authorizer = self._authorizer(args.jwt) if args.jwt else None
        for key in ROUTE_KEYS:
            aws.apigatewayv2.Route(
                f"{self.name}-{key}",
                api_id=self.api.id,
                route_key=key,
                target=integration.id.apply(lambda integration_id: f"integrations/{integration_id}"),
                authorization_type="JWT" if authorizer else "AWS_IAM",
                authorizer_id=authorizer.id if authorizer else None,
                opts=self.child(),
            )

    def _authorizer(self, jwt: Jwt) -> aws.apigatewayv2.Authorizer:
        return aws.apigatewayv2.Authorizer(
            f"{self.name}-authorizer",
            api_id=self.api.id,
            name="jwt",
            authorizer_type="JWT",
            identity_sources=["$request.header.Authorization"],
            jwt_configuration=aws.apigatewayv2.AuthorizerJwtConfigurationArgs(
                issuer=jwt.issuer, audiences=list(jwt.audience)
            ),
            opts=self.child(),
        )

    def _stage(self) -> aws.apigatewayv2.Stage:
        return aws.apigatewayv2.Stage(
            f"{self.name}-stage",
            api_id=self.api.id,
            name="$default",
            auto_deploy=True,
            default_route_settings=aws.apigatewayv2.StageDefaultRouteSettingsArgs(
                throttling_rate_limit=STEADY_REQUESTS_PER_SECOND, throttling_burst_limit=BURST_REQUESTS
            ),
            opts=self.child(),
        )

    def _caller_policy(self, who: str, physical_name: str, requests: str) -> aws.iam.Policy:
        return aws.iam.Policy(
            f"{self.name}-{who}",
            name=physical_name,
            description=f"Lets a {who} call the HTTP API of {physical_name.removesuffix(f'-{who}')}.",
            policy=document(
                allow(["execute-api:Invoke"], [self.api.execution_arn.apply(lambda arn: f"{arn}/*/{requests}")])
            ),
            opts=self.child(),
        )
