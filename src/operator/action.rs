//! What can be asked for: read from a form, or from a program's JSON, with the same
//! words and the same mistakes named.

use super::names;
use serde::Serialize;
use smart_mining_core::Algorithm;
use smart_mining_core::route::LONGEST_PIN;
use std::collections::BTreeMap;

/// The longest exclusion that ends.
const A_YEAR: u64 = 366 * 24 * 60;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    Pin {
        algorithm: Algorithm,
        pool: String,
        coin: Option<String>,
        minutes: u64,
    },
    Unpin {
        algorithm: Algorithm,
    },
    Exclude {
        algorithm: Algorithm,
        pool: String,
        /// `None`: for good.
        minutes: Option<u64>,
    },
    Include {
        algorithm: Algorithm,
        pool: String,
    },
    Sync,
    Name {
        worker: String,
        /// `None`: none any more.
        name: Option<String>,
    },
    Reboot,
    Update {
        /// `None`: what central wants.
        url: Option<String>,
    },
}

/// Why something was not done, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = NotDone))]
pub struct Trouble {
    /// `urn:smart-mining:problem:` and this.
    #[serde(rename = "type", serialize_with = "urn")]
    pub kind: &'static str,
    pub status: u16,
    pub title: &'static str,
    pub detail: String,
    pub remedy: String,
    /// Seconds after which it is worth another try.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
}

fn urn<S: serde::Serializer>(kind: &&'static str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("urn:smart-mining:problem:{kind}"))
}

impl Trouble {
    pub fn new(
        status: u16,
        kind: &'static str,
        detail: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let title = match status {
            400 => "This cannot be understood",
            401 => "Log in first",
            403 => "This is not allowed from there",
            404 => "There is no such thing",
            409 => "This does not go together",
            429 => "Too often",
            501 => "Not on this machine",
            _ => "Not now",
        };
        Self {
            kind,
            status,
            title,
            detail: detail.into(),
            remedy: remedy.into(),
            retry_after: None,
        }
    }

    fn asked(detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(400, "asked", detail, remedy)
    }
}

/// Keys and values as they came; a value that is empty is not there.
#[derive(Clone, Debug, Default)]
pub struct Fields(BTreeMap<String, String>);

impl Fields {
    pub fn of(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        let trimmed = pairs
            .into_iter()
            .map(|(key, value)| (key, value.trim().to_owned()));
        Self(trimmed.filter(|(_, value)| !value.is_empty()).collect())
    }

    /// With every space: a password may begin with one.
    pub fn exactly(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(pairs.into_iter().collect())
    }

    /// Texts and numbers of a JSON object.
    pub fn of_json(body: &[u8]) -> Result<Self, Trouble> {
        use serde_json::Value;
        let remedy = "send a JSON object, such as {\"algorithm\":\"sha256d\"}";
        if body.is_empty() {
            return Ok(Self::default());
        }
        let Ok(Value::Object(object)) = serde_json::from_slice(body) else {
            return Err(Trouble::asked("the body is no JSON object", remedy));
        };
        let mut pairs = Vec::new();
        for (key, value) in object {
            match value {
                Value::String(text) => pairs.push((key, text)),
                Value::Number(number) => pairs.push((key, number.to_string())),
                Value::Null => {}
                Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
                    let detail = format!("{key:?} is neither a text nor a number");
                    return Err(Trouble::asked(detail, remedy));
                }
            }
        }
        Ok(Self::exactly(pairs))
    }

    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// As it came, and gone afterwards.
    pub fn take(&mut self, key: &str) -> Option<String> {
        self.0.remove(key)
    }

    fn required(&mut self, key: &str, example: &str) -> Result<String, Trouble> {
        self.take(key).ok_or_else(|| {
            let remedy = format!("say {key}, such as {example}");
            Trouble::asked(format!("{key} is missing"), remedy)
        })
    }

    fn algorithm(&mut self) -> Result<Algorithm, Trouble> {
        let text = self.required("algorithm", "sha256d")?;
        text.parse().map_err(|_| {
            let remedy = "say one that this farm has a listener for, such as sha256d";
            Trouble::asked(format!("{} is no algorithm", quoted(&text)), remedy)
        })
    }

    /// `POOL`, or `POOL COIN` where a pool has several.
    fn pool(&mut self) -> Result<(String, Option<String>), Trouble> {
        let text = self.required("pool", "the pool's name as the page shows it")?;
        let coin = self.take("coin");
        Ok(match text.split_once(' ') {
            Some((pool, own)) if coin.is_none() => (pool.to_owned(), Some(own.to_owned())),
            Some(_) | None => (text, coin),
        })
    }

    fn minutes(&mut self, most: u64) -> Result<Option<u64>, Trouble> {
        let Some(text) = self.take("minutes") else {
            return Ok(None);
        };
        let minutes = text
            .parse()
            .ok()
            .filter(|minutes| (1..=most).contains(minutes));
        minutes.map(Some).ok_or_else(|| {
            let detail = format!("{} is no number of minutes that can be", quoted(&text));
            Trouble::asked(detail, format!("say a whole number from 1 to {most}"))
        })
    }

    fn finish(self) -> Result<(), Trouble> {
        match self.0.keys().next() {
            Some(key) => Err(Trouble::asked(
                format!("{} is not known here", quoted(key)),
                "leave it out; docs/operator.md says what each action takes",
            )),
            None => Ok(()),
        }
    }
}

/// Bounded, and without anything that could be taken for something else.
fn quoted(text: &str) -> String {
    let short: String = text.chars().take(60).collect();
    format!("{short:?}")
}

