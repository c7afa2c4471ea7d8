//! What a request says of the work that it belongs to: its id, and W3C's trace context. Who asks us says which trace that is, and whom we
//! ask is told the same. What is not as the standard has it is ignored. Where no traces are made it is passed on as it came.

use actix_web::http::header::HeaderMap;
use opentelemetry::trace::{SpanContext, TraceState};
use reqwest::RequestBuilder;
use sophie_actors::ids::RequestId;
use sophie_actors::spans::parent;

const PARENT: &str = "traceparent";
const STATE: &str = "tracestate";
/// What the standard allows a `tracestate` to hold, at most.
const MOST_MEMBERS: usize = 32;
/// Bytes of a `tracestate` that is passed on; the standard asks for 512 at least.
const MOST_STATE: usize = 1_024;

/// Where a caller stands, as the headers of its request say.
pub fn of_caller(headers: &HeaderMap) -> Option<SpanContext> {
    let mut parents = headers.get_all(PARENT);
    let parent = parents.next()?.to_str().ok()?;
    // Two of them say nothing.
    if parents.next().is_some() {
        return None;
    }
    let context = parent::read(parent)?;
    let states: Vec<&str> = headers.get_all(STATE).filter_map(|value| value.to_str().ok()).collect();
    let Some(state) = state_of(&states.join(",")) else { return Some(context) };
    Some(SpanContext::new(context.trace_id(), context.span_id(), context.trace_flags(), true, state))
}

/// Tells whoever is asked for which request that is, and to which trace it belongs, as far as that is known.
pub fn tell(mut request: RequestBuilder) -> RequestBuilder {
    let Some(id) = RequestId::current() else { return request };
    request = request.header("x-request-id", id.as_str());
    let span = id.stands_in();
    let Some(context) = span.context().filter(|context| context.is_valid()) else { return request };
    let state = context.trace_state().header();
    let request = request.header(PARENT, parent::write(context));
    if state.is_empty() { request } else { request.header(STATE, state) }
}

fn state_of(text: &str) -> Option<TraceState> {
    let members: Vec<&str> = text.split(',').map(|member| member.trim_matches([' ', '\t'])).collect();
    let members: Vec<&str> = members.into_iter().filter(|member| !member.is_empty()).collect();
    if members.len() > MOST_MEMBERS || text.len() > MOST_STATE {
        return None;
    }
    let pairs: Option<Vec<_>> = members.iter().map(|member| member.split_once('=')).collect();
    let pairs = pairs.filter(|pairs| pairs.iter().all(|(key, _)| !key.is_empty()))?;
    TraceState::from_key_value(pairs).ok()
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};
    use opentelemetry::trace::TraceFlags;

    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    fn of(headers: &[(&'static str, &str)]) -> Option<SpanContext> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        of_caller(&map)
    }

    #[test]
    fn a_caller_says_where_it_stands() {
        let parent = format!("00-{TRACE}-{SPAN}-01");
        let context = of(&[(PARENT, &parent), (STATE, "congo=t61rcWkgMzE"), (STATE, "rojo=00f067aa0ba902b7 ")]);
        let context = context.expect("it is good");
        assert_eq!((context.trace_id().to_string(), context.span_id().to_string()), (TRACE.into(), SPAN.into()));
        assert!(context.is_sampled() && context.is_remote());
        assert_eq!(context.trace_state().header(), "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7");
        assert!(!of(&[(PARENT, &format!("00-{TRACE}-{SPAN}-00"))]).expect("it is good").is_sampled());
        let later = of(&[(PARENT, &format!("cc-{TRACE}-{SPAN}-ff-what-the-future-will-be-like"))]).expect("it is good");
        assert_eq!(later.trace_flags(), TraceFlags::SAMPLED);
        let flags = of(&[(PARENT, &format!("00-{TRACE}-{SPAN}-03"))]).expect("it is good").trace_flags();
        assert_eq!(flags.to_u8(), 3, "passed on as it came");
    }

    #[test]
    fn what_is_not_as_the_standard_has_it_is_ignored() {
        for parent in [
            String::new(),
            "00".into(),
            format!("00-{TRACE}-{SPAN}"),
            format!("00-{TRACE}-{SPAN}-1"),
            format!("00-{TRACE}-{SPAN}-01-more"),
            format!("00-{TRACE}-{SPAN}-01-"),
            format!("ff-{TRACE}-{SPAN}-01"),
            format!("0-{TRACE}-{SPAN}-01"),
            format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
            format!("00-{}-{SPAN}-01", "0".repeat(32)),
            format!("00-{TRACE}-{}-01", "0".repeat(16)),
            format!("00-{TRACE}0-{SPAN}-01"),
            format!("00-{TRACE}-{SPAN}-0g"),
            format!("00_{TRACE}_{SPAN}_01"),
        ] {
            assert!(of(&[(PARENT, &parent)]).is_none(), "{parent}");
        }
        let parent = format!("00-{TRACE}-{SPAN}-01");
        assert!(of(&[(PARENT, &parent), (PARENT, &parent)]).is_none(), "two of them");
        assert!(of(&[(STATE, "congo=t61rcWkgMzE")]).is_none());
        let many: Vec<String> = (0..33).map(|n| format!("k{n}=v")).collect();
        for state in ["no pair", "UPPER=1", "=", &many.join(","), &format!("a={}", "x".repeat(MOST_STATE))] {
            let context = of(&[(PARENT, &parent), (STATE, state)]).expect("the trace stands all the same");
            assert_eq!(context.trace_state().header(), "", "{state}");
        }
    }
}
