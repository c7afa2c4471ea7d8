//! Messages as bytes: msgpack and JSON as Python writes and reads them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rmpv::Value as Packed;
use serde_json::{Map, Number, Value};

use super::{Fields, Serializer};

/// Maps and lists within each other, at most; as serde_json has it. More would be the stack's end.
const DEPTH: usize = 128;

/// The bytes of a message.
pub(super) fn encode(fields: &Fields, serializer: Serializer) -> Vec<u8> {
    match serializer {
        Serializer::Json => serde_json::to_vec(fields).expect("a map with text keys is JSON"),
        Serializer::Msgpack => {
            let mut bytes = Vec::new();
            let map = fields.iter().map(|(key, value)| (Packed::from(key.as_str()), packed(value))).collect();
            rmpv::encode::write_value(&mut bytes, &Packed::Map(map)).expect("a Vec takes every write");
            bytes
        }
    }
}

/// The message in some bytes. `None`: none that Python would read as a map either.
pub(super) fn decode(mut bytes: &[u8], serializer: Serializer) -> Option<Fields> {
    match serializer {
        Serializer::Json => serde_json::from_slice(bytes).ok(),
        Serializer::Msgpack => match rmpv::decode::read_value_with_max_depth(&mut bytes, DEPTH).ok()? {
            Packed::Map(map) if bytes.is_empty() => fields(map),
            _ => None,
        },
    }
}

/// A value as `msgpack.packb` writes it: shortest integers, floats of 64 bits.
pub(super) fn packed(value: &Value) -> Packed {
    match value {
        Value::Null => Packed::Nil,
        Value::Bool(yes) => Packed::from(*yes),
        Value::String(text) => Packed::from(text.as_str()),
        Value::Array(values) => Packed::Array(values.iter().map(packed).collect()),
        Value::Object(map) => Packed::Map(map.iter().map(|(k, v)| (Packed::from(k.as_str()), packed(v))).collect()),
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(whole), _) => Packed::from(whole),
            (_, Some(whole)) => Packed::from(whole),
            _ => Packed::from(number.as_f64().unwrap_or(f64::NAN)),
        },
    }
}

fn fields(map: Vec<(Packed, Packed)>) -> Option<Map<String, Value>> {
    map.into_iter().map(|(key, value)| Some((key_text(key)?, unpacked(value)?))).collect()
}

/// `strict_map_key`: keys are texts or bytes.
fn key_text(key: Packed) -> Option<String> {
    match key {
        Packed::String(text) => text.into_str(),
        Packed::Binary(bytes) => Some(STANDARD.encode(bytes)),
        _ => None,
    }
}

pub(super) fn unpacked(value: Packed) -> Option<Value> {
    Some(match value {
        Packed::Nil => Value::Null,
        Packed::Boolean(yes) => yes.into(),
        Packed::Integer(whole) => match (whole.as_u64(), whole.as_i64()) {
            (Some(whole), _) => whole.into(),
            (_, Some(whole)) => whole.into(),
            _ => return None,
        },
        Packed::F32(float) => Number::from_f64(float.into()).map_or(Value::Null, Value::Number),
        Packed::F64(float) => Number::from_f64(float).map_or(Value::Null, Value::Number),
        Packed::String(text) => text.into_str()?.into(),
        Packed::Binary(bytes) => STANDARD.encode(bytes).into(),
        Packed::Array(values) => Value::Array(values.into_iter().map(unpacked).collect::<Option<_>>()?),
        Packed::Map(map) => Value::Object(fields(map)?),
        // An extension, which JSON has no form for.
        Packed::Ext(..) => Value::Null,
    })
}
