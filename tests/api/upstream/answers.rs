//! Good answers, in every form in which they come.

use std::time::Duration;

use futures_util::StreamExt;
use sophie_actors::backend::StreamItem;
use sophie_kit::ai_server::{AiServer, Script, finish, word};
use tokio::time::timeout;

use super::*;

#[tokio::test]
async fn a_good_answer_comes_whole_with_usage_and_proof() {
    let got = play(Script::answer("Hello there, you.")).await;
    assert_eq!(got.text(), "Hello there, you.");
    assert!(got.is_proven());
    assert_eq!(got.chunks.iter().find_map(|chunk| chunk.usage).map(|usage| usage.total_tokens), Some(12));
}

#[tokio::test]
async fn words_arrive_while_the_answer_is_still_being_written() {
    let ai = AiServer::start().await;
    let (script, gate) = Script::gated();
    ai.push(script);
    let backend = backend(&ai);
    gate.word("one ");
    let mut stream = timeout(SOON, backend.stream(&question())).await.expect("begins").expect("an answer");
    for (next, text) in [(Some("two "), "one "), (Some("three"), "two "), (None, "three")] {
        let item = timeout(SOON, stream.next()).await.expect("at once").expect("an item").expect("good");
        assert!(matches!(item, StreamItem::Chunk(chunk) if chunk.text == text));
        next.into_iter().for_each(|next| gate.word(next));
    }
    gate.finish();
    assert!(collect(stream).await.done);
}

#[tokio::test]
async fn every_line_end_split_at_every_byte_gives_the_same_answer() {
    for end in ["\n", "\r", "\r\n"] {
        let text = format!(
            "\u{feff}: hello{end}{end}event: message{end}data: {}{end}{end}data: {}{end}{end}data: [DONE]{end}{end}",
            word("é😀"),
            finish("stop")
        );
        let got = play(Script::pieces(text.bytes().map(|byte| [byte]))).await;
        assert_eq!(got.text(), "é😀", "{end:?}");
        assert!(got.is_proven(), "{end:?}");
    }
}

#[tokio::test]
async fn data_on_several_lines_is_one_chunk_that_can_be_sent_on_as_one_line() {
    let text = "data: {\"choices\":[{\"index\":0,\ndata: \"delta\":{\"content\":\"a\"},\ndata: \"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    let got = play(Script::pieces([text])).await;
    assert_eq!(got.text(), "a");
    assert!(got.is_proven());
    assert!(!got.chunks[0].raw.contains('\n'));
}

#[tokio::test]
async fn frames_without_choices_and_unknown_fields_come_through_untouched() {
    let frames = [
        r#"{"choices":[],"prompt_filter_results":[{"x":1}]}"#,
        r#"{"choices":null}"#,
        r#"{"id":"only"}"#,
        r#"{"choices":[{"index":0,"delta":{"reasoning_content":"hm","content":null},"x_new":[1]}]}"#,
        r#"{"choices":[{"index":0,"delta":{"content":"end"},"finish_reason":"tea_time"}]}"#,
    ];
    let got = play(frames.iter().fold(Script::stream(), |script, frame| script.event(frame)).done()).await;
    assert_eq!(got.chunks.iter().map(|chunk| &*chunk.raw).collect::<Vec<_>>(), frames);
    assert_eq!(got.text(), "end");
    assert!(got.is_proven());
}

#[tokio::test]
async fn a_slow_drip_is_an_answer_like_any_other() {
    let got = play(Script::drip("drop", Duration::from_millis(1))).await;
    assert_eq!(got.text(), "drop");
    assert!(got.is_proven());
}

#[tokio::test]
async fn a_chunk_of_5_mb_passes() {
    let got = play(Script::huge(5_000_000)).await;
    assert_eq!(got.text().len(), 5_000_000);
    assert!(got.is_proven());
}

#[tokio::test]
async fn a_whole_json_body_is_an_answer_and_its_own_proof() {
    let got = play(Script::whole("All at once.")).await;
    assert_eq!(got.text(), "All at once.");
    assert!(got.is_proven());
    assert_eq!(got.chunks[0].usage.map(|usage| usage.total_tokens), Some(12));
}

#[tokio::test]
async fn a_connection_serves_further_answers_also_when_the_response_ends_after_done() {
    let ai = AiServer::start().await;
    let late = || Script::stream().event(&finish("stop")).event("[DONE]").pause(Duration::from_millis(20)).end();
    ai.set_default(late);
    let backend = backend(&ai);
    for n in 0..10 {
        assert!(ask(&backend).await.is_proven());
        ai.wait_finished(n, SOON).await;
    }
    // The next request may be quicker than the return of a connection; but by far not always.
    assert!(ai.call(9).connection < 5, "{} connections for 10 answers", ai.call(9).connection + 1);
}