impl Action {
    /// `None`: there is no such action.
    pub fn parse(what: &str, fields: Fields) -> Option<Result<Self, Trouble>> {
        let mut fields = Fields::of(fields.0);
        let read = match what {
            "pin" => Self::pin,
            "unpin" => |fields: &mut Fields| {
                let algorithm = fields.algorithm()?;
                Ok(Self::Unpin { algorithm })
            },
            "exclude" => Self::exclude,
            "include" => |fields: &mut Fields| {
                Ok(Self::Include {
                    algorithm: fields.algorithm()?,
                    pool: fields.pool()?.0,
                })
            },
            "sync" => |_: &mut Fields| Ok(Self::Sync),
            "name" => Self::name,
            "reboot" => |_: &mut Fields| Ok(Self::Reboot),
            "update" => Self::update,
            _ => return None,
        };
        let action = read(&mut fields);
        Some(action.and_then(|action| fields.finish().map(|()| action)))
    }

    fn pin(fields: &mut Fields) -> Result<Self, Trouble> {
        let (algorithm, (pool, coin)) = (fields.algorithm()?, fields.pool()?);
        let most = LONGEST_PIN.as_secs() / 60;
        let minutes = fields.minutes(most)?.ok_or_else(|| {
            let remedy = format!("say for how many minutes, 1 to {most}");
            Trouble::asked("minutes is missing: a pin has an end", remedy)
        })?;
        Ok(Self::Pin {
            algorithm,
            pool,
            coin: coin.map(|coin| coin.to_ascii_uppercase()),
            minutes,
        })
    }

    fn exclude(fields: &mut Fields) -> Result<Self, Trouble> {
        Ok(Self::Exclude {
            algorithm: fields.algorithm()?,
            pool: fields.pool()?.0,
            minutes: fields.minutes(A_YEAR)?,
        })
    }

    fn name(fields: &mut Fields) -> Result<Self, Trouble> {
        let worker = fields.required("worker", "rig07")?;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if worker.len() > 63 || !worker.chars().all(plain) {
            let remedy = "say the worker's name as the table of miners shows it";
            let detail = format!("{} is no worker's name", quoted(&worker));
            return Err(Trouble::asked(detail, remedy));
        }
        let name = fields.take("name");
        if let Some(name) = &name {
            names::check(name).map_err(|what| Trouble::asked(what, "write another one"))?;
        }
        Ok(Self::Name { worker, name })
    }

    fn update(fields: &mut Fields) -> Result<Self, Trouble> {
        let url = fields.take("url");
        if let Some(url) = &url {
            let is_web = url.starts_with("https://") || url.starts_with("http://");
            let plain = |b: u8| b.is_ascii_graphic() && !b"\"'\\`$<>".contains(&b);
            if !is_web || url.len() > 500 || !url.bytes().all(plain) {
                let remedy = "write it as https://downloads.example.com/release.raucb";
                let detail = format!("{} is not where a release can be fetched", quoted(url));
                return Err(Trouble::asked(detail, remedy));
            }
        }
        Ok(Self::Update { url })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(what: &str, json: &str) -> Result<Action, Trouble> {
        let fields = Fields::of_json(json.as_bytes())?;
        Action::parse(what, fields).expect("an action")
    }

    #[test]
    fn a_form_and_a_program_ask_for_the_same() {
        let pairs = [
            ("algorithm", "sha256"),
            ("pool", "a BTC"),
            ("minutes", " 60 "),
        ];
        let fields = Fields::of(pairs.map(|(key, value)| (key.to_owned(), value.to_owned())));
        let form = Action::parse("pin", fields).expect("an action");
        let json = r#"{"algorithm":"sha256d","pool":"a","coin":"btc","minutes":60}"#;
        assert_eq!(form, read("pin", json));
        assert_eq!(
            form,
            Ok(Action::Pin {
                algorithm: Algorithm::Sha256d,
                pool: "a".to_owned(),
                coin: Some("BTC".to_owned()),
                minutes: 60,
            })
        );
        assert_eq!(read("sync", ""), Ok(Action::Sync));
        let for_good = read("exclude", r#"{"algorithm":"scrypt","pool":"b"}"#);
        assert!(matches!(
            for_good,
            Ok(Action::Exclude { minutes: None, .. })
        ));
    }

    #[test]
    fn each_mistake_is_named_with_its_remedy() {
        for (what, json, detail) in [
            ("pin", "[]", "the body is no JSON object"),
            ("pin", r#"{"pool":"a"}"#, "algorithm is missing"),
            (
                "pin",
                r#"{"algorithm":"x","pool":"a"}"#,
                "\"x\" is no algorithm",
            ),
            (
                "pin",
                r#"{"algorithm":"scrypt","pool":"a"}"#,
                "minutes is missing: a pin has an end",
            ),
            (
                "pin",
                r#"{"algorithm":"scrypt","pool":"a","minutes":10081}"#,
                "\"10081\" is no number of minutes that can be",
            ),
            (
                "pin",
                r#"{"algorithm":["scrypt"]}"#,
                "\"algorithm\" is neither a text nor a number",
            ),
            ("sync", r#"{"now":1}"#, "\"now\" is not known here"),
            (
                "name",
                r#"{"worker":"<b>","name":"x"}"#,
                "\"<b>\" is no worker's name",
            ),
            (
                "update",
                r#"{"url":"file:///etc/passwd"}"#,
                "\"file:///etc/passwd\" is not where a release can be fetched",
            ),
            (
                "update",
                r#"{"url":"https://x/`id`"}"#,
                "\"https://x/`id`\" is not where a release can be fetched",
            ),
        ] {
            let trouble = read(what, json).expect_err(json);
            assert_eq!(
                (trouble.status, &*trouble.detail),
                (400, detail),
                "{what} {json}"
            );
            assert!(!trouble.remedy.is_empty());
        }
        assert!(Action::parse("format", Fields::default()).is_none());
    }
}
