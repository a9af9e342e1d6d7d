"""Secrets: each format by what its issuer documents, never shown, and silence where it only looks like one."""

import base64
import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimicode.review.checks.secret_formats import FORMATS
from kimicode.review.checks.secret_values import crc32_base62, entropy, is_random, masked
from kimicode.review.finding import Severity
from tests.review.checked import checked, file_of, findings, found, spelt

TEMPLATES = {
    "aws-access-key": "AKIA{A16}",
    "aws-bedrock-key": "ABSK{b128}=",
    "google-api-key": "AIza{a35}",
    "google-oauth-secret": "GOCSPX-{a28}",
    "google-oauth-token": "ya29.{a80}",
    "azure-storage-key": "AccountName=a;AccountKey={b86}==",
    "azure-client-secret": "{a3}8Q~{a34}",
    "azure-devops-pat": "{a76}AZDO{a4}",
    "digitalocean-token": "dop_v1_{h64}",
    "netlify-token": "nfp_{a36}",
    "github-fine-grained-token": "github_pat_{a22}_{a59}",
    "gitlab-token": "glpat-{a20}",
    "bitbucket-token": "ATBB{a32}",
    "atlassian-token": "ATATT3{a180}",
    "pypi-token": "pypi-AgEIcHlwaS5vcmc{a150}",
    "rubygems-key": "rubygems_{h48}",
    "crates-token": "cio{a32}",
    "nuget-key": "oy2{z43}",
    "docker-token": "dckr_pat_{a27}",
    "hashicorp-vault-token": "hvs.{a95}",
    "terraform-cloud-token": "{a14}.atlasv1.{a67}",
    "pulumi-token": "pul-{h40}",
    "doppler-token": "dp.pt.{a43}",
    "databricks-token": "dapi{h32}",
    "openai-key": "sk-proj-{a70}T3BlbkFJ{a70}",
    "anthropic-key": "sk-ant-api03-{a93}AA",
    "openrouter-key": "sk-or-v1-{h64}",
    "model-provider-key": "sk-{a48}",
    "huggingface-token": "hf_{l34}",
    "groq-key": "gsk_{a52}",
    "xai-key": "xai-{a80}",
    "replicate-token": "r8_{a37}",
    "slack-token": "xoxb-{d12}-{d13}-{a24}",
    "slack-webhook": "https://hooks.slack.com/services/T0{A8}/B0{A8}/{a24}",
    "discord-webhook": "https://discord.com/api/webhooks/{d18}/{a68}",
    "telegram-token": "7{d9}:AA{a33}",
    "twilio-key": "SK{h32}",
    "sendgrid-key": "SG.{a22}.{a43}",
    "mailgun-key": "key-{h32}",
    "mailchimp-key": "{h32}-us12",
    "brevo-key": "xkeysib-{h64}-{a16}",
    "stripe-key": "sk_live_{a24}",
    "stripe-test-key": "sk_test_{a24}",
    "stripe-webhook-secret": "whsec_{a32}",
    "square-token": "sq0csp-{a43}",
    "shopify-token": "shpat_{h32}",
    "grafana-token": "glsa_{a32}_{h8}",
    "newrelic-key": "NRAK-{A27}",
    "sentry-token": "sntryu_{h64}",
    "postman-key": "PMAK-{h24}-{h34}",
    "airtable-token": "pat{a14}.{h64}",
    "linear-key": "lin_api_{a40}",
    "figma-token": "figd_{a40}",
    "notion-token": "ntn_{d11}{a35}",
    "tailscale-key": "tskey-auth-{a12}CNTRL-{a32}",
}


@pytest.mark.parametrize("name", TEMPLATES)
def test_each_format_is_found_and_never_shown(name: str) -> None:
    secret = spelt(TEMPLATES[name])
    (finding,) = findings("src/app.py", f'client = connect("{secret}")\n')
    assert finding.rule == f"secret/{name}"
    assert finding.severity >= Severity.HIGH
    assert secret[6:] not in repr(finding)
    assert "…(" in finding.quote
    assert finding.line == 1


