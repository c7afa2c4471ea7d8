//! `GET /admin/api/whoami`: what may be done with the token that is shown, so that a console offers nothing that would be refused.

use actix_web::HttpResponse;
use actix_web::web::{Data, ReqData};
use serde_json::json;

use crate::auth::bearer::Operator;
use crate::http::State;

pub(super) async fn tell(operator: ReqData<Operator>, state: Data<State>) -> HttpResponse {
    let may_act = *operator == Operator::Admin;
    HttpResponse::Ok().json(json!({"who": operator.as_str(), "may_act": may_act, "node": state.node.roster.node()}))
}
