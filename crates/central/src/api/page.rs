//! How lists are cut into pages.

use super::request::Whole;
use axum::http::Uri;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub const MAX_LIMIT: u64 = 500;
pub const MAX_OFFSET: u64 = 100_000;
const USUAL_LIMIT: u64 = 100;

pub type Limit = Whole<1, MAX_LIMIT>;
pub type Offset = Whole<0, MAX_OFFSET>;

#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    Asc,
    Desc,
}

impl Order {
    pub const fn sql(self) -> &'static str {
        match self {
            Self::Asc => "ASC NULLS LAST",
            Self::Desc => "DESC NULLS LAST",
        }
    }
}

/// Which rows of a list are asked for.
#[derive(Clone, Copy, Debug)]
pub struct Cut {
    pub limit: u64,
    pub offset: u64,
}

impl Cut {
    pub fn new(limit: Option<Limit>, offset: Option<Offset>) -> Self {
        Self {
            limit: limit.map_or(USUAL_LIMIT, |limit| limit.0),
            offset: offset.map_or(0, |offset| offset.0),
        }
    }

    /// One row more than the page holds tells whether there is another page.
    pub const fn rows(self) -> i64 {
        self.limit.cast_signed() + 1
    }

    pub const fn skip(self) -> i64 {
        self.offset.cast_signed()
    }

    /// Takes the surplus row off; answers the path of the next page if there is one.
    pub fn next<T>(self, rows: &mut Vec<T>, uri: &Uri) -> Option<String> {
        let whole = usize::try_from(self.limit).unwrap_or(usize::MAX);
        if rows.len() <= whole {
            return None;
        }
        rows.truncate(whole);
        let offset = self.offset + self.limit;
        (offset <= MAX_OFFSET).then(|| {
            let kept = uri.query().unwrap_or("").split('&');
            let kept = kept.filter(|pair| !pair.is_empty() && !pair.starts_with("offset="));
            let mut query: Vec<&str> = kept.collect();
            let offset = format!("offset={offset}");
            query.push(&offset);
            format!("{}?{}", uri.path(), query.join("&"))
        })
    }
}

/// A part of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Of all that match, on this page or not.
    #[schema(minimum = 0)]
    pub total: u64,
    #[schema(minimum = 1, maximum = 500)]
    pub limit: u64,
    #[schema(minimum = 0, maximum = 100000)]
    pub offset: u64,
    /// Path and query of the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub next: Option<String>,
}

impl<T> Page<T> {
    pub fn new(mut items: Vec<T>, total: i64, cut: Cut, uri: &Uri) -> Self {
        let next = cut.next(&mut items, uri);
        Self {
            items,
            total: u64::try_from(total).unwrap_or(0),
            limit: cut.limit,
            offset: cut.offset,
            next,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(limit: u64, offset: u64) -> Cut {
        Cut::new(Some(Whole(limit)), Some(Whole(offset)))
    }

    #[test]
    fn the_next_page_is_named_with_the_same_question() {
        let uri = "/api/v1/coins?limit=2&offset=4&coin=A%2CB"
            .parse()
            .expect("a URI");
        let page = Page::new(vec![1, 2, 3], 9, cut(2, 4), &uri);
        assert_eq!(page.items, [1, 2]);
        let next = page.next.expect("a next page");
        assert_eq!(next, "/api/v1/coins?limit=2&coin=A%2CB&offset=6");
        assert_eq!(Page::new(vec![1, 2], 2, cut(2, 0), &uri).next, None);
        let last = Page::new(vec![1, 2], 2, cut(1, MAX_OFFSET), &uri);
        assert_eq!((last.items.len(), last.next), (1, None));
    }
}