def test_names_of_formats_are_unique_and_their_patterns_compile() -> None:
    assert len({each.name for each in FORMATS}) == len(FORMATS) > 100
    for each in FORMATS:
        assert each.expression.groups <= 1
        assert all(each.anchors)


def token(prefix: str, body: str) -> str:
    return f"{prefix}_{body}{crc32_base62(body)}"


def test_a_checksum_tells_a_real_token_from_a_typed_one() -> None:
    body = spelt("{a30}")
    (real,) = findings("src/a.py", f"x = '{token('ghp', body)}'\n")
    assert (real.rule, real.severity, real.confidence) == ("secret/github-token", Severity.CRITICAL, 0.99)
    (typed,) = findings("src/a.py", f"x = 'ghp_{body}aB9Zz7'\n")
    assert (typed.severity, typed.confidence) == (Severity.HIGH, 0.95)
    assert found("tests/test_a.py", f"x = 'ghp_{body}aB9Zz7'\n") == []
    assert found("tests/test_a.py", f"x = '{token('ghp', body)}'\n") == ["secret/github-token"]
    assert found("src/a.js", f"x = '{token('npm', body)}'\n") == ["secret/npm-token"]


@given(st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", min_size=30, max_size=30))
def test_the_checksum_is_crc32_in_base_62(body: str) -> None:
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    number = 0
    for each in crc32_base62(body):
        number = number * 62 + digits.index(each)
    assert number == zlib.crc32(body.encode())


def jwt(header: object) -> str:
    parts = (header, {"sub": spelt("{d10}"), "iat": 1_700_000_000})
    return ".".join([*(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts), spelt("{a43}")])


def test_a_json_web_token_has_a_header_that_says_so() -> None:
    assert found("src/a.go", f'var t = "{jwt({"alg": "HS256"})}"\n') == ["secret/jwt"]
    assert found("src/a.go", f'var t = "{jwt({"no": "HS256"})}"\n') == []
    assert found("docs/a.md", f"{jwt({'alg': 'HS256'})}\n") == []


def pem(kind: str, body: str, join: str = "\n") -> str:
    return join.join([f"-----BEGIN {kind}PRIVATE KEY-----", body, body, f"-----END {kind}PRIVATE KEY-----", ""])


@pytest.mark.parametrize("kind", ["RSA ", "EC ", "OPENSSH ", "", "ENCRYPTED "])
def test_private_keys(kind: str) -> None:
    key = pem(kind, spelt("{b64}"))
    (finding,) = findings("deploy/server.key", key)
    assert (finding.rule, finding.severity, finding.line) == ("secret/private-key", Severity.CRITICAL, 1)
    assert found("src/a.py", f'KEY = "{pem(kind, spelt("{b64}"), chr(92) + "n")}"\n') == ["secret/private-key"]
    assert found("tests/certs/server.key", key) == []


def test_a_header_alone_is_no_key() -> None:
    assert found("src/a.py", 'if text.startswith("-----BEGIN RSA PRIVATE KEY-----"):\n    pass\n') == []
    assert found("src/a.go", "// e.g. -----BEGIN RSA PRIVATE KEY-----\\n" + spelt("{b64}") + "\n") == []


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("src/a.py", 'api_key = "{a32}"'),
        ("src/a.py", 'config["auth_token"] = "{h40}"'),
        ("src/a.js", "clientSecret = '{a40}';"),
        ("src/A.scala", 'private static final String ACCESS_TOKEN = "{a24}";'),
        ("src/a.ts", 'const signingKey: string = "{b44}";'),
        ("deploy/prod.yaml", "  encryption_key: {a32}"),
        ("service.properties", "db.credentials={a24}"),
        ("src/a.go", 'password := "Winter27$xqk"'),
        ("run.txt2", 'curl -H "Authorization: Bearer {a40}" https://api.corp.net'),
        ("run.txt2", "deploy --token {a32} now"),
        ("web.config", '<add key="ApiKey" value="{a32}"/>'),
    ],
)
def test_random_values_under_telling_names(path: str, line: str) -> None:
    (finding,) = findings(path, spelt(line) + "\n")
    assert (finding.rule, finding.severity) == ("secret/assigned-value", Severity.HIGH)


