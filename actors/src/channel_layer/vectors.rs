//! Bytes that the real libraries wrote: every vector about the layer.

use rmpv::Value as Packed;
use serde_json::{Value, json};
use sophie_kit::vectors::{bytes, rows, text};

use super::codec::{Codec, PREFIX, Unreadable};
use super::fernet::Fernet;
use super::names::queue;
use super::{Fields, LayerOptions, Serializer, ring, wire};
use crate::ids::GroupName;
use crate::ids::NodeKey;

/// When all of them were written, in Unix seconds.
const WRITTEN: u64 = 1_760_000_000;

/// Values as this layer shows them: bytes are base64.
fn shown(value: &Value) -> Value {
    use base64::Engine;
    match value {
        Value::Object(map) => match map.get("__bytes_hex__") {
            Some(hex) => base64::engine::general_purpose::STANDARD.encode(bytes(hex)).into(),
            None => map.iter().map(|(key, value)| (key.clone(), shown(value))).collect(),
        },
        Value::Array(values) => values.iter().map(shown).collect(),
        other => other.clone(),
    }
}

fn codec(config: &Value) -> Codec {
    let list = |value: &Value| value.as_array().map(|keys| keys.iter().map(|key| text(key).to_owned()).collect());
    Codec::new(&LayerOptions {
        hosts: Vec::new(),
        prefix: String::new(),
        capacity: 1,
        expiry_seconds: 60,
        group_expiry_seconds: 60,
        encryption_keys: list(&config["symmetric_encryption_keys"]).unwrap_or_default(),
        serializer: if config["serializer_format"] == "json" { Serializer::Json } else { Serializer::Msgpack },
        node_key: NodeKey::random(),
        bound: crate::redis::Bound::none(),
    })
}

#[test]
fn names_fall_on_the_hosts_on_which_channels_redis_looks_for_them() {
    for row in rows("consistent_hash/rows") {
        for ring in [1, 2, 3, 5, 7, 10] {
            let expected = row[format!("ring{ring}")].as_u64().expect("a number");
            assert_eq!(ring::index(text(&row["name"]), ring) as u64, expected, "{row} ring {ring}");
        }
    }
}

#[test]
fn queues_are_named_as_channels_redis_names_them() {
    for row in rows("names") {
        let name = text(&row["name"]);
        assert_eq!(queue(name), row["non_local_name"], "{row}");
        if GroupName::parse(name).is_ok() {
            assert_eq!(row["group"], true, "no name of ours is illegal there: {row}");
        }
    }
}

#[test]
fn values_are_packed_as_pythons_msgpack_packs_them() {
    for row in rows("msgpack_encoding") {
        let packed = bytes(&row["hex"]);
        let (value, mut rest) = (&row["value"], &packed[..]);
        let read = rmpv::decode::read_value(&mut rest).expect("msgpack");
        assert!(rest.is_empty());
        assert_eq!(wire::unpacked(read.clone()).expect("a value"), shown(value), "{row}");
        if !matches!(read, Packed::Binary(_)) {
            let mut written = Vec::new();
            rmpv::encode::write_value(&mut written, &wire::packed(value)).expect("written");
            assert_eq!(written, packed, "{row}");
        }
    }
}

#[test]
fn tokens_are_those_of_pythons_cryptography() {
    for row in rows("fernet") {
        let key = Fernet::new(text(&row["key"]));
        let (plain, token) = (bytes(&row["plaintext_hex"]), text(&row["token_ascii"]));
        let time = row["time"].as_u64().expect("a time");
        let iv = bytes(&row["iv_hex"]).try_into().expect("16 bytes");
        assert_eq!(key.encrypt(&plain, time, iv), token);
        assert_eq!(bytes(&row["zset_member_hex_with_prefix_000102030405060708090a0b"])[PREFIX..], *token.as_bytes());
        for (now, ttl, good) in [
            (time, Some(70), true),
            (time + 70, Some(70), true),
            (time + 71, Some(70), false),
            (time - 60, Some(70), true),
            (time - 61, Some(70), false),
            (time + 1_000_000, None, true),
        ] {
            assert_eq!(key.decrypt(token.as_bytes(), now, ttl).is_some(), good, "at {now}");
        }
        assert_eq!(key.decrypt(token.as_bytes(), time, Some(70)), Some(plain));
        assert_eq!(Fernet::new("another").decrypt(token.as_bytes(), time, None), None);
        for cut in 0..token.len() {
            assert_eq!(key.decrypt(&token.as_bytes()[..cut], time, None), None, "cut at {cut}");
        }
    }
}

