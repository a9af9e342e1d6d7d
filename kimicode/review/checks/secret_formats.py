"""Formats of secrets as their issuers document them: access keys, tokens, webhooks. A table, and the checksums that some formats have.

Each format has literal anchors, one of which stands in every such secret: they are looked for first, and a pattern is compiled only when
its anchor was seen. What this module does not do: passwords, keys in PEM, and what has no format (`secret_names`).
"""

import base64
import binascii
import json
import re
from collections.abc import Callable
from functools import cache
from typing import Final

import msgspec

from kimicode.review.checks.secret_values import crc32_base62
from kimicode.review.finding import Severity


def _always(_: str) -> bool | None:
    return None


class Format(msgspec.Struct, frozen=True):
    """One kind of secret. `pattern` matches the secret itself, or has a group for it; letters, digits, `_` and `-` may not go on at either
    end. `proof` answers True for what must be real, False for what can't be, None where the format has nothing to tell them by."""

    name: str
    what: str
    anchors: tuple[str, ...]
    pattern: str
    severity: Severity = Severity.HIGH
    confidence: float = 0.95
    proof: Callable[[str], bool | None] = _always
    near: str = ""
    """A word that has to stand in the same line or path, in any case, where the shape alone says too little."""

    @property
    def has_proof(self) -> bool:
        """True where a real one can be told from a made-up one: a test that needs one takes a made-up one."""
        return self.proof is not _always

    @property
    def expression(self) -> re.Pattern[str]:
        """The compiled pattern, compiled once."""
        return _compiled(self.pattern)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![A-Za-z0-9_\-])(?:{pattern})(?![A-Za-z0-9_\-])")


def _github(token: str) -> bool | None:
    """30 random characters, and 6 of CRC-32: what does not fit was typed by hand, or is of a later form."""
    body = token.partition("_")[2]
    return True if crc32_base62(body[:30]) == body[30:] else None


def _jwt(token: str) -> bool | None:
    try:
        header, claims = (json.loads(_base64url(part)) for part in token.split(".")[:2])
    except (ValueError, binascii.Error):
        return False
    return None if isinstance(header, dict) and "alg" in header and isinstance(claims, dict) else False


def _discord(token: str) -> bool | None:
    try:
        return _base64url(token.split(".")[0]).isdigit()
    except (ValueError, binascii.Error):
        return False


def _base64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


_BECH32: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def _age(key: str) -> bool | None:
    """Bech32 (BIP 173): the last six characters are a checksum of all."""
    prefix, _, data = key.lower().rpartition("1")
    values = [ord(each) >> 5 for each in prefix] + [0] + [ord(each) & 31 for each in prefix] + [_BECH32.find(each) for each in data]
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            check ^= generator if top >> bit & 1 else 0
    return check == 1


_C: Final = Severity.CRITICAL

