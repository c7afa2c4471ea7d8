//! `docs/performance.md`: its generated parts, each between two comments, are written anew.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

fn docs() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs")
}

/// Writes one part anew.
pub(crate) fn rewrite(part: &str, text: &str) {
    let path = docs().join("performance.md");
    let page = fs::read_to_string(&path).expect("the page");
    let (begin, end) = (format!("<!-- {part} -->\n"), format!("<!-- end of {part} -->"));
    let at = page.find(&begin).expect("where the part begins") + begin.len();
    let until = page.find(&end).expect("where it ends");
    let page = [&page[..at], "\n", text.trim_end(), "\n\n", &page[until..]].concat();
    fs::write(&path, page).expect("written");
}

/// Writes a picture anew.
pub(crate) fn picture(name: &str, svg: &str) {
    let folder = docs().join("performance");
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join(format!("{name}.svg")), svg).expect("written");
}

/// On what was measured, and when.
pub(crate) fn machine(turns: usize, many: usize) -> String {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let models = cpus.lines().filter_map(|line| line.strip_prefix("model name")?.split_once(": ").map(|(_, it)| it));
    let count = models.clone().count();
    let model = models.clone().next().unwrap_or("unknown");
    let told = |program: &str, argument: &str| {
        let output = Command::new(program).arg(argument).output().map(|it| it.stdout).unwrap_or_default();
        String::from_utf8_lossy(&output).trim().to_owned()
    };
    format!(
        "{}, {count} × {model}, Linux {}; medians of {turns} turns; \"idle\", \"bytes a socket\" and \"connect\" with {many} sockets.",
        told("date", "-uI"),
        told("uname", "-r")
    )
}
