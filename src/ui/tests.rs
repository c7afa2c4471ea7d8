//! That the page is whole: its files, its policy, its words.

use super::*;

fn text(asset: &Asset) -> &str {
    std::str::from_utf8(asset.bytes).expect("text")
}

/// What stands between each `before` and the quote that follows.
fn quoted<'a>(text: &'a str, before: &'a str, quote: char) -> impl Iterator<Item = &'a str> {
    text.split(before).skip(1).filter_map(move |rest| rest.split(quote).next())
}

/// The address of a module that one of `/page/app/` imports.
fn path_of(name: &str) -> String {
    match name.strip_prefix("../") {
        Some(rest) => format!("/page/{rest}"),
        None => format!("/page/app/{}", name.trim_start_matches("./")),
    }
}

#[test]
fn every_file_that_the_page_names_is_embedded() {
    let page = text(asset("/").expect("the page"));
    let named: Vec<_> = quoted(page, "=\"page/", '"').map(|name| format!("/page/{name}")).collect();
    assert!(named.len() > 5, "{named:?}");
    for path in named {
        assert!(asset(&path).is_some(), "{path}");
    }
}

#[test]
fn every_module_that_is_imported_is_embedded() {
    let mut imports = 0;
    for from in assets().iter().filter(|asset| asset.path.starts_with("/page/app/")) {
        for line in text(from).lines().filter(|line| line.starts_with("import ")) {
            let name = line.split('\'').nth(1).expect("a quoted module");
            let is_there = asset(&path_of(name)).is_some() || library(name.trim_start_matches("../..")).is_some();
            assert!(is_there, "{} imports {name}", from.path);
            imports += 1;
        }
        // Those that are fetched when they are needed.
        for name in quoted(text(from), "import('", '\'') {
            assert!(asset(&path_of(name)).is_some(), "{} imports {name}", from.path);
        }
    }
    assert!(imports > 10, "{imports}");
}

#[test]
fn the_page_holds_nothing_that_its_policy_forbids() {
    let page = text(asset("/").expect("the page"));
    assert!(!page.contains("<style"), "inline style");
    assert!(!page.contains(" style="), "inline style");
    let handler = |word: &str| word.starts_with("on") && word.contains('=');
    assert!(!page.split_whitespace().any(handler), "inline handler");
    assert!(!page.contains("://"), "another host");
    assert!(quoted(page, "<script", '>').all(|tag| tag.contains("src=")), "inline script");
    for script in assets().iter().filter(|asset| asset.path.starts_with("/page/app/")) {
        let without_comments = text(script).lines().filter(|line| !line.trim_start().starts_with("//"));
        for line in without_comments {
            assert!(!line.contains("innerHTML") && !line.contains("eval("), "{}: {line}", script.path);
        }
    }
}

#[test]
fn types_and_validators_are_right() {
    let page = asset("/").expect("the page");
    let script = asset("/page/app/main.js").expect("a script");
    assert!(page.content_type.starts_with("text/html"));
    assert!(script.content_type.starts_with("text/javascript"));
    assert!(page.etag.starts_with('"') && page.etag.ends_with('"') && page.etag.len() == 26, "{}", page.etag);
    assert_ne!(page.etag, script.etag);
    assert!(asset("/page/").is_none());
    assert!(asset("/page/../mod.rs").is_none());
}

#[test]
fn the_vendored_libraries_are_the_published_ones() {
    let origins = include_str!("page/vendor/README.md");
    for asset in assets().iter().filter(|asset| asset.path.starts_with("/page/vendor/") && asset.path.ends_with(".js"))
    {
        let digest = hex(Sha256::digest(asset.bytes));
        assert!(origins.contains(&digest), "{}: {digest}", asset.path);
    }
}

