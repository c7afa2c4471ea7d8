//! The last look before anything is printed: what others say, a server or a library, may repeat a secret.

use super::finding::Finding;
use crate::settings::{MASK, Secret, ServiceUrl, Settings};

/// A shorter one is in every other word.
const SHORTEST: usize = 6;

/// Takes every secret of the settings out of the findings.
pub(super) fn hide(settings: &Settings, findings: &mut [Finding]) {
    let mut secrets = secrets(settings);
    secrets.retain(|secret| secret.len() >= SHORTEST);
    // A longer one may begin with a shorter.
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    for finding in findings {
        for text in [&mut finding.subject, &mut finding.found, &mut finding.means, &mut finding.advice] {
            for secret in &secrets {
                if text.contains(secret.as_str()) {
                    *text = text.replace(secret.as_str(), MASK);
                }
            }
        }
    }
}

fn secrets(settings: &Settings) -> Vec<String> {
    let Settings { admin, auth, redis, channel, cache, general_cache, ai, .. } = settings;
    let mut plain: Vec<&Secret> = vec![&admin.token, &admin.view_token, &auth.jwt_secret, &redis.password, &ai.api_key];
    plain.extend(&auth.api_keys);
    plain.extend(auth.key.iter().map(|table| &table.key));
    plain.extend(&channel.encryption_keys);
    plain.extend(ai.backends.iter().flat_map(|table| std::iter::once(&table.api_key).chain(table.headers.values())));
    let mut urls: Vec<&ServiceUrl> =
        vec![&redis.url, &cache.url, &general_cache.url, &auth.hook_url, &auth.jwks_url, &ai.base_url];
    urls.extend(&channel.hosts);
    urls.extend(ai.backends.iter().map(|table| &table.base_url));
    // Of a key with a name, the key alone is secret.
    let keys = plain
        .into_iter()
        .map(|secret| secret.expose())
        .flat_map(|text| [text, text.rsplit(':').next().unwrap_or(text)]);
    keys.map(str::to_owned).chain(urls.into_iter().flat_map(of_url)).collect()
}

/// The password of a URL, as it stands there and as it is meant.
fn of_url(url: &ServiceUrl) -> Vec<String> {
    let Ok(parsed) = reqwest::Url::parse(url.as_str()) else { return Vec::new() };
    let mut secrets: Vec<String> = parsed.password().map(str::to_owned).into_iter().collect();
    let meant =
        secrets.first().map(|password| format!("x:?{password}")).and_then(|text| reqwest::Url::parse(&text).ok());
    secrets.extend(meant.and_then(|url| url.query_pairs().next().map(|(decoded, _)| decoded.into_owned())));
    let open = ["db", "user", "protocol", "master", "sentinel", "api-version"];
    let hidden = parsed.query_pairs().filter(|(name, _)| !open.contains(&&**name));
    secrets.extend(hidden.map(|(_, value)| value.into_owned()));
    secrets
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Area;

    #[test]
    fn what_is_secret_is_hidden_wherever_it_is_repeated() {
        let environment = [
            ("USE_REDIS", "true"),
            ("REDIS_URL", "redis://app:hunter%2Ftwo@r/0"),
            ("SOPHIE__ADMIN__TOKEN", "the-operators-token"),
            ("SOPHIE__AUTH__API_KEYS", "shop:the-key-of-the-shop"),
            ("OPENAI_API_KEY", "sk-abcdef"),
            ("SOPHIE__AUTH__HOOK_URL", "http://a:pass-word@h/?k=query-secret"),
            ("SOPHIE__AUTH__MODE", "hook"),
        ];
        let settings = crate::settings::tests::load(&environment).unwrap().settings;
        let words =
            ["hunter%2Ftwo", "hunter/two", "the-operators-token", "the-key-of-the-shop", "sk-abcdef", "pass-word"];
        let all = words.join(" ") + " query-secret";
        let mut findings = [Finding::fault("x", Area::Ai, all.clone(), all.clone(), all.clone(), all.clone())];
        hide(&settings, &mut findings);
        let [finding] = findings;
        for text in [finding.subject, finding.found, finding.means, finding.advice] {
            assert_eq!(text, ["***"; 7].join(" "));
        }
    }
}
