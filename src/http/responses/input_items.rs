//! `GET /v1/responses/{id}/input_items`: what a response answers, a page at a time, with what was said before it. Pure.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sophie_actors::dialects::BadRequest;
use sophie_actors::dialects::responses::{Items, id_of};

/// Items of a page, if nothing is said, and at most.
const USUAL: usize = 20;
const MOST: usize = 100;

/// Which page.
#[derive(Debug, Default, Deserialize)]
pub struct Wanted {
    limit: Option<String>,
    after: Option<String>,
    order: Option<String>,
}

/// A page.
#[derive(Debug, Serialize)]
pub(super) struct ItemPage {
    object: &'static str,
    data: Vec<Box<RawValue>>,
    first_id: Option<String>,
    last_id: Option<String>,
    has_more: bool,
}

/// The page that is wanted, the newest items first unless something else is said.
///
/// # Errors
/// There is no such page.
pub(super) fn page(items: &Items, wanted: &Wanted) -> Result<ItemPage, BadRequest> {
    let limit = wanted.limit.as_deref().map_or(Ok(USUAL), |limit| {
        let limit = limit.parse().ok().filter(|limit| (1..=MOST).contains(limit));
        limit.ok_or_else(|| BadRequest::expected("limit", "a number from 1 to 100"))
    })?;
    let mut all: Vec<&str> = items.iter().collect();
    match wanted.order.as_deref() {
        None | Some("desc") => all.reverse(),
        Some("asc") => {}
        Some(_) => return Err(BadRequest::expected("order", "'asc' or 'desc'")),
    }
    let from = match wanted.after.as_deref() {
        None => 0,
        Some(after) => {
            let at = all.iter().position(|item| id_of(item).as_deref() == Some(after));
            at.ok_or_else(|| BadRequest::new("after", "there is no such item"))? + 1
        }
    };
    let page = &all[from..(from + limit).min(all.len())];
    let id = |item: Option<&&str>| item.and_then(|item| id_of(item));
    Ok(ItemPage {
        object: "list",
        data: page.iter().filter_map(|item| RawValue::from_string((*item).to_owned()).ok()).collect(),
        first_id: id(page.first()),
        last_id: id(page.last()),
        has_more: from + page.len() < all.len(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn items() -> Items {
        Items::read(&json!((0..25).map(|n| json!({"id": format!("i{n}")})).collect::<Vec<_>>()).to_string())
    }

    fn read(wanted: &Wanted) -> (Vec<String>, bool) {
        let page = serde_json::to_value(page(&items(), wanted).expect("a page")).expect("JSON");
        let ids = |value: &Value| value["id"].as_str().map(str::to_owned);
        let data: Vec<String> = page["data"].as_array().expect("a list").iter().filter_map(ids).collect();
        assert_eq!(
            (page["first_id"].as_str(), page["last_id"].as_str()),
            (data.first().map(|it| &**it), data.last().map(|it| &**it))
        );
        (data, page["has_more"] == true)
    }

    #[test]
    fn the_newest_come_first_twenty_at_a_time() {
        let (first, more) = read(&Wanted::default());
        assert_eq!((first.len(), first[0].as_str(), more), (20, "i24", true));
        let (rest, more) = read(&Wanted { after: Some("i5".into()), ..Wanted::default() });
        assert_eq!((rest.join(" ").as_str(), more), ("i4 i3 i2 i1 i0", false));
        let (oldest, more) =
            read(&Wanted { order: Some("asc".into()), limit: Some("2".into()), after: Some("i0".into()) });
        assert_eq!((oldest.join(" ").as_str(), more), ("i1 i2", true));
        assert_eq!(read(&Wanted { after: Some("i0".into()), ..Wanted::default() }), (vec![], false));
    }

    #[test]
    fn what_is_no_page_is_refused_by_its_field() {
        let refused = |wanted: Wanted| page(&items(), &wanted).expect_err("refused").field;
        for limit in ["0", "101", "x", "-1"] {
            assert_eq!(refused(Wanted { limit: Some(limit.into()), ..Wanted::default() }), "limit");
        }
        assert_eq!(refused(Wanted { after: Some("gone".into()), ..Wanted::default() }), "after");
        assert_eq!(refused(Wanted { order: Some("up".into()), ..Wanted::default() }), "order");
    }
}