FORMATS: Final = (
    # Clouds and hosts
    Format("aws-access-key", "AWS access key ID", ("AKIA", "ASIA", "ABIA", "ACCA"), r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}"),
    Format(
        "aws-secret-key",
        "AWS secret access key",
        ("aws", "AWS", "Aws", "ecret"),
        r"(?i:aws_?)?(?i:secret_?(?:access_?)?key)(?i:[\"']?\s{0,3}(?:=|:|=>)\s{0,3}[\"']?)([A-Za-z0-9/+]{40})",
        _C,
    ),
    Format("aws-bedrock-key", "Amazon Bedrock API key", ("ABSK",), r"ABSK[A-Za-z0-9+/]{109,269}={0,2}", _C),
    Format("aws-mws-key", "Amazon MWS token", ("amzn.mws.",), r"amzn\.mws\.[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
    Format("google-api-key", "Google API key", ("AIza",), r"AIza[0-9A-Za-z_-]{35}"),
    Format("google-oauth-secret", "Google OAuth client secret", ("GOCSPX-",), r"GOCSPX-[A-Za-z0-9_-]{28}"),
    Format("google-oauth-token", "Google OAuth access token", ("ya29.",), r"ya29\.[0-9A-Za-z_-]{30,400}"),
    Format("google-refresh-token", "Google OAuth refresh token", ("1//0",), r"1//0[0-9A-Za-z_-]{60,120}"),
    Format("azure-storage-key", "Azure storage account key", ("AccountKey=",), r"AccountKey=([A-Za-z0-9+/]{86}==)", _C),
    Format("azure-shared-key", "Azure shared access key", ("SharedAccessKey=",), r"SharedAccessKey=([A-Za-z0-9+/]{43}=)", _C),
    Format("azure-client-secret", "Microsoft Entra client secret", ("Q~",), r"[A-Za-z0-9_~.]{3}\dQ~[A-Za-z0-9_~.\-]{31,34}", _C),
    Format(
        "azure-sas", "Azure shared access signature", ("sig=",), r"sv=\d{4}-\d\d-\d\d&[^\s\"']{10,200}&sig=([A-Za-z0-9%/+]{43,60}(?:%3D|=))"
    ),
    Format("azure-devops-pat", "Azure DevOps personal access token", ("AZDO",), r"[A-Za-z0-9]{76}AZDO[A-Za-z0-9]{4}", _C),
    Format("azure-ai-key", "Azure resource key", ("JQQJ99",), r"[A-Za-z0-9]{52}JQQJ99[A-Za-z0-9]{26}", _C),
    Format("azure-function-key", "Azure Functions key", ("AzFu",), r"[A-Za-z0-9_-]{44}AzFu[A-Za-z0-9_-]{6}=="),
    Format("digitalocean-token", "DigitalOcean token", ("dop_v1_", "doo_v1_", "dor_v1_"), r"do[opr]_v1_[0-9a-f]{64}", _C),
    Format("heroku-key", "Heroku API key", ("HRKU-",), r"HRKU-[A-Za-z0-9_-]{36,70}"),
    Format("fly-token", "Fly.io token", ("fm1r_", "fm2_", "fo1_"), r"(?:fm1r_|fm2_|fo1_)[A-Za-z0-9+/_-]{40,}={0,3}"),
    Format("netlify-token", "Netlify token", ("nfp_", "nfc_"), r"nf[pc]_[A-Za-z0-9]{36}"),
    Format("vercel-blob-token", "Vercel Blob token", ("vercel_blob_rw_",), r"vercel_blob_rw_[A-Za-z0-9]{16}_[A-Za-z0-9]{30}"),
    Format("render-key", "Render API key", ("rnd_",), r"rnd_[A-Za-z0-9]{28,40}", confidence=0.8, near="render"),
    Format("cloudflare-origin-key", "Cloudflare origin CA key", ("v1.0-",), r"v1\.0-[a-f0-9]{24}-[a-f0-9]{146}"),
    Format("alibaba-key", "Alibaba Cloud access key ID", ("LTAI",), r"LTAI[A-Za-z0-9]{12,20}"),
    Format("tencent-key", "Tencent Cloud secret ID", ("AKID",), r"AKID[A-Za-z0-9]{32}"),
    Format(
        "yandex-token", "Yandex Cloud token", ("AQVN", "t1.9eu", "y0_Ag"), r"AQVN[A-Za-z0-9_-]{35,38}|t1\.9eu[\w.-]{60,}|y0_Ag[\w-]{50,}"
    ),
    Format("scaleway-key", "Scaleway access key", ("SCW",), r"SCW[A-Z0-9]{17}", confidence=0.8),
    # Code, packages, builds
    Format(
        "github-token",
        "GitHub token",
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_"),
        r"gh[pousr]_[A-Za-z0-9]{36}(?:[A-Za-z0-9]{40})?",
        proof=_github,
    ),
    Format("github-fine-grained-token", "GitHub fine-grained token", ("github_pat_",), r"github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}", _C),
    Format(
        "gitlab-token",
        "GitLab token",
        ("glpat-", "gldt-", "glrt-", "glptt-", "glft-", "glsoat-", "glcbt-", "glimt-", "glagent-", "gloas-", "glffct-", "glwt-"),
        r"(?:glpat|gldt|glrt|glptt|glft|glsoat|glimt|glagent|gloas|glffct|glwt)-[A-Za-z0-9_-]{20,64}(?:\.[0-9a-z]{2}\.?[0-9a-z]{7,9})?"
        r"|glcbt-(?:[0-9a-f]{1,5}_)?[A-Za-z0-9_-]{20}",
    ),
    Format("gitlab-runner-registration", "GitLab runner registration token", ("GR1348941",), r"GR1348941[A-Za-z0-9_-]{20}"),
    Format("bitbucket-token", "Bitbucket app password", ("ATBB",), r"ATBB[A-Za-z0-9]{32}"),
    Format("atlassian-token", "Atlassian API token", ("ATATT3", "ATCTT3"), r"AT[AC]TT3[A-Za-z0-9_\-=]{60,300}"),
    Format("npm-token", "npm access token", ("npm_",), r"npm_[A-Za-z0-9]{36}", proof=_github),
    Format("npm-auth", "npm registry credentials", ("_authToken=", "_auth="), r"(?::|^)_auth(?:Token)?=([A-Za-z0-9+/_-]{20,}={0,2})"),
    Format("pypi-token", "PyPI API token", ("pypi-AgE",), r"pypi-AgE(?:IcHlwaS5vcmc|NdGVzdC5weXBpLm9yZw)[A-Za-z0-9_-]{50,1000}", _C),
    Format("rubygems-key", "RubyGems API key", ("rubygems_",), r"rubygems_[0-9a-f]{48}", _C),
    Format("crates-token", "crates.io token", ("cio",), r"cio[A-Za-z0-9]{32}"),
    Format("nuget-key", "NuGet API key", ("oy2",), r"oy2[a-z0-9]{43}"),
    Format("docker-token", "Docker Hub token", ("dckr_pat_", "dckr_oat_"), r"dckr_[po]at_[A-Za-z0-9_-]{27,40}"),
    Format("clojars-token", "Clojars token", ("CLOJARS_",), r"CLOJARS_[a-z0-9]{60}"),
    Format("jfrog-key", "JFrog API key", ("AKCp", "cmVmdGtu"), r"AKCp[A-Za-z0-9]{69}|cmVmdGtu[A-Za-z0-9]{56}"),
    Format("hashicorp-vault-token", "Vault token", ("hvs.", "hvb.", "hvr."), r"hv[sbr]\.[A-Za-z0-9_-]{24,300}"),
    Format("terraform-cloud-token", "Terraform Cloud token", (".atlasv1.",), r"[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{60,70}"),
    Format("pulumi-token", "Pulumi access token", ("pul-",), r"pul-[0-9a-f]{40}"),
    Format("doppler-token", "Doppler token", ("dp.",), r"dp\.(?:pt|st|ct|sa|scim|audit)\.(?:[a-z0-9_-]{2,35}\.)?[A-Za-z0-9]{40,44}"),
    Format("circleci-token", "CircleCI token", ("CCIPAT_", "CCIPRJ_"), r"CCIP(?:AT|RJ)_[A-Za-z0-9]{22}_[0-9a-f]{40}"),
    Format("buildkite-token", "Buildkite token", ("bkua_",), r"bkua_[0-9a-f]{40}"),
    Format("sonar-token", "SonarQube token", ("sqp_", "squ_", "sqa_"), r"sq[pua]_[0-9a-f]{40}"),
    Format("sourcegraph-token", "Sourcegraph token", ("sgp_",), r"sgp_(?:[0-9a-f]{16}_|local_)?[0-9a-f]{40}"),
    Format("postman-key", "Postman API key", ("PMAK-",), r"PMAK-[0-9a-f]{24}-[0-9a-f]{34}"),
    Format("databricks-token", "Databricks token", ("dapi",), r"dapi[0-9a-f]{32}(?:-\d)?"),
    Format("planetscale-token", "PlanetScale secret", ("pscale_",), r"pscale_(?:tkn|pw|oauth)_[A-Za-z0-9_=.\-]{32,64}"),
    Format("supabase-token", "Supabase secret", ("sbp_", "sb_secret_"), r"sbp_[0-9a-f]{40}|sb_secret_[A-Za-z0-9_-]{31}"),
    Format("prefect-key", "Prefect API key", ("pnu_", "pnb_"), r"pn[ub]_[A-Za-z0-9]{36}"),
    Format(
        "tailscale-key",
        "Tailscale key",
        ("tskey-",),
        r"tskey-(?:auth|api|client|scim|webhook)-[A-Za-z0-9]{8,20}(?:CNTRL)?-[A-Za-z0-9]{20,40}",
    ),
    Format("onepassword-token", "1Password service account token", ("ops_eyJ",), r"ops_eyJ[A-Za-z0-9_-]{250,}={0,3}", _C),
    Format("age-key", "age secret key", ("AGE-SECRET-KEY-1",), r"AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}", _C, proof=_age),
    # Models
    Format(
        "openai-key", "OpenAI API key", ("T3BlbkFJ",), r"sk-(?:proj-|svcacct-|admin-)?[A-Za-z0-9_-]{20,90}T3BlbkFJ[A-Za-z0-9_-]{20,90}", _C
    ),
    Format("anthropic-key", "Anthropic API key", ("sk-ant-",), r"sk-ant-(?:api|admin|oat|ort|sid)\d\d-[A-Za-z0-9_-]{80,120}", _C),
    Format("openrouter-key", "OpenRouter API key", ("sk-or-v1-",), r"sk-or-v1-[0-9a-f]{64}", _C),
    Format(
        "model-provider-key",
        "API key of a model provider (Moonshot, DeepSeek and others)",
        ("sk-",),
        r"sk-(?:proj-|kimi-|svcacct-|lf-)?(?:[A-Za-z0-9]{48,64}|[a-f0-9]{32})",
        confidence=0.9,
    ),
    Format("huggingface-token", "Hugging Face token", ("hf_", "api_org_"), r"hf_[A-Za-z]{34}|api_org_[A-Za-z]{34}"),
    Format("groq-key", "Groq API key", ("gsk_",), r"gsk_[A-Za-z0-9]{52}"),
    Format("xai-key", "xAI API key", ("xai-",), r"xai-[A-Za-z0-9]{80}"),
    Format("perplexity-key", "Perplexity API key", ("pplx-",), r"pplx-[A-Za-z0-9]{48}"),
    Format("replicate-token", "Replicate API token", ("r8_",), r"r8_[A-Za-z0-9]{37}"),
    Format("nvidia-key", "NVIDIA API key", ("nvapi-",), r"nvapi-[A-Za-z0-9_-]{60,70}"),
    Format("langsmith-key", "LangSmith API key", ("lsv2_",), r"lsv2_(?:pt|sk)_[0-9a-f]{32}_[0-9a-f]{10}"),
    Format("pinecone-key", "Pinecone API key", ("pcsk_",), r"pcsk_[A-Za-z0-9]{5,6}_[A-Za-z0-9]{60,70}"),
    Format("tavily-key", "Tavily API key", ("tvly-",), r"tvly-(?:dev-|prod-)?[A-Za-z0-9]{32}"),
    Format("elevenlabs-key", "ElevenLabs API key", ("sk_",), r"sk_[0-9a-f]{48}"),
    Format("wandb-key", "Weights & Biases API key", ("wandb_v1_",), r"wandb_v1_[A-Za-z0-9_]{60,90}"),
    # Messages
    Format("slack-token", "Slack token", ("xox",), r"xox[abeoprs](?:\.xox[bp])?-(?:\d{1,2}-)?[A-Za-z0-9-]{24,180}"),
    Format("slack-app-token", "Slack app-level token", ("xapp-",), r"xapp-\d-[A-Z0-9]{9,13}-\d{10,14}-[a-f0-9]{64}"),
    Format(
        "slack-webhook",
        "Slack webhook",
        ("hooks.slack.com/",),
        r"hooks\.slack\.com/(?:services/T[A-Z0-9]{8,12}/B[A-Z0-9]{8,12}|workflows/T[A-Z0-9]{8,12}/A[A-Z0-9]{8,12}/\d{17,19}|triggers/T[A-Z0-9]{8,12}/\d{10,14})"
        r"/[A-Za-z0-9]{24,32}",
    ),
    Format(
        "discord-token", "Discord bot token", (".",), r"[MNO][A-Za-z0-9]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,38}", proof=_discord
    ),
    Format("discord-webhook", "Discord webhook", ("/api/webhooks/",), r"discord(?:app)?\.com/api/webhooks/\d{17,20}/[A-Za-z0-9_-]{60,80}"),
    Format(
        "teams-webhook",
        "Microsoft Teams webhook",
        ("/IncomingWebhook/",),
        r"[\w.-]+/webhookb?2?/[0-9a-f@-]{36,80}/IncomingWebhook/[0-9a-f]{32}/[0-9a-f-]{36}",
    ),
    Format("telegram-token", "Telegram bot token", (":AA",), r"\d{8,10}:AA[A-Za-z0-9_-]{33}"),
    Format("twilio-key", "Twilio API key", ("SK",), r"SK[0-9a-f]{32}"),
    Format("sendgrid-key", "SendGrid API key", ("SG.",), r"SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}", _C),
    Format("mailgun-key", "Mailgun API key", ("key-",), r"key-[0-9a-f]{32}", confidence=0.85),
    Format("mailchimp-key", "Mailchimp API key", ("-us",), r"[0-9a-f]{32}-us\d{1,2}"),
    Format("brevo-key", "Brevo API key", ("xkeysib-", "xsmtpsib-"), r"x(?:key|smtp)sib-[0-9a-f]{64}-[A-Za-z0-9]{16}"),
    Format("resend-key", "Resend API key", ("re_",), r"re_[A-Za-z0-9]{8}_[A-Za-z0-9]{24}"),
    Format(
        "zapier-webhook",
        "Zapier webhook",
        ("hooks.zapier.com/",),
        r"hooks\.zapier\.com/hooks/catch/\d{5,10}/[a-z0-9]{6,10}",
        confidence=0.8,
    ),
    # Payment and shops
    Format("stripe-key", "Stripe live key", ("sk_live_", "rk_live_"), r"[sr]k_live_[A-Za-z0-9]{24,247}", _C),
    Format("stripe-test-key", "Stripe test key", ("sk_test_", "rk_test_"), r"[sr]k_test_[A-Za-z0-9]{24,247}", confidence=0.8),
    Format("stripe-webhook-secret", "Stripe webhook secret", ("whsec_",), r"whsec_[A-Za-z0-9+/]{32,64}={0,2}"),
    Format(
        "square-token",
        "Square token",
        ("sq0atp-", "sq0csp-", "EAAA"),
        r"sq0atp-[A-Za-z0-9_-]{22}|sq0csp-[A-Za-z0-9_-]{43}|EAAA[A-Za-z0-9_-]{60}",
    ),
    Format("shopify-token", "Shopify token", ("shpat_", "shpca_", "shppa_", "shpss_"), r"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}"),
    Format("braintree-token", "Braintree access token", ("access_token$",), r"access_token\$production\$[0-9a-z]{16}\$[0-9a-f]{32}", _C),
    Format("razorpay-key", "Razorpay live key", ("rzp_live_",), r"rzp_live_[A-Za-z0-9]{14}"),
    Format("flutterwave-key", "Flutterwave secret key", ("FLWSECK-",), r"FLWSECK-[0-9a-zA-Z]{32}-X"),
    Format("shippo-token", "Shippo live token", ("shippo_live_",), r"shippo_live_[0-9a-f]{40}"),
    Format("easypost-key", "EasyPost API key", ("EZAK",), r"EZAK[A-Za-z0-9]{54}"),
    Format("adyen-key", "Adyen API key", ("AQE",), r"AQE[A-Za-z0-9+/]{4,6}[A-Za-z0-9+/=]{100,}-[A-Za-z0-9+/=]{30,}"),
    # Watching and data
    Format(
        "grafana-token", "Grafana token", ("glsa_", "glc_eyJ"), r"glsa_[A-Za-z0-9]{32}_[0-9a-fA-F]{8}|glc_eyJ[A-Za-z0-9+/]{32,400}={0,3}"
    ),
    Format("newrelic-key", "New Relic key", ("NRAK-", "NRII-", "NRJS-"), r"NRAK-[A-Z0-9]{27}|NRII-[A-Za-z0-9-]{32}"),
    Format("sentry-token", "Sentry token", ("sntrys_", "sntryu_"), r"sntrys_eyJ[A-Za-z0-9+/=_]{60,300}|sntryu_[0-9a-f]{64}"),
    Format("dynatrace-token", "Dynatrace token", ("dt0",), r"dt0[a-z]\d\d\.[A-Z0-9]{8,24}\.[A-Z0-9]{64}"),
    Format("posthog-key", "PostHog personal API key", ("phx_",), r"phx_[A-Za-z0-9]{40,50}"),
    Format(
        "launchdarkly-key",
        "LaunchDarkly key",
        ("sdk-", "api-"),
        r"(?:sdk|api)-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
    ),
    Format("notion-token", "Notion token", ("ntn_",), r"ntn_\d{11}[A-Za-z0-9]{35}"),
    Format("airtable-token", "Airtable token", ("pat",), r"pat[A-Za-z0-9]{14}\.[0-9a-f]{64}"),
    Format("linear-key", "Linear API key", ("lin_api_", "lin_oauth_"), r"lin_(?:api|oauth)_[A-Za-z0-9]{40,64}"),
    Format("figma-token", "Figma token", ("figd_",), r"figd_[A-Za-z0-9_-]{40}"),
    Format("dropbox-token", "Dropbox token", ("sl.",), r"sl\.(?:u\.)?[A-Za-z0-9_-]{130,1500}"),
    Format("contentful-token", "Contentful token", ("CFPAT-",), r"CFPAT-[A-Za-z0-9_-]{43}"),
    Format("mapbox-token", "Mapbox secret token", ("sk.eyJ",), r"sk\.eyJ[A-Za-z0-9_-]{60,120}\.[A-Za-z0-9_-]{22}"),
    Format("facebook-token", "Facebook access token", ("EAA",), r"EAA(?:[A-Za-z0-9]{100,300})", confidence=0.85),
    Format("x-bearer-token", "X (Twitter) bearer token", ("AAAAAAAAAAAAAAAAAAAA",), r"A{20,24}[A-Za-z0-9%]{60,110}", confidence=0.85),
    Format(
        "jwt", "JSON Web Token", ("eyJ",), r"eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{20,}", confidence=0.75, proof=_jwt
    ),
)
"""Sources: each issuer's public documentation of its tokens, and of the scanning for leaked ones that many take part in."""
