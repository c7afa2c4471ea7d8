//! The data of a log line: its key-values, of which numbers stay numbers.

use log::Record;
use log::kv::{Error, Key, Value, VisitSource, VisitValue};
use serde_json::Value as Json;
use sophie_actors::ids::RequestId;

/// By which everything is found that the log says of one request.
const REQUEST_ID: &str = "request_id";

/// The data of a line, in the order in which they stand there, and the request that is being carried out. What is not there (`None`) has no field.
pub(super) fn of(record: &Record<'_>) -> Vec<(String, Json)> {
    let mut fields = Fields(Vec::new());
    // Collecting cannot fail.
    let _visited = record.key_values().visit(&mut fields);
    if let Some(id) = RequestId::current().filter(|_| !fields.0.iter().any(|(key, _)| key == REQUEST_ID)) {
        fields.0.push((REQUEST_ID.to_owned(), id.as_str().into()));
    }
    fields.0
}

struct Fields(Vec<(String, Json)>);

impl<'kvs> VisitSource<'kvs> for Fields {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), Error> {
        let mut found = Found(Json::Null);
        value.visit(&mut found)?;
        if !found.0.is_null() {
            self.0.push((key.as_str().to_owned(), found.0));
        }
        Ok(())
    }
}

struct Found(Json);

impl<'v> VisitValue<'v> for Found {
    fn visit_any(&mut self, value: Value) -> Result<(), Error> {
        self.0 = value.to_string().into();
        Ok(())
    }

    fn visit_null(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn visit_u64(&mut self, value: u64) -> Result<(), Error> {
        self.0 = value.into();
        Ok(())
    }

    // Milliseconds are counted in these; nobody counts as many as need them.
    fn visit_u128(&mut self, value: u128) -> Result<(), Error> {
        self.0 = u64::try_from(value).map_or_else(|_| value.to_string().into(), Json::from);
        Ok(())
    }

    fn visit_i64(&mut self, value: i64) -> Result<(), Error> {
        self.0 = value.into();
        Ok(())
    }

    fn visit_f64(&mut self, value: f64) -> Result<(), Error> {
        self.0 = value.into();
        Ok(())
    }

    fn visit_bool(&mut self, value: bool) -> Result<(), Error> {
        self.0 = value.into();
        Ok(())
    }

    fn visit_str(&mut self, value: &str) -> Result<(), Error> {
        self.0 = value.into();
        Ok(())
    }
}
