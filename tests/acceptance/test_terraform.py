"""The real Terraform with the provider block of the README, where it is present.

It needs ``terraform`` on the path and the AWS provider in a filesystem mirror, which OPENPROFILES_TERRAFORM_MIRROR
names; Terraform's own place for one and /opt/tf-plugins are looked at too. Nothing is downloaded.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from acceptance.running import environment, running_server

ROOT = Path(__file__).parents[2]
_PROVIDER = "registry.terraform.io/hashicorp/aws"
_MIRRORS = ("~/.terraform.d/plugins", "/usr/local/share/terraform/plugins", "/opt/tf-plugins")
_RESOURCES = """
resource "aws_customerprofiles_domain" "demo" {
  domain_name             = "terraform"
  default_expiration_days = 366
  tags                    = { team = "crm" }
}

resource "aws_customerprofiles_profile" "ada" {
  domain_name   = aws_customerprofiles_domain.demo.domain_name
  first_name    = "Ada"
  email_address = "ada@example.com"
  attributes    = { tier = "gold" }
  address {
    city        = "London"
    postal_code = "W1"
  }
}
"""


def find_mirror() -> Path | None:
    named = os.environ.get("OPENPROFILES_TERRAFORM_MIRROR")
    places = [Path(place).expanduser() for place in ([named] if named else _MIRRORS)]
    return next((place for place in places if (place / _PROVIDER).is_dir()), None)


# Most of its 27 s of processor time is the provider's own start.
@pytest.mark.long(
    daily="tests/wire/test_terraform_requests.py::test_an_empty_text_of_a_new_profile_means_that_the_member_is_absent"
)
def test_terraform_applies_plans_without_a_difference_and_destroys(tmp_path: Path) -> None:
    terraform, mirror = shutil.which("terraform"), find_mirror()
    if terraform is None:
        pytest.skip("terraform is not on the path")
    if mirror is None:
        pytest.skip(f"no mirror with {_PROVIDER}; OPENPROFILES_TERRAFORM_MIRROR can name one")
    folder = tmp_path / "terraform"
    folder.mkdir()
    settings = tmp_path / "terraform.rc"
    settings.write_text(f'provider_installation {{\n  filesystem_mirror {{\n    path = "{mirror}"\n  }}\n}}\n')
    variables = {
        "TF_CLI_CONFIG_FILE": str(settings),
        "CHECKPOINT_DISABLE": "1",
        "NO_PROXY": "127.0.0.1",
        "HOME": str(tmp_path),
        # Most of the provider's work is reading its schemas; collecting garbage less often makes a third less of it.
        "GOGC": "400",
    }

    def run(*arguments: str, **more: str) -> tuple[int, str]:
        answer = subprocess.run(
            [terraform, *arguments, "-no-color", "-input=false"],
            cwd=folder,
            env=environment(**variables, **more),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
        )
        return answer.returncode, answer.stdout

    with running_server(tmp_path / "data") as server:
        readme = (ROOT / "README.md").read_text(encoding="utf-8")
        (block,) = re.findall(r"^```hcl\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)
        (folder / "main.tf").write_text(block.replace("http://127.0.0.1:8420", server.url) + _RESOURCES)
        access_key_id, secret = server.admin()
        keys = {"AWS_ACCESS_KEY_ID": access_key_id, "AWS_SECRET_ACCESS_KEY": secret}
        client = server.client()

        steps = [run("init"), run("apply", "-auto-approve", **keys)]
        found = client.search_profiles(DomainName="terraform", KeyName="_email", Values=["ada@example.com"])
        # 0: no difference; 2: there is one.
        steps += [run("plan", "-detailed-exitcode", **keys), run("destroy", "-auto-approve", "-refresh=false", **keys)]
        domains = client.list_domains()["Items"]

    assert [status for status, _ in steps] == [0, 0, 0, 0], "\n".join(output for _, output in steps)
    (profile,) = found["Items"]
    assert profile["Address"] == {"City": "London", "PostalCode": "W1"}
    assert domains == []