#[test]
fn what_channels_redis_stored_is_read() {
    let mut read = 0;
    for row in rows("core") {
        let codec = codec(&row["config"]);
        let prefix = row["config"]["random_prefix_length"].as_u64().unwrap_or(PREFIX as u64) as usize;
        for (key, stored) in row["redis_after"].as_object().expect("keys") {
            for member in stored["members"].as_array().into_iter().flatten() {
                let bytes = bytes(&member["member_hex"]);
                if key.contains(":group:") {
                    assert!(String::from_utf8(bytes).expect("a name").contains(['.', '-']));
                    continue;
                }
                let fields = codec.open_at(&bytes[prefix..], WRITTEN, Some(70)).expect("readable");
                let decoded = &member["decoded"];
                assert!(decoded.is_object(), "{}", row["name"]);
                assert_eq!(Value::Object(fields.clone()), shown(decoded), "{}", row["name"]);
                let again = codec.open(&codec.seal(&fields), Some(70)).expect("what is written is readable");
                assert_eq!(again, fields);
                read += 1;
            }
        }
    }
    assert!(read >= 8, "{read} messages");
}

#[test]
fn what_channels_redis_published_is_read() {
    for row in rows("pubsub") {
        let codec = codec(&row["config"]);
        let (group, channel) = (text(&row["shard_hash_input_for_group"]), text(&row["shard_hash_input_for_channel"]));
        let prefix = row["config"]["prefix"].as_str().unwrap_or("asgi");
        assert_eq!(group, format!("{prefix}__group__{}", text(&row["group"])));
        assert_eq!(ring::index(group, 2) as u64, row["ring2"]["group"].as_u64().expect("a number"));
        for published in row["published"].as_array().expect("messages") {
            assert!([group, channel].contains(&text(&published["channel"])));
            let fields = codec.open(&bytes(&published["payload_hex"]), None).expect("readable at any age");
            assert_eq!(Value::Object(fields), row["message"]);
        }
    }
}

#[test]
fn what_python_would_refuse_is_no_message() {
    let clear = codec(&json!({}));
    for junk in [
        &b""[..],
        b"\xc1",
        b"\x01",
        b"\x90",
        b"\x81\x01\x02",
        b"\x80\x80",
        b"\x81\xa1",
        b"\x81\xa1\xff\x01",
        b"\xdf\xff\xff\xff\xff",
    ] {
        assert_eq!(clear.open(junk, None), Err(Unreadable::Bad), "{junk:?}");
    }
    let deep = [vec![0x81, 0xa1, b'a'], vec![0x91; 100_000]].concat();
    assert_eq!(clear.open(&deep, None), Err(Unreadable::Bad));
    let json = codec(&json!({ "serializer_format": "json" }));
    for junk in ["{\"a\": NaN}", "{\"a\": \"\\ud800\"}", "[]", "{} {}", ""] {
        assert_eq!(json.open(junk.as_bytes(), None), Err(Unreadable::Bad), "{junk}");
    }
    let secret = codec(&json!({ "symmetric_encryption_keys": ["k"] }));
    assert_eq!(secret.open(&clear.seal(&Fields::new()), None), Err(Unreadable::Undecryptable));
}

#[test]
fn no_debug_shows_a_password_or_a_key() {
    let options = LayerOptions {
        hosts: vec!["redis://user:hunter2@localhost:6379/3".into()],
        prefix: "asgi".into(),
        capacity: 1,
        expiry_seconds: 1,
        group_expiry_seconds: 1,
        encryption_keys: vec!["swordfish".into()],
        serializer: Serializer::Msgpack,
        node_key: NodeKey::random(),
        bound: crate::redis::Bound::none(),
    };
    let shown = format!("{options:?}");
    assert!(
        shown.contains("localhost:6379/3") && !shown.contains("hunter2") && !shown.contains("swordfish"),
        "{shown}"
    );
}
