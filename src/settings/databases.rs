//! The three Redis databases: the channel layer's and Sophie's own, the general cache's, and that of the answers.

use super::secret::ServiceUrl;
use super::sections::Settings;

/// Database of the general cache where no URL of its own is set.
const GENERAL_CACHE_DB: u32 = 1;
/// Database of the answers where no URL of their own is set.
const CACHE_DB: u32 = 2;

impl Settings {
    /// Redis of the channel layer and of Sophie's own keys.
    pub fn redis_url(&self) -> ServiceUrl {
        if self.redis.url.is_empty() {
            return self.assembled(self.redis.db);
        }
        match database(self.redis.url.as_str()) {
            Some(_) => self.redis.url.clone(),
            None => with_database(self.redis.url.as_str(), self.redis.db),
        }
    }

    /// The hosts of the channel layer.
    pub fn layer_urls(&self) -> Vec<ServiceUrl> {
        match self.channel.hosts.as_slice() {
            [] => vec![self.redis_url()],
            hosts => hosts.to_vec(),
        }
    }

    /// Redis of the answers.
    pub fn cache_redis_url(&self) -> ServiceUrl {
        self.own_or(&self.cache.url, CACHE_DB)
    }

    /// Redis of application data about users and services.
    pub fn general_cache_redis_url(&self) -> ServiceUrl {
        self.own_or(&self.general_cache.url, GENERAL_CACHE_DB)
    }

    fn own_or(&self, own: &ServiceUrl, db: u32) -> ServiceUrl {
        if !own.is_empty() {
            own.clone()
        } else if self.redis.url.is_empty() {
            self.assembled(db)
        } else {
            with_database(self.redis.url.as_str(), db)
        }
    }

    fn assembled(&self, db: u32) -> ServiceUrl {
        let redis = &self.redis;
        let bare_ipv6 = redis.host.contains(':') && !redis.host.starts_with('[');
        let host = if bare_ipv6 { format!("[{}]", redis.host) } else { redis.host.clone() };
        let password = redis.password.expose();
        let user = if password.is_empty() { String::new() } else { format!(":{}@", escape(password)) };
        format!("redis://{user}{host}:{}/{db}", redis.port).into()
    }
}

/// Whether a Redis URL names its database.
pub fn database(url: &str) -> Option<u32> {
    let url = reqwest::Url::parse(url).ok()?;
    if url.scheme().ends_with("unix") {
        url.query_pairs().find(|(name, _)| name == "db").and_then(|(_, db)| db.parse().ok())
    } else {
        url.path().trim_matches('/').parse().ok()
    }
}

fn with_database(text: &str, db: u32) -> ServiceUrl {
    let Ok(mut url) = reqwest::Url::parse(text) else { return text.to_owned().into() };
    if url.scheme().ends_with("unix") {
        let others: Vec<(String, String)> =
            url.query_pairs().filter(|(name, _)| name != "db").map(|(n, v)| (n.into_owned(), v.into_owned())).collect();
        url.query_pairs_mut().clear().extend_pairs(others).append_pair("db", &db.to_string());
    } else {
        url.set_path(&format!("/{db}"));
    }
    String::from(url).into()
}

/// Percent-encodes all that has a meaning in a URL.
fn escape(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use crate::settings::tests::load;

    fn urls(environment: &[(&str, &str)]) -> [String; 3] {
        let settings = load(environment).unwrap().settings;
        [settings.redis_url(), settings.general_cache_redis_url(), settings.cache_redis_url()]
            .map(|url| url.as_str().to_owned())
    }

    #[test]
    fn three_databases_of_one_redis_are_the_default() {
        let all = ["redis://localhost:6379/0", "redis://localhost:6379/1", "redis://localhost:6379/2"];
        assert_eq!(urls(&[]), all);
    }

    #[test]
    fn host_port_db_and_password_make_the_urls() {
        let environment =
            [("REDIS_HOST", "fd00::7"), ("REDIS_PORT", "7000"), ("REDIS_DB", "5"), ("REDIS_PASSWORD", "a/b@c%41")];
        assert_eq!(urls(&environment)[0], "redis://:a%2Fb%40c%2541@[fd00::7]:7000/5");
        assert_eq!(urls(&environment)[2], "redis://:a%2Fb%40c%2541@[fd00::7]:7000/2");
    }

    #[test]
    fn a_url_keeps_its_user_and_lends_itself_to_the_other_databases() {
        let [redis, general, cache] = urls(&[("REDIS_URL", "rediss://app:pw@r.example.com:6380/4")]);
        assert_eq!(redis, "rediss://app:pw@r.example.com:6380/4");
        assert_eq!(general, "rediss://app:pw@r.example.com:6380/1");
        assert_eq!(cache, "rediss://app:pw@r.example.com:6380/2");
        assert_eq!(urls(&[("REDIS_URL", "redis://r"), ("REDIS_DB", "3")])[0], "redis://r/3");
        let [redis, general, _] = urls(&[("REDIS_URL", "unix:///run/redis.sock?db=4&user=app")]);
        assert_eq!(redis, "unix:///run/redis.sock?db=4&user=app");
        assert_eq!(general, "unix:///run/redis.sock?user=app&db=1");
    }

    #[test]
    fn each_cache_may_have_a_redis_of_its_own() {
        let environment =
            [("SOPHIE__CACHE__URL", "redis://cache/7"), ("SOPHIE__GENERAL_CACHE__URL", "redis://general/8")];
        assert_eq!(urls(&environment), ["redis://localhost:6379/0", "redis://general/8", "redis://cache/7"]);
    }
}