@pytest.mark.parametrize(
    "line",
    [
        'api_key = os.environ["API_KEY_FOR_THE_SERVICE_1"]',
        'api_key = "your-api-key-goes-here-12345"',
        'API_KEY = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"',
        'token = "${{ secrets.DEPLOY_TOKEN_2 }}"',
        'token_url = "{a32}"',
        'password_hash = "{h64}"',
        'public_key = "{b44}"',
        'secret_name = "{a32}"',
        'fields = ["old_password", "new_password1", "new_password2"]',
        'password = "password123"',
        'token = "authorization_code_grant_type"',
        'access_key = "1f7a6b2c-93d1-4c55-8a6e-0c9d1b7e3f21"',
        'tokenizer = "{a32}"',
        'key = "{a32}"',
        'client_secret = get_secret("{a32}")',
        'api_key = "AKIAIOSFODNN7EXAMPLE"',
        'apiKey = "abcdefghijklmnopqrstuvwxyz123456"',
        'secret = "path/to/the/secret/file2.txt"',
    ],
)
def test_what_only_looks_like_a_secret(line: str) -> None:
    assert found("src/a.py", spelt(line.replace("${{", "$<<").replace("}}", ">>")).replace("$<<", "${{").replace(">>", "}}") + "\n") == []


def test_values_in_tests_examples_and_documents_are_made_up() -> None:
    line = spelt('api_key = "{a32}"\n')
    for path in ("tests/a.py", "src/a_test.go", "docs/use.md", "examples/a.py", ".env.example", "vendor/a.js", "package-lock.json"):
        assert found(path, line) == []


@pytest.mark.parametrize(
    ("address", "rules"),
    [
        ("postgres://app:q7Lw9zPk3e@db.corp.net/main", ["secret/url-password"]),
        ("https://deploy:Zk4f8sQ1xv@git.corp.net/a.git", ["secret/url-password"]),
        ("postgres://postgres:postgres@db/main", []),
        ("postgres://app:q7Lw9zPk3e@localhost/main", []),
        ("https://user:pass@example.com/", []),
        ("postgres://app:${PASSWORD_1}@db.corp.net/main", []),
        ("redis://:password123@cache.corp.net", []),
        ("https://host:8080/a@b1", []),
    ],
)
def test_addresses_with_passwords(address: str, rules: list[str]) -> None:
    assert found("src/a.py", f'URL = "{address}"\n') == rules


def test_what_was_there_before_or_moved_is_silent() -> None:
    line = spelt('client = "AKIA{A16}"')
    assert found("src/a.py", f"import b\n{line}\n", f"{line}\n") == []
    assert found("src/a.py", f"if b:\n    {line}\n", f"{line}\n") == []
    moved = checked(file_of("a.py", "", f"{line}\n"), file_of("b.py", f"{line}\n"), new={"a.py": "", "b.py": f"{line}\n"})
    assert moved == ()


def test_one_finding_for_one_secret_of_a_line() -> None:
    assert found("src/a.py", spelt('openai_api_key = "sk-proj-{a70}T3BlbkFJ{a70}"\n')) == ["secret/openai-key"]


@given(st.text(max_size=300))
def test_any_text_can_be_looked_at(text: str) -> None:
    for finding in findings("src/a.py", text):
        assert finding.line >= 1


@given(st.text(max_size=60))
def test_what_is_shown_of_a_secret_is_at_most_its_beginning(value: str) -> None:
    assert masked(value).partition("…")[0] == value[: min(4, len(value) // 4)]
    assert 0 <= entropy(value) <= 8


def test_names_from_code_are_not_random() -> None:
    for name in (
        "getAccessTokenFromRequestHeaders",
        "https_only_cookie_name_prefix",
        "com.company.product.auth.Token2",
        "Audio2_5OmniToken2WavConfig",
    ):
        assert not is_random(name), name
    assert sum(is_random(spelt("{a32}", seed)) for seed in range(50)) >= 48