/// The keys of a table of texts, with what is said.
fn table(language: &str) -> Vec<(String, String)> {
    let script = asset(&format!("/page/app/texts/{language}.js")).expect("a table");
    let entry = |line: &str| {
        let (key, said) = line.trim().strip_prefix('\'')?.split_once("': ")?;
        Some((key.to_owned(), said.trim_end_matches(',').to_owned()))
    };
    text(script).lines().filter_map(entry).collect()
}

#[test]
fn each_text_stands_in_every_language_with_the_same_values() {
    let (english, portuguese) = (table("en"), table("pt"));
    assert!(english.len() > 100, "{}", english.len());
    let keys = |table: &[(String, String)]| table.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>();
    assert_eq!(keys(&english), keys(&portuguese), "the same keys in the same order");
    let values = |said: &str| {
        said.split('{')
            .skip(1)
            .filter_map(|rest| Some(rest.split_once('}')?.0.to_owned()))
            .collect::<std::collections::BTreeSet<_>>()
    };
    for ((key, said), (_, other)) in english.iter().zip(&portuguese) {
        assert_eq!(values(said), values(other), "{key}");
        assert_eq!(said.starts_with('['), other.starts_with('['), "{key}");
    }
}

#[test]
fn each_text_is_used_and_each_that_is_used_is_there() {
    let english = table("en");
    let is_there = |key: &str| english.iter().any(|(known, _)| known == key);
    let mut scripts = text(asset("/").expect("the page")).to_owned();
    for key in
        quoted(text(asset("/").expect("the page")), "data-t", '>').flat_map(|tag| quoted(tag, "=\"", '"').take(1))
    {
        assert!(is_there(key), "index.html names {key}");
    }
    for script in
        assets().iter().filter(|asset| asset.path.starts_with("/page/app/") && !asset.path.contains("/texts/"))
    {
        for key in quoted(text(script), "t('", '\'').filter(|key| key.contains('.')) {
            let before = text(script).split(&format!("t('{key}'")).next().and_then(|before| before.chars().last());
            // Other functions end with a t, too.
            if before.is_some_and(|c| c.is_alphanumeric()) {
                continue;
            }
            assert!(is_there(key), "{} says {key}", script.path);
        }
        scripts += text(script);
    }
    for (key, _) in &english {
        let named = [format!("'{key}'"), format!("\"{key}\"")].iter().any(|named| scripts.contains(named.as_str()));
        assert!(named || key.starts_with("error."), "nothing says {key}");
    }
}

#[test]
fn no_text_stands_outside_the_tables() {
    let page = text(asset("/").expect("the page"));
    let (page, _) = page.split_once("<noscript>").expect("what is said without scripts, in both languages");
    for attribute in [" aria-label=", " title=", " alt="] {
        assert!(!page.contains(attribute), "{attribute} in index.html: name it in a table by data-t{attribute}");
    }
    let (_, body) = page.split_once("<body>").expect("a body");
    for said in body.split('>').skip(1).filter_map(|rest| rest.split('<').next()) {
        assert_eq!(said.trim(), "", "a text in index.html");
    }
    // Those speak to programs; the page says it in its own words (`reason.js`).
    let of_the_client = ["client", "outbox"].map(|name| format!("/page/app/{name}.js"));
    // What begins like a sentence and is none.
    let names = ["Bearer ${token}", "Enter", "Escape", "Files", "Sophie", "Shift", "Tab", "ArrowDown", "ArrowUp"];
    for script in
        assets().iter().filter(|asset| asset.path.starts_with("/page/app/") && !asset.path.contains("/texts/"))
    {
        if of_the_client.iter().any(|path| path == script.path) {
            continue;
        }
        for line in text(script).lines().filter(|line| !line.trim_start().starts_with("//")) {
            for said in line.split(['\'', '`']).skip(1).step_by(2) {
                let mut letters = said.chars();
                let sentence =
                    letters.next().is_some_and(char::is_uppercase) && letters.next().is_some_and(char::is_lowercase);
                assert!(!sentence || names.contains(&said), "{}: {line}", script.path);
            }
        }
    }
}
