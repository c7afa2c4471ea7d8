//! The operators' console, embedded: every file that a browser needs for it.

use std::sync::LazyLock;

use super::{Asset, asset_of};

/// What the console may do: load its own files, talk to its own origin, and nothing else. It gives no text to the HTML parser.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
     img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
     require-trusted-types-for 'script'; trusted-types 'none'";

macro_rules! files {
    ($($file:literal),* $(,)?) => {
        &[
            ("/admin", include_bytes!("console/index.html") as &[u8]),
            $((concat!("/admin/files/", $file), include_bytes!(concat!("console/", $file)) as &[u8])),*
        ]
    };
}

const FILES: &[(&str, &[u8])] = files! {
    "icon.svg",
    "style.css",
    "app/acts.js",
    "app/api.js",
    "app/ask.js",
    "app/backends.js",
    "app/dom.js",
    "app/group.js",
    "app/images.js",
    "app/lists.js",
    "app/live.js",
    "app/main.js",
    "app/overview.js",
    "app/pictures.js",
    "app/pieces.js",
    "app/plots.js",
    "app/ratings.js",
    "app/session.js",
    "app/sign_in.js",
    "app/table.js",
    "app/waiting.js",
    "app/words.js",
};

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| FILES.iter().map(asset_of).collect());

/// The file at a URL path.
pub fn asset(path: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.path == path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(asset: &Asset) -> &str {
        std::str::from_utf8(asset.bytes).expect("text")
    }

    #[test]
    fn every_file_that_is_named_is_embedded() {
        let page = text(asset("/admin").expect("the page"));
        let named: Vec<_> = page.split('"').filter(|part| part.starts_with("/admin/files/")).collect();
        assert_eq!(named.len(), 3, "{named:?}");
        assert!(named.iter().all(|path| asset(path).is_some()), "{named:?}");
        let mut imports = 0;
        for script in ASSETS.iter().filter(|asset| asset.path.ends_with(".js")) {
            for line in text(script).lines().filter(|line| line.starts_with("import ")) {
                let name =
                    line.split('\'').nth(1).and_then(|name| name.strip_prefix("./")).expect("a module beside it");
                assert!(asset(&format!("/admin/files/app/{name}")).is_some(), "{} imports {name}", script.path);
                imports += 1;
            }
        }
        assert!(imports > 20, "{imports}");
    }

    #[test]
    fn nothing_is_there_that_the_policy_forbids() {
        let page = text(asset("/admin").expect("the page"));
        assert!(!page.contains("<style") && !page.contains(" style=") && !page.contains("://"), "{page}");
        assert!(page.split("<script").skip(1).all(|tag| tag.split('>').next().is_some_and(|it| it.contains("src="))));
        for script in ASSETS.iter().filter(|asset| asset.path.ends_with(".js")) {
            let text = text(script);
            assert!(!text.contains("innerHTML") && !text.contains("eval("), "{}", script.path);
        }
    }

    #[test]
    fn both_languages_have_the_same_words() {
        let words = text(asset("/admin/files/app/words.js").expect("the words"));
        let keys = |language: &str| -> Vec<String> {
            let from = words.find(&format!("  {language}: {{")).expect("a language");
            let table = &words[from..from + words[from..].find("\n  },").expect("its end")];
            let mut keys: Vec<String> = table
                .split(": '")
                .filter_map(|before| Some(before.rsplit([' ', '\n']).next()?.to_owned()))
                .filter(|key| !key.is_empty() && key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
                .collect();
            keys.sort();
            keys
        };
        assert!(keys("en").len() > 100, "{:?}", keys("en"));
        assert_eq!(keys("en"), keys("pt"));
    }
}
