//! What pages of `server.allowed_origins` may read over HTTP: the headers of CORS, on errors too, and the answers to preflights.

use actix_web::HttpResponse;
use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::http::{Method, StatusCode};

use super::{State, documents};

/// What begins the addresses of applications; never `/admin`, whose pages are our own. Of `/ws` it is the refusals that are read: a browser
/// hides why a WebSocket could not be opened, so the client library asks by HTTP.
const PREFIXES: [&str; 5] = ["/v1", "/api", "/ds", "/ag-ui", "/ws"];
/// Seconds for which a browser need not ask again: Chromium's own bound is 7,200.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");
/// What pages may read beside what every page may. Each one by its name: there are no prefixes, and `*` does not count with credentials.
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "x-request-id, x-sophie-cache, x-sophie-answer, x-sophie-dropped, x-sophie-resume, \
     x-ratelimit-limit-requests, x-ratelimit-remaining-requests, x-ratelimit-reset-requests, \
     x-ratelimit-limit-tokens, x-ratelimit-remaining-tokens, x-ratelimit-reset-tokens, \
     Retry-After, retry-after-ms, x-should-retry, age, Link, Location, ETag, \
     Stream-Next-Offset, Stream-Up-To-Date, Stream-Closed, Stream-Cursor, Stream-TTL, Stream-Expires-At, Stream-SSE-Data-Encoding",
);

/// A page of an allowed origin that asks.
pub struct AllowedPage {
    origin: HeaderValue,
    is_named: bool,
    preflight: Option<Preflight>,
}

struct Preflight {
    headers: Option<HeaderValue>,
}

impl AllowedPage {
    /// The page behind a request, if it may be told anything.
    pub fn behind(request: &ServiceRequest, state: &State) -> Option<Self> {
        let path = request.path();
        let below =
            |prefix: &str| path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        PREFIXES
            .into_iter()
            .chain(documents::ADDRESSES)
            .chain([state.chat.path.as_str()])
            .find(|prefix| below(prefix))?;
        let headers = request.headers();
        let origin = headers.get(header::ORIGIN)?;
        let is_named = state.policy().origins.listed(origin.to_str().ok()?)?;
        let asks = request.method() == Method::OPTIONS && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        let preflight = asks.then(|| Preflight {
            headers: headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS).filter(|names| is_list(names)).cloned(),
        });
        Some(Self { origin: origin.clone(), is_named, preflight })
    }

    /// The response as the page may read it. A preflight is answered by what the routing table says of other methods: 405, and
    /// which ones there are.
    pub fn tell<B: MessageBody + 'static>(
        self,
        response: ServiceResponse<EitherBody<B, BoxBody>>,
    ) -> ServiceResponse<EitherBody<B, BoxBody>> {
        let methods = response.headers().get(header::ALLOW).cloned();
        let mut response = match (&self.preflight, methods) {
            (Some(preflight), Some(methods)) if response.status() == StatusCode::METHOD_NOT_ALLOWED => {
                let mut answer = HttpResponse::NoContent();
                answer.insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, methods));
                answer.insert_header((header::ACCESS_CONTROL_MAX_AGE, MAX_AGE));
                if let Some(names) = &preflight.headers {
                    answer.insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, names.clone()));
                }
                let (request, _) = response.into_parts();
                ServiceResponse::new(request, answer.finish()).map_into_right_body()
            }
            _ => response,
        };
        self.sign(response.headers_mut());
        response
    }

    fn sign(self, headers: &mut HeaderMap) {
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, self.origin);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        if self.is_named {
            headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
    }
}

/// Whether it is a list of names: nothing else is repeated to anybody.
fn is_list(names: &HeaderValue) -> bool {
    let legal = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~, \t".contains(byte);
    names.as_bytes().iter().all(legal)
}
