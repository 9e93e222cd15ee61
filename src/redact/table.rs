//! The rules that every redactor begins with: data, written from the formats that the issuers publish.
//!
//! Where two rules find the same text, the upper one gives its name.

use super::rule::{Rule, Shape};

/// One row: name, keywords, pattern, and the least entropy in bits a character, where one is asked for.
struct Row(&'static str, &'static [&'static str], &'static str, Option<f64>);

const PATTERNS: &[Row] = &[
    Row(
        "private-key",
        &["PRIVATE KEY"],
        r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?:(?:[^-]|-[^-])*?-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|[A-Za-z0-9+/=\\\s]{40,})",
        None,
    ),
    Row("age-key", &["AGE-SECRET-KEY-1"], r"\bAGE-SECRET-KEY-1[0-9A-Z]{58}", None),
    Row(
        "jwt",
        &["eyJ"],
        r"\beyJ[A-Za-z0-9_-]{8,}\.(?:eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*|[A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]{8,}){3})",
        None,
    ),
    Row(
        "aws-access-key",
        &["AKIA", "ASIA", "ABIA", "ACCA", "A3T"],
        r"\b(?:AKIA|ASIA|ABIA|ACCA|A3T[A-Z0-9])[A-Z0-9]{16}\b",
        None,
    ),
    Row("github-token", &["ghp_", "gho_", "ghu_", "ghs_", "ghr_"], r"\bgh[pousr]_[A-Za-z0-9]{36,}", None),
    Row("github-token", &["github_pat_"], r"\bgithub_pat_[A-Za-z0-9_]{22,}", None),
    Row(
        "gitlab-token",
        &["glpat-", "gldt-", "glrt-", "glcbt-", "glptt-", "glft-", "glimt-", "glagent-", "glsoat-", "gloas-"],
        r"\bgl(?:pat|dt|rt|cbt|ptt|ft|imt|agent|soat|oas)-[A-Za-z0-9_.-]{20,}",
        None,
    ),
    Row("gitlab-token", &["GR1348941"], r"\bGR1348941[A-Za-z0-9_-]{20,}", None),
    Row(
        "slack-token",
        &["xoxa", "xoxb", "xoxe", "xoxo", "xoxp", "xoxr", "xoxs"],
        r"\bxox[abeoprs](?:\.xox[bp])?-[A-Za-z0-9-]{10,}",
        None,
    ),
    Row("slack-token", &["xapp-"], r"\bxapp-[0-9]-[A-Z0-9]+-[0-9]+-[a-z0-9]{20,}", None),
    Row(
        "slack-webhook",
        &["hooks.slack.com/"],
        r"\bhooks\.slack\.com/(?:services|workflows|triggers)/(?P<secret>[A-Za-z0-9+/]{20,})",
        None,
    ),
    Row(
        "stripe-key",
        &["sk_live_", "sk_test_", "rk_live_", "rk_test_"],
        r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{10,}",
        None,
    ),
    Row("stripe-webhook-secret", &["whsec_"], r"\bwhsec_[A-Za-z0-9+/=]{24,}", None),
    Row("anthropic-key", &["sk-ant-"], r"\bsk-ant-[a-z]{2,8}[0-9]{2}-[A-Za-z0-9_-]{20,}", None),
    Row("openrouter-key", &["sk-or-"], r"\bsk-or-v[0-9]-[0-9a-f]{64}", None),
    Row(
        "openai-key",
        &["sk-proj-", "sk-svcacct-", "sk-admin-"],
        r"\bsk-(?:proj|svcacct|admin)-[A-Za-z0-9_-]{20,}",
        None,
    ),
    Row("openai-key", &["sk-"], r"\bsk-[A-Za-z0-9]{32,}\b", Some(3.0)),
    Row("google-api-key", &["AIza"], r"\bAIza[A-Za-z0-9_-]{35}", None),
    Row("google-oauth-token", &["ya29."], r"\bya29\.[A-Za-z0-9_-]{20,}", None),
    Row("google-oauth-token", &["1//0"], r"\b1//0[A-Za-z0-9_-]{40,}", None),
    Row("google-client-secret", &["GOCSPX-"], r"\bGOCSPX-[A-Za-z0-9_-]{20,}", None),
    Row("npm-token", &["npm_"], r"\bnpm_[A-Za-z0-9]{36}\b", None),
    Row("pypi-token", &["pypi-AgE"], r"\bpypi-AgE[A-Za-z0-9_-]{50,}", None),
    Row("sendgrid-key", &["SG."], r"\bSG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{16,64}", Some(3.0)),
    Row("twilio-key", &["SK"], r"\bSK[0-9a-f]{32}\b", Some(3.0)),
    Row("mailgun-key", &["key-"], r"\bkey-[0-9a-f]{32}\b", None),
    Row("mailgun-key", &["mailgun", "Mailgun", "MAILGUN"], r"\b[0-9a-f]{32}-[0-9a-f]{8}-[0-9a-f]{8}\b", None),
    Row("mailchimp-key", &["-us"], r"\b[0-9a-f]{32}-us[0-9]{1,2}\b", None),
    Row("huggingface-token", &["hf_", "api_org_"], r"\b(?:hf|api_org)_[A-Za-z0-9]{30,}\b", None),
    Row("azure-storage-key", &["AccountKey="], r"AccountKey=(?P<secret>[A-Za-z0-9+/]{40,}={0,2})", None),
    Row("azure-signature", &["sig="], r"[?&;]sig=(?P<secret>[A-Za-z0-9%+/]{40,}={0,2})", None),
    Row("digitalocean-token", &["dop_v1_", "doo_v1_", "dor_v1_"], r"\bdo[por]_v1_[0-9a-f]{64}\b", None),
    Row("databricks-token", &["dapi"], r"\bdapi[0-9a-f]{32}(?:-[0-9])?\b", None),
    Row("shopify-token", &["shpat_", "shpca_", "shppa_", "shpss_"], r"\bshp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}\b", None),
    Row("square-token", &["sq0atp-", "sq0csp-"], r"\bsq0(?:atp|csp)-[A-Za-z0-9_-]{22,}", None),
    Row("square-token", &["EAAA"], r"\bEAAA[A-Za-z0-9_-]{60}\b", Some(3.5)),
    Row("telegram-token", &[":AA"], r"\b[0-9]{8,10}:AA[A-Za-z0-9_-]{33}\b", None),
    Row(
        "discord-token",
        &["MD", "MT", "Mj", "Mz", "ND", "NT", "Nj", "Nz", "OD", "OT"],
        r"\b(?:M[DTjz]|N[DTjz]|O[DT])[A-Za-z0-9_-]{22,26}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,40}\b",
        Some(3.5),
    ),
    Row(
        "discord-webhook",
        &["/api/webhooks/"],
        r"\bdiscord(?:app)?\.com/api/webhooks/[0-9]+/(?P<secret>[A-Za-z0-9_-]{60,})",
        None,
    ),
    Row("vault-token", &["hvs.", "hvb.", "hvr."], r"\bhv[sbr]\.[A-Za-z0-9_-]{24,}", None),
    Row("grafana-token", &["glc_", "glsa_"], r"\bgl(?:c|sa)_[A-Za-z0-9+/=_]{32,}", None),
    Row("groq-key", &["gsk_"], r"\bgsk_[A-Za-z0-9]{48,}\b", None),
    Row("xai-key", &["xai-"], r"\bxai-[A-Za-z0-9]{70,}\b", None),
    Row("replicate-token", &["r8_"], r"\br8_[A-Za-z0-9]{37}\b", None),
    Row("linear-key", &["lin_api_"], r"\blin_api_[A-Za-z0-9]{32,}\b", None),
    Row("notion-token", &["ntn_"], r"\bntn_[A-Za-z0-9]{40,}\b", None),
    Row("postman-key", &["PMAK-"], r"\bPMAK-[0-9a-f]{24}-[0-9a-f]{34}\b", None),
    Row("atlassian-token", &["ATATT3"], r"\bATATT3[A-Za-z0-9_=-]{50,}", None),
    Row("url-password", &["://"], r#"[A-Za-z][A-Za-z0-9+.-]*://[^\s/:@"'<>]*:(?P<secret>[^\s/@"'<>]+)@"#, None),
    Row(
        "authorization",
        &["authorization"],
        r#"(?i)\bauthorization\\*["']?\s*[:=]\s*\\*["']?(?:bearer|basic|token|apikey)\s+(?P<secret>[a-z0-9+/_.~=-]{6,})"#,
        None,
    ),
    Row("bearer-token", &["bearer "], r"(?i)\bbearer\s+(?P<secret>[a-z0-9+/_.~-]{20,}=*)", Some(3.0)),
];

/// Values that are given to a name: the expressions end where the value begins, and group 1 is the name.
const ASSIGNMENTS: &[Row] = &[
    Row(
        "assignment",
        &["passw", "pwd", "passphrase", "secret", "token", "key", "authorization"],
        r#"(?i)((?:[a-z0-9_][a-z0-9_.-]*)?(?:password|passwd|pwd|passphrase|secret|token|key|authorization))(?:\\*["'`])?\]?[ \t]*(?::=|=>|==?|:)[ \t]*"#,
        Some(2.3),
    ),
    Row(
        "assignment",
        &["--"],
        r"(?i)--((?:[a-z0-9][a-z0-9-]*-)?(?:password|passwd|passphrase|secret|token|key|apikey))[ \t]+",
        Some(2.3),
    ),
];

pub(super) fn rules() -> Vec<Rule> {
    let rule = |row: &Row, shape: fn(std::borrow::Cow<'static, str>) -> Shape| Rule {
        name: row.0.into(),
        keywords: row.1.iter().map(|keyword| (*keyword).into()).collect(),
        entropy: row.3,
        shape: shape(row.2.into()),
    };
    let patterns = PATTERNS.iter().map(|row| rule(row, |pattern| Shape::Pattern(pattern, Default::default())));
    let assigned = ASSIGNMENTS.iter().map(|row| rule(row, |pattern| Shape::Assignment(pattern, Default::default())));
    patterns.chain(assigned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_makes_a_rule() {
        for Row(name, keywords, pattern, _) in PATTERNS.iter().chain(ASSIGNMENTS) {
            Rule::new(name, keywords.iter().copied(), pattern).unwrap();
        }
    }
}
