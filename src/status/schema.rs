//! Holds JSON to a schema of our own document. It knows what that document uses, and
//! refuses what it does not know: nothing passes unlooked at.

use serde_json::Value;

/// Every mistake, with where it stands.
pub fn mistakes(document: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    check(document, schema, value, "$", &mut found);
    found
}

fn check(document: &Value, schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    let Some(keywords) = schema.as_object() else {
        return found.push(format!("{at}: the schema is no object"));
    };
    for (keyword, wanted) in keywords {
        match keyword.as_str() {
            "$ref" => {
                let pointer = wanted.as_str().and_then(|it| it.strip_prefix('#'));
                match pointer.and_then(|it| document.pointer(it)) {
                    Some(schema) => check(document, schema, value, at, found),
                    None => found.push(format!("{at}: {wanted} leads nowhere")),
                }
            }
            "type" => check_type(wanted, value, at, found),
            "properties" => properties(document, wanted, value, at, found),
            "required" => {
                let names = wanted.as_array().into_iter().flatten();
                let missing = names
                    .filter_map(Value::as_str)
                    .filter(|it| value.get(*it).is_none());
                found.extend(missing.map(|name| format!("{at}: {name} is missing")));
            }
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(document, wanted, item, &format!("{at}[{index}]"), found);
                }
            }
            "additionalProperties" => {
                for (name, item) in value.as_object().into_iter().flatten() {
                    check(document, wanted, item, &format!("{at}.{name}"), found);
                }
            }
            "enum" => {
                let known = wanted.as_array().is_some_and(|all| all.contains(value));
                if !known {
                    found.push(format!("{at}: {value} is none of {wanted}"));
                }
            }
            "minimum" => {
                let least = wanted.as_f64().unwrap_or(f64::INFINITY);
                if value.as_f64().is_some_and(|it| it < least) {
                    found.push(format!("{at}: {value} is less than {least}"));
                }
            }
            "allOf" => {
                for part in wanted.as_array().into_iter().flatten() {
                    check(document, part, value, at, found);
                }
            }
            "oneOf" => one_of(document, wanted, value, at, found),
            // These say nothing about a value.
            "description" | "format" | "propertyNames" => {}
            // The words are held by the type that has them.
            "pattern" if value.is_string() => {}
            other => found.push(format!(
                "{at}: the schema's keyword {other} is not known here"
            )),
        }
    }
}

fn check_type(wanted: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    let is = |name: &Value| match name.as_str() {
        Some("null") => value.is_null(),
        Some("boolean") => value.is_boolean(),
        Some("string") => value.is_string(),
        Some("number") => value.is_number(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        Some(_) | None => false,
    };
    let fits = match wanted.as_array() {
        Some(names) => names.iter().any(is),
        None => is(wanted),
    };
    if !fits {
        found.push(format!("{at}: {value} is no {wanted}"));
    }
}

fn properties(document: &Value, wanted: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    for (name, schema) in wanted.as_object().into_iter().flatten() {
        if let Some(value) = value.get(name) {
            check(document, schema, value, &format!("{at}.{name}"), found);
        }
    }
}

fn one_of(document: &Value, wanted: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    let choices = wanted.as_array().into_iter().flatten();
    let fitting = choices.filter(|it| mistakes(document, it, value).is_empty());
    let count = fitting.count();
    if count != 1 {
        found.push(format!("{at}: {count} of the choices fit {value}"));
    }
}

/// Members that no schema of the path names: an answer that says more than its document.
pub fn unnamed(document: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let mut named = Vec::new();
    names(document, schema, &mut named);
    let there = value.as_object().into_iter().flatten();
    let unnamed = there.filter(|(name, _)| !named.contains(name));
    unnamed.map(|(name, _)| name.clone()).collect()
}

/// The names of an object's own members.
fn names(document: &Value, schema: &Value, into: &mut Vec<String>) {
    let pointer = schema["$ref"].as_str().and_then(|it| it.strip_prefix('#'));
    if let Some(schema) = pointer.and_then(|it| document.pointer(it)) {
        names(document, schema, into);
    }
    into.extend(
        schema["properties"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, _)| name.clone()),
    );
    for part in schema["allOf"].as_array().into_iter().flatten() {
        names(document, part, into);
    }
}
