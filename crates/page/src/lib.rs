//! What the appliance's and central's pages have in common: the look, and the words
//! in which figures are said. Pure: text in, text out.
#![deny(unsafe_code)]

pub mod words;

/// The stylesheet of every page.
pub const STYLE: &str = include_str!("style.css");
