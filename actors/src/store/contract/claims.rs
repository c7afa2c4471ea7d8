//! What is claimed by whoever comes first.

use std::time::Duration;

use futures_util::future::join_all;
use sophie_kit::eventually;

use super::*;
use crate::ids::random_text;

pub(in crate::store) async fn a_name_is_claimed_once_however_many_try(stores: Stores) {
    let name = format!("a name: {}, märchenhaft\n", random_text(8));
    let words: Vec<String> = (0..20).map(|n| format!("word {n}")).collect();
    let claims = join_all(words.iter().map(|word| stores.claims.claim(&name, word, 60))).await;
    let claims: Vec<Option<String>> = claims.into_iter().map(|claim| claim.expect("asked")).collect();
    let [first] = (0..20).filter(|at| claims[*at].is_none()).collect::<Vec<_>>()[..] else { panic!("{claims:?}") };
    let others = claims.iter().flatten();
    assert!(others.clone().count() == 19 && others.clone().all(|word| *word == words[first]), "{claims:?}");
    assert_eq!(stores.claims.claim(&name, &words[first], 60).await.expect("asked"), None, "a call that is repeated");
    assert_eq!(stores.claims.find(&name).await.expect("asked"), Some(words[first].clone()));
    assert_eq!(stores.claims.find("another").await.expect("asked"), None);
}

pub(in crate::store) async fn what_is_noted_of_a_claim_stays_and_only_its_own_word_gives_it_back(stores: Stores) {
    let (name, claims) = (random_text(8), &stores.claims);
    assert_eq!(claims.claim(&name, "first", 60).await.expect("asked"), None);
    claims.release(&name, "another").await.expect("asked");
    assert_eq!(claims.claim(&name, "second", 60).await.expect("asked").as_deref(), Some("first"));
    claims.release(&name, "first").await.expect("given back");
    assert_eq!(claims.claim(&name, "second", 60).await.expect("asked"), None);
    claims.note(&name, "done", 60).await.expect("noted");
    claims.release(&name, "second").await.expect("asked");
    assert_eq!(claims.claim(&name, "third", 60).await.expect("asked").as_deref(), Some("done"));
}

pub(in crate::store) async fn a_claim_ends_with_its_time(stores: Stores) {
    let (name, claims) = (random_text(8), &stores.claims);
    assert_eq!(claims.claim(&name, "first", 1).await.expect("asked"), None);
    eventually("its second is over", Duration::from_secs(10), async || {
        claims.claim(&name, "second", 1).await.expect("asked").is_none().then_some(())
    })
    .await;
    claims.note(&name, "noted", 1).await.expect("noted");
    eventually("its second is over", Duration::from_secs(10), async || {
        claims.find(&name).await.expect("asked").is_none().then_some(())
    })
    .await;
}
