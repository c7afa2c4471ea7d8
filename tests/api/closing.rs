//! Frames that end a connection, and the word that the server says before it closes one.

use serde_json::json;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::support::{Mode, TestApp};

const TEXT: OpCode = OpCode::Data(Data::Text);
const BINARY: OpCode = OpCode::Data(Data::Binary);
const CONTINUE: OpCode = OpCode::Data(Data::Continue);

/// Bytes of the largest frame by default.
const LARGEST: usize = 12 * 16_000 + 16 * 1_024;

/// Opcode, whether it is the last of its message, payload.
type Fragment<'a> = (OpCode, bool, &'a [u8]);

in_both_modes!(an_operator_closes_a_session, a_flood_is_cut_off_and_what_came_before_it_is_answered);

async fn an_operator_closes_a_session(mode: Mode) {
    let app = TestApp::patient(mode, &[]).await;
    let (mut one, mut two, mut other) = (app.open("s1").await, app.open("s1").await, app.open("s2").await);
    let (status, _) = app.admin("DELETE", "/admin/api/sessions/s1", None).await;
    assert!((200..300).contains(&status), "{status}");
    for socket in [&mut one, &mut two] {
        let closing = socket.closing().await;
        assert_eq!((&closing["code"], &closing["reconnect"]), (&json!(4502), &json!(false)));
    }
    other.settled().await;
}

async fn a_flood_is_cut_off_and_what_came_before_it_is_answered(mode: Mode) {
    let limits = [
        ("SOPHIE__LIMITS__ENABLED", "true"),
        ("SOPHIE__SESSION__COMMANDS_BURST", "20"),
        ("SOPHIE__SESSION__COMMANDS_PER_SECOND", "1"),
    ];
    let app = TestApp::patient(mode, &[limits[0], limits[1], limits[2]]).await;
    let mut socket = app.open("s1").await;
    for n in 0..15 {
        assert_eq!(socket.ask(&n.to_string(), json!({"type": "ping"})).await["type"], "pong");
    }
    for n in 0..40 {
        // It may be cut off before the last one is sent.
        if !socket.try_send(json!({"type": "ping", "id": n.to_string()})).await {
            break;
        }
    }
    let closing = socket.closing().await;
    assert_eq!((&closing["code"], &closing["reconnect"]), (&json!(4503), &json!(false)));
    app.open("s1").await.settled().await;
}

#[tokio::test]
async fn a_frame_that_the_protocol_does_not_know_closes_by_its_code() {
    let app = TestApp::patient(Mode::Memory, &[]).await;
    let too_large = format!("{{\"type\":\"ping\",\"pad\":\"{}\"}}", "x".repeat(LARGEST));
    let cases: [(&str, &[Fragment], u16); 7] = [
        ("binary", &[(BINARY, true, b"{}")], 1003),
        ("fragmented binary", &[(BINARY, false, b"{}"), (CONTINUE, true, b"")], 1003),
        ("not UTF-8", &[(TEXT, true, b"\"\xff\"")], 1007),
        ("not UTF-8 over fragments", &[(TEXT, false, b"\"\xc3"), (CONTINUE, true, b"\"")], 1007),
        ("oversize", &[(TEXT, true, too_large.as_bytes())], 1009),
        (
            "oversize in fragments",
            &[
                (TEXT, false, &too_large.as_bytes()[..LARGEST / 2]),
                (CONTINUE, true, &too_large.as_bytes()[LARGEST / 2..]),
            ],
            1009,
        ),
        ("a continuation of nothing", &[(CONTINUE, true, b"x")], 1002),
    ];
    for (what, frames, code) in cases {
        let mut socket = app.open("s1").await;
        for (opcode, last, payload) in frames {
            socket.send_frame(*opcode, *last, payload.to_vec()).await;
        }
        let closing = socket.closing().await;
        assert_eq!((&closing["code"], &closing["reconnect"]), (&json!(code), &json!(false)), "{what}");
    }
}

#[tokio::test]
async fn a_text_may_come_in_fragments() {
    let app = TestApp::patient(Mode::Memory, &[]).await;
    let mut socket = app.open("s1").await;
    let command = "{\"type\":\"message.send\",\"id\":\"1\",\"text\":\"é👋\",\"assistant\":false}".as_bytes();
    // One byte a fragment: characters are cut, too.
    for (n, byte) in command.iter().enumerate() {
        let opcode = if n == 0 { TEXT } else { CONTINUE };
        socket.send_frame(opcode, n == command.len() - 1, vec![*byte]).await;
    }
    assert_eq!(socket.reply("1").await["seq"], 1);
    assert_eq!(socket.event_of("message").await["message"]["text"], "é👋");
    // The largest frame that is taken.
    let mut largest = format!("{{\"type\":\"ping\",\"id\":\"2\",\"pad\":\"{}\"}}", "x".repeat(LARGEST - 100));
    largest.insert_str(1, &" ".repeat(LARGEST - largest.len()));
    socket.send_text(&largest).await;
    assert_eq!(socket.reply("2").await["type"], "pong");
}

#[tokio::test]
async fn a_client_that_says_goodbye_is_answered() {
    let app = TestApp::patient(Mode::Memory, &[]).await;
    let mut socket = app.open("s1").await;
    socket.stream.close(None).await.expect("sent");
    let (events, _) = socket.until_closed().await;
    assert!(events.is_empty(), "{events:?}");
    app.open("s1").await.settled().await;
}
