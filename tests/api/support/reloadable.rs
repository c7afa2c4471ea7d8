//! A node that is told to read its settings again.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use super::{ADMIN_TOKEN, Broker, Reply, SOON, eventually};

/// The binary, and the file of its settings.
pub struct Reloadable {
    /// The process.
    pub broker: Broker,
    http: reqwest::Client,
    dir: TempDir,
}

impl Reloadable {
    /// With these settings, and the tests' admin token.
    pub async fn start(settings: &str) -> Self {
        let dir = TempDir::new().expect("a directory");
        let file = dir.path().join("settings.toml");
        write(&file, settings);
        let broker = Broker::with_file(&file).await;
        Self { broker, http: reqwest::Client::builder().no_proxy().build().expect("a client"), dir }
    }

    /// Writes the file anew, has it read, and waits for the line that says what came of it.
    pub async fn reload(&self, settings: &str) -> String {
        write(&self.file(), settings);
        self.hang_up().await
    }

    /// The same without the tests' admin token.
    pub async fn reload_all(&self, settings: &str) -> String {
        std::fs::write(self.file(), settings).expect("written");
        self.hang_up().await
    }

    /// The file of its settings.
    pub fn file(&self) -> PathBuf {
        self.dir.path().join("settings.toml")
    }

    /// SIGHUP, and the line that says what came of it.
    pub async fn hang_up(&self) -> String {
        let lines = || {
            let log = self.broker.log();
            log.lines().filter(|line| line.contains("signal=SIGHUP")).map(str::to_owned).collect::<Vec<_>>()
        };
        let before = lines().len();
        self.broker.signal("-HUP");
        eventually("it is told", SOON, async || lines().get(before).cloned()).await
    }

    /// A request to it.
    pub fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let url = format!("http://{}{path}", self.broker.address);
        self.http.request(method.parse().expect("a method"), url)
    }

    /// What becomes of a chat completion for the holder of a key.
    pub async fn ask(&self, key: &str, body: &Value) -> Reply {
        Reply::to(self.request("POST", "/v1/chat/completions").bearer_auth(key).json(body)).await
    }
}

/// The admin token goes with each.
fn write(file: &Path, settings: &str) {
    std::fs::write(file, format!("admin.token = \"{ADMIN_TOKEN}\"\n{settings}")).expect("written");
}
