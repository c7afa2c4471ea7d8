//! The routes that are described are those that there are, with their methods.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::support::{ADMIN_TOKEN, Mode, Reply, TestApp};

/// The files that hold the routing table, and the prefix of what stands in each.
const TABLES: [(&str, &str); 7] = [
    ("src/app/routes.rs", ""),
    ("src/http/v1.rs", "/v1"),
    ("src/http/chat/mod.rs", "/api/chat"),
    ("src/http/agui/mod.rs", "/ag-ui"),
    ("src/http/durable/mod.rs", "/ds"),
    ("src/http/admin/mod.rs", "/admin/api"),
    ("src/http/admin/limits.rs", "/admin/api"),
];

/// The methods of each path that is described.
async fn described(app: &TestApp) -> BTreeMap<String, BTreeSet<String>> {
    let openapi = Reply::to(app.request("GET", "/openapi.json")).await.json();
    let paths = openapi["paths"].as_object().expect("paths");
    let methods =
        |item: &serde_json::Value| item.as_object().expect("methods").keys().map(|it| it.to_uppercase()).collect();
    paths.iter().map(|(path, item)| (path.clone(), methods(item))).collect()
}

/// What is wrong with what is described, beside what the program says of each address to a method that none of them takes.
async fn wrong_methods(app: &TestApp, described: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let mut wrong = Vec::new();
    for (path, methods) in described {
        let somewhere = path.replace("{model}", "some/model").replace(['{', '}'], "");
        let reply = Reply::to(app.request("PATCH", &somewhere).bearer_auth(ADMIN_TOKEN)).await;
        let allowed = reply.header("allow").split(", ").map(str::to_owned).collect::<BTreeSet<_>>();
        // A socket is asked for by GET, which its `Allow` does not name: nothing else that is asked so is answered there.
        let is_socket = path == "/v1/responses" && methods.contains("GET");
        let allowed = if is_socket { allowed.into_iter().chain(["GET".to_owned()]).collect() } else { allowed };
        if reply.status != 405 || allowed != *methods {
            wrong.push(format!("{path} is described with {methods:?}, and takes {allowed:?} ({})", reply.status));
        }
    }
    wrong
}

/// What stands before the path of a route.
const OPENERS: [&str; 5] = ["resource(", "read(", "form_of(", "path: ", "SOCKET: &str = "];

/// The paths in the routing table, each part that stands for something as `{}`.
fn served() -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    for (file, prefix) in TABLES {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).expect("a text");
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for opener in OPENERS.map(|opener| format!("{opener}\"")) {
            let behind = code.split(&opener).skip(1).filter_map(|rest| rest.split('"').next());
            paths.extend(behind.map(|path| nameless(&format!("{prefix}{path}"))));
        }
    }
    paths
}

/// A path without the names of its parts: `/groups/{group:.+}` is `/groups/{}`.
fn nameless(path: &str) -> String {
    let part = |part: &str| if part.starts_with('{') { "{}".to_owned() } else { part.to_owned() };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn each_route_is_described_with_each_of_its_methods_and_no_other() {
    let app = TestApp::patient(Mode::Memory, &[]).await;
    let described = described(&app).await;
    let wrong = wrong_methods(&app, &described).await;
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(described.keys().map(|path| nameless(path)).collect::<BTreeSet<_>>(), served());
    // A route that is not there, and a method too few, would be found.
    let mut other = described.clone();
    other.insert("/nowhere".into(), BTreeSet::new());
    other.get_mut("/v1/models").expect("a path").insert("POST".into());
    assert_eq!(wrong_methods(&app, &other).await.len(), 2);
}

#[test]
fn routes_stand_in_no_other_file() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join("src")];
    let mut found = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if fs::read_to_string(&path)
                .is_ok_and(|text| text.contains("web::resource(") || text.contains("web::scope("))
            {
                found.insert(path.strip_prefix(root).expect("below the root").to_string_lossy().into_owned());
            }
        }
    }
    // What is read alone is a resource of this function's, and its path stands where it is called.
    assert!(found.remove("src/http/mod.rs"));
    assert_eq!(found, TABLES.map(|(file, _)| file.to_owned()).into());
}
