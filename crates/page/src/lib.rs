//! What the appliance's and central's pages have in common: the look, the words
//! in which figures are said, and charts. Pure: text in, text out.
//!
//! The look needs no class for plain elements; these exist beside them:
//!
//! | class | on | means |
//! |---|---|---|
//! | `state mining`, `cache`, `holding`, `trouble`, `unknown` | `span` | a state, in colour and with a shape |
//! | `card` | `section` | a thing of its own on the page |
//! | `facts` | `dl` | figures with their names, side by side |
//! | `wide` | `div tabindex=0 role=region` | around a table that may be wider than a phone |
//! | `n` | `th`, `td` | a figure: to the right, digits of one width |
//! | `good`, `warn`, `bad`, `soft` | any | by meaning |
//! | `hidden` | any | for screen readers alone |
//! | `pages`, `filter` | `nav`, `form` | paging and filter of a table |
#![deny(unsafe_code)]

pub mod chart;
pub mod words;

/// The stylesheet of every page.
pub const STYLE: &str = include_str!("style.css");
