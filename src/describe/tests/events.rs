//! The events are described with each of their fields.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sophie_actors::ids::{AnswerId, CommandId, Epoch, GroupName, MessageId, NodeId, SessionId, UserId};
use sophie_actors::protocol::{
    AnswerFailed, AnswerFinished, CacheStatus, ErrorCode, Event, Image, LogHead, Logged, Member, Message, PersonState,
    Quota, Reasoning, Remaining, Role, RunningAnswer, Standing, Usage, Who,
};

use super::documents;
use super::fields::{described, sampled};

/// Each event of the core with all fields that it may have, and how many kinds there are. A new kind has no place in the match, which
/// then does not compile.
fn all() -> Vec<Value> {
    let (group, home) = (GroupName::parse("team").expect("legal"), GroupName::parse("chat_s").expect("legal"));
    let (session, user, node) = (SessionId::parse("s").expect("legal"), UserId::from("u"), NodeId::from("n"));
    let (id, epoch) = (CommandId::parse("c").expect("legal"), Epoch::from("e"));
    let (answer, message) = (AnswerId::from("a"), MessageId::from("m"));
    let text = || "t".to_owned();
    let quota = Some(Quota { limit: 1, remaining: 0, reset_ms: 1 });
    let limits = Remaining { requests: quota, tokens: quota };
    let running = RunningAnswer {
        answer: answer.clone(),
        group: group.clone(),
        message: message.clone(),
        text: text(),
        offset: 1,
        reasoning: text(),
    };
    let member = Member { session: session.clone(), user: user.clone(), node: node.clone(), since: text() };
    let head = LogHead { epoch: epoch.clone(), seq: 1 };
    let standing = Standing { head, assistant: Some(false), person: Some(PersonState::Asked) };
    let foreign = json!({"k": 1});
    let several = || Some(vec![Who { session: &session, user: &user }]);
    let (id, code, reason) = (&id, ErrorCode::Busy, "why");
    let events = [
        Event::Ready {
            session: &session,
            user: &user,
            node: &node,
            epoch: &epoch,
            seq: 1,
            recovered: true,
            groups: vec![&home],
            logs: BTreeMap::from([(&home, standing)]),
            answers: vec![running],
            ping_interval_ms: 1,
            expires_in_ms: Some(1),
            protocol: "sophie.v1",
        },
        Event::AckOfOrder { id, pending: Some(true) },
        Event::Ack {
            id,
            epoch: Some(&epoch),
            seq: Some(1),
            message: Some(&message),
            recovered: Some(true),
            assistant: Some(false),
            person: Some(PersonState::Asked),
            limits: Some(&limits),
        },
        Event::Error { id: Some(id), code, message: reason, retry_after_ms: Some(1) },
        Event::AnswerStart { group: &group, answer: &answer, message: &message, model: "m", cache: CacheStatus::Hit },
        Event::AnswerDelta { group: &group, answer: &answer, offset: 1, text: "t" },
        Event::AnswerReasoning { group: &group, answer: &answer, offset: 1, text: "t" },
        Event::Joined { group: &group, session: &session, user: &user },
        Event::Left { group: &group, session: &session, user: &user },
        Event::JoinedMany { group: &group, members: several(), count: Some(1), total: 1 },
        Event::LeftMany { group: &group, members: several(), count: Some(1), total: 1 },
        Event::Members { id: Some(id), group: &group, members: vec![member], total: 1 },
        Event::Typing { group: &group, user: &user },
        Event::History { id: Some(id), group: &group, events: Vec::new(), more: true },
        Event::LogReset { group: &group, epoch: &epoch, seq: 1 },
        Event::Assistant { group: &group, on: false },
        Event::Person { group: &group, state: PersonState::Asked },
        Event::Foreign { group: &group, event: &foreign },
        Event::Pong { id: Some(id) },
        Event::Closing { code: 4001, reason, reconnect: true, retry_in_ms: Some(1) },
    ];
    let place = |event: &Event<'_>| match event {
        Event::Ready { .. } => 0,
        Event::AckOfOrder { .. } => 1,
        Event::Ack { .. } => 2,
        Event::Error { .. } => 3,
        Event::AnswerStart { .. } => 4,
        Event::AnswerDelta { .. } => 5,
        Event::AnswerReasoning { .. } => 6,
        Event::Joined { .. } => 7,
        Event::Left { .. } => 8,
        Event::JoinedMany { .. } => 9,
        Event::LeftMany { .. } => 10,
        Event::Members { .. } => 11,
        Event::Typing { .. } => 12,
        Event::History { .. } => 13,
        Event::LogReset { .. } => 14,
        Event::Assistant { .. } => 15,
        Event::Person { .. } => 16,
        Event::Foreign { .. } => 17,
        Event::Pong { .. } => 18,
        Event::Closing { .. } => 19,
    };
    assert!(events.iter().map(place).eq(0..events.len()), "each of them stands in the list");
    let image = Image { url: text(), name: Some(text()) };
    let said = Message {
        images: vec![image],
        id: message.clone(),
        role: Role::User,
        author: text(),
        text: text(),
        created_at: text(),
        metadata: Some(serde_json::Map::new()),
    };
    let reasoning = || Some(Reasoning { text: text(), ms: Some(1), cut: true });
    let (finish_reason, usage) = (text(), Some(Usage::default()));
    let end = AnswerFinished {
        answer: answer.clone(),
        message: message.clone(),
        text: text(),
        reasoning: reasoning(),
        model: Some(text()),
        cache: Some(CacheStatus::Hit),
        finish_reason,
        usage,
        latency_ms: 1,
    };
    let failure = AnswerFailed {
        answer: answer.clone(),
        message: message.clone(),
        text: text(),
        reasoning: reasoning(),
        code,
        reason: reason.to_owned(),
        retry_after_ms: Some(1),
    };
    let logged = [
        Logged::Message { group: group.clone(), message: said },
        Logged::AnswerEnd { group: group.clone(), end },
        Logged::AnswerError { group: group.clone(), failure },
    ];
    let place = |event: &Logged| match event {
        Logged::Message { .. } => 0,
        Logged::AnswerEnd { .. } => 1,
        Logged::AnswerError { .. } => 2,
    };
    assert!(logged.iter().map(place).eq(0..logged.len()), "each of them stands in the list");
    let frames = events.iter().map(Event::encode).chain(logged.iter().map(|it| Logged::frame(1, &it.encode())));
    frames.map(|frame| serde_json::from_str(&frame).expect("JSON")).collect()
}

#[test]
fn each_event_of_the_core_is_described_with_each_of_its_fields_and_no_other() {
    let asyncapi = documents().asyncapi.value;
    let channel = &asyncapi["channels"]["sophie"]["messages"];
    let sends = asyncapi["operations"]["sophie.send"]["messages"].as_array().expect("messages").iter();
    let names = sends.map(|message| message["$ref"].as_str().and_then(|to| to.rsplit('/').next()).expect("a name"));
    let schemas = names.map(|name| {
        let payload = channel[name]["payload"]["$ref"].as_str().expect("a schema");
        payload.rsplit('/').next().expect("a name")
    });
    assert_eq!(described(&asyncapi, schemas), sampled(all()));
}
