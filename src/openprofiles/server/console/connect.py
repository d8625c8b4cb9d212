"""The page that shows how programs connect to this server: code with its address and region, and no secret."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.responses import Response
from starlette.routing import Route

from openprofiles.server.console.visitors import Visitor, signed_in
from openprofiles.server.services import Services


@dataclass(frozen=True, slots=True)
class Snippet:
    """Some lines of code, with the placeholders ``<ADDRESS>`` and ``<REGION>``."""

    name: str
    title: str
    code: str


CREATE_KEY = "openprofiles credentials create --name my-program --role viewer"
SET_KEY = "export AWS_ACCESS_KEY_ID='<access key ID>'\nexport AWS_SECRET_ACCESS_KEY='<secret access key>'"

SNIPPETS = (
    Snippet(
        "boto3",
        "Python (boto3)",
        """import boto3

profiles = boto3.client(
    "customer-profiles", endpoint_url="<ADDRESS>", region_name="<REGION>"
)
print(profiles.list_domains()["Items"])""",
    ),
    Snippet(
        "aws-cli",
        "AWS CLI",
        """aws customer-profiles list-domains \\
  --endpoint-url <ADDRESS> --region <REGION>""",
    ),
    Snippet(
        "javascript",
        "JavaScript (AWS SDK v3)",
        """import { CustomerProfilesClient, ListDomainsCommand }
  from "@aws-sdk/client-customer-profiles";

const client = new CustomerProfilesClient({
  endpoint: "<ADDRESS>", region: "<REGION>"
});
console.log((await client.send(new ListDomainsCommand({}))).Items);""",
    ),
    Snippet(
        "terraform",
        "Terraform",
        """provider "aws" {
  region                      = "<REGION>"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  endpoints {
    customerprofiles = "<ADDRESS>"
  }
}""",
    ),
    Snippet(
        "environment",
        "Other programs (environment variables)",
        """export AWS_ENDPOINT_URL_CUSTOMER_PROFILES=<ADDRESS>
export AWS_REGION=<REGION> AWS_DEFAULT_REGION=<REGION>""",
    ),
)


def routes(services: Services) -> list[Route]:
    """Return the route of ``/console/connect``."""
    return [Route("/console/connect", signed_in(services, show_snippets), methods=["GET"])]


def show_snippets(visitor: Visitor) -> Response:
    """Show the page."""
    settings = visitor.services.settings
    address = settings.public_url or str(visitor.request.base_url).rstrip("/")
    return visitor.page(
        "connect.html",
        address=address,
        region=settings.region,
        create_key=CREATE_KEY,
        set_key=SET_KEY,
        snippets=[
            (one.name, one.title, one.code.replace("<ADDRESS>", address).replace("<REGION>", settings.region))
            for one in SNIPPETS
        ],
    )
