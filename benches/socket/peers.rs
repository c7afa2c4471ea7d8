//! Other servers under the same load: nchan, Bun, socket.io and Django Channels. `scripts/bench-broker.sh` installs them under
//! `target/bench`; whoever is not there is left out.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use sophie_kit::TestServer;

use crate::dialect::{Plain, SocketIo};
use crate::program::{Program, pinned};

const HERE: &str = env!("CARGO_MANIFEST_DIR");

/// Those that are installed.
pub(crate) fn installed() -> Vec<Program> {
    let peers =
        [("nchan", nchan as fn() -> Option<Program>), ("Bun", bun), ("socket.io", socket_io), ("Channels", channels)];
    let found = peers.into_iter().filter_map(|(name, peer)| {
        let program = peer();
        if program.is_none() {
            eprintln!("{name} is not installed: make bench-broker does it");
        }
        program
    });
    found.collect()
}

fn script(name: &str) -> String {
    format!("{HERE}/benches/socket/peers/{name}")
}

/// A program under `target/bench`, or in another folder of the project, if it is there.
fn there(path: &str) -> Option<String> {
    Some(format!("{HERE}/{path}")).filter(|path| Path::new(path).exists())
}

fn bun() -> Option<Program> {
    let program = there("target/bench/node_modules/.bin/bun")?;
    Some(Program::new("Bun", Plain, move |port| {
        let mut command = pinned(&program);
        command.arg(script("bun.js")).arg(port.to_string());
        command
    }))
}

fn socket_io() -> Option<Program> {
    let modules = there("target/bench/node_modules").filter(|path| Path::new(path).join("socket.io").exists())?;
    Some(Program::new("socket.io", SocketIo, move |port| {
        let mut command = pinned("node");
        command.arg(script("socket_io.js")).arg(port.to_string()).env("NODE_PATH", &modules);
        command
    }))
}

/// Its Redis has the core of the load, and is not counted.
fn channels() -> Option<Program> {
    let program = there(".venv/bin/daphne")?;
    let redis = Arc::new(TestServer::start());
    Some(Program::new("Channels", Plain, move |port| {
        // The members of a turn before are still in its groups.
        redis::cmd("FLUSHALL").exec(&mut redis.connection(0)).expect("emptied");
        let mut command = pinned(&program);
        command.args(["-v", "0", "-b", "127.0.0.1", "-p", &port.to_string(), "channels_app:application"]);
        command.current_dir(script("")).env("PYTHONPATH", script("")).env("REDIS_URL", redis.url(0));
        command
    }))
}

fn nchan() -> Option<Program> {
    let program = there("target/bench/nginx/usr/sbin/nginx")?;
    Some(Program::new("nchan", Plain, move |port| nginx(&program, port)))
}

fn nginx(program: &str, port: u16) -> Command {
    let folder = std::env::temp_dir().join(format!("nchan-{port}"));
    std::fs::create_dir_all(&folder).expect("a folder");
    let (path, module) =
        (folder.join("nginx.conf"), format!("{HERE}/target/bench/nginx/usr/lib/nginx/modules/ngx_nchan_module.so"));
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|it| format!("{it}_temp_path {it};"));
    let text = format!(
        "load_module {module};\nworker_processes 1;\ndaemon off;\nuser root;\npid nginx.pid;\nerror_log stderr crit;\n\
         events {{ worker_connections 18000; }}\n\
         http {{\naccess_log off;\n{}\nnchan_shared_memory_size 512M;\n\
         server {{\nlisten 127.0.0.1:{port};\nlocation / {{\nnchan_pubsub websocket;\nnchan_channel_id $uri;\n\
         nchan_subscriber_first_message newest;\nnchan_message_timeout 10s;\nnchan_message_buffer_length 100;\n}}\n}}\n}}\n",
        temporary.join("\n")
    );
    std::fs::write(&path, text).expect("a file");
    let mut command = pinned(program);
    command.arg("-p").arg(&folder).arg("-c").arg(&path);
    command
}
