//! What stands behind the question mark of an address. Whatever is not understood is
//! told, so that no program takes an answer for something it did not ask.

use super::problem::Problem;
use axum::extract::Query;
use axum::extract::rejection::QueryRejection;

pub type Asked = Result<Query<Vec<(String, String)>>, QueryRejection>;

/// Of a value that is told back, in characters.
const LONGEST: usize = 100;

/// Give each parameter to `take`; `Ok(false)`: there is none of that name.
pub fn each(
    asked: Asked,
    known: &[&str],
    mut take: impl FnMut(&str, &str) -> Result<bool, Problem>,
) -> Result<(), Problem> {
    let Query(asked) = asked.map_err(|error| Problem::bad_query(error.body_text()))?;
    for (name, value) in &asked {
        if value.chars().nth(LONGEST).is_some() {
            let detail = format!("{name:.100} is longer than {LONGEST} characters");
            return Err(Problem::bad_query(detail));
        }
        if !take(name, value)? {
            let detail = format!(
                "there is no parameter {name:.100?}; there are {}",
                known.join(", ")
            );
            return Err(Problem::bad_query(detail));
        }
    }
    Ok(())
}

pub fn number(name: &str, value: &str, least: usize, most: usize) -> Result<usize, Problem> {
    // Digits alone: `+5` is no number in an address.
    let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.then(|| value.parse().ok()).flatten();
    number
        .filter(|number| (least..=most).contains(number))
        .ok_or_else(|| Problem::not_a_number(name, value, least, most))
}
