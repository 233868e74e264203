//! The two forms in which Prometheus reads metrics: its own text, and OpenMetrics.
//!
//! A library for this keeps counters of its own, and knows one of the two; here all
//! figures are in the view already, and what remains is to write them down.

use std::borrow::Cow;
use std::fmt::Write;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Prometheus text, version 0.0.4: what anybody understands.
    Plain,
    /// OpenMetrics, version 1.0.0.
    Open,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Gauge,
    /// Its sample's name ends in `_total`.
    Counter,
    /// Facts as labels; its sample's name ends in `_info`.
    Info,
}

pub type Labels<'a> = Vec<(&'static str, Cow<'a, str>)>;

/// Samples of one name.
pub struct Family<'a> {
    /// Without `_total` or `_info`; with its unit, if it has one.
    pub name: &'static str,
    pub kind: Kind,
    pub unit: Option<&'static str>,
    pub help: &'static str,
    pub samples: Vec<(Labels<'a>, f64)>,
}

impl Format {
    /// What the header `Accept` prefers; in doubt what anybody understands.
    pub fn wanted(accept: Option<&str>) -> Self {
        let (mut plain, mut open) = (0.0, 0.0);
        for range in accept.unwrap_or("*/*").split(',') {
            let mut parts = range.split(';').map(str::trim);
            let media = parts.next().unwrap_or_default().to_ascii_lowercase();
            let quality = parts.find_map(|part| part.strip_prefix("q="));
            let quality = quality.map_or(1.0, |text| text.parse::<f64>().unwrap_or(0.0));
            let of = match media.as_str() {
                "application/openmetrics-text" => &mut open,
                "text/plain" | "text/*" | "*/*" => &mut plain,
                _ => continue,
            };
            *of = f64::max(*of, quality);
        }
        if open > 0.0 && open >= plain {
            Self::Open
        } else {
            Self::Plain
        }
    }

    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Plain => "text/plain; version=0.0.4; charset=utf-8",
            Self::Open => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

impl Kind {
    const fn suffix(self) -> &'static str {
        match self {
            Self::Gauge => "",
            Self::Counter => "_total",
            Self::Info => "_info",
        }
    }

    const fn word(self, format: Format) -> &'static str {
        match (self, format) {
            (Self::Gauge, Format::Plain | Format::Open) | (Self::Info, Format::Plain) => "gauge",
            (Self::Counter, Format::Plain | Format::Open) => "counter",
            (Self::Info, Format::Open) => "info",
        }
    }
}

/// Families without a sample are left out: there is nothing to say.
pub fn write(families: &[Family<'_>], format: Format) -> String {
    let mut out = String::with_capacity(16 * 1024);
    for family in families.iter().filter(|it| !it.samples.is_empty()) {
        write_family(&mut out, family, format);
    }
    if format == Format::Open {
        out.push_str("# EOF\n");
    }
    out
}

// Writing to a String does not fail.
fn write_family(out: &mut String, family: &Family<'_>, format: Format) {
    let (name, suffix) = (family.name, family.kind.suffix());
    let described = match format {
        Format::Plain => suffix,
        Format::Open => "",
    };
    let kind = family.kind.word(format);
    let _ = writeln!(out, "# TYPE {name}{described} {kind}");
    if let (Format::Open, Some(unit)) = (format, family.unit) {
        let _ = writeln!(out, "# UNIT {name} {unit}");
    }
    let _ = writeln!(out, "# HELP {name}{described} {}", family.help);
    for (labels, value) in &family.samples {
        let _ = write!(out, "{name}{suffix}");
        for (index, (label, value)) in labels.iter().enumerate() {
            let before = if index == 0 { '{' } else { ',' };
            let _ = write!(out, "{before}{label}=\"{}\"", escaped(value));
        }
        let end = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(out, "{end} {}", number(*value));
    }
}

fn escaped(value: &str) -> Cow<'_, str> {
    if !value.contains(['\\', '"', '\n']) {
        return value.into();
    }
    let value = value.replace('\\', "\\\\").replace('"', "\\\"");
    value.replace('\n', "\\n").into()
}

fn number(value: f64) -> Cow<'static, str> {
    if value.is_nan() {
        "NaN".into()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf" } else { "-Inf" }.into()
    } else {
        value.to_string().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_names_a_counter_and_a_fact_in_its_own_way() {
        let families = [
            Family {
                name: "m_shares",
                kind: Kind::Counter,
                unit: None,
                help: "Shares.",
                samples: vec![(vec![("pool", "a\"b\\c\nd".into())], 12.0)],
            },
            Family {
                name: "m_age_seconds",
                kind: Kind::Gauge,
                unit: Some("seconds"),
                help: "Age.",
                samples: vec![(Vec::new(), 1.5e-9)],
            },
            Family {
                name: "m_build",
                kind: Kind::Info,
                unit: None,
                help: "Build.",
                samples: vec![(vec![("version", "1".into()), ("slot", "A".into())], 1.0)],
            },
            Family {
                name: "m_nothing",
                kind: Kind::Gauge,
                unit: None,
                help: "Nothing.",
                samples: Vec::new(),
            },
        ];
        let plain = "\
# TYPE m_shares_total counter
# HELP m_shares_total Shares.
m_shares_total{pool=\"a\\\"b\\\\c\\nd\"} 12
# TYPE m_age_seconds gauge
# HELP m_age_seconds Age.
m_age_seconds 0.0000000015
# TYPE m_build_info gauge
# HELP m_build_info Build.
m_build_info{version=\"1\",slot=\"A\"} 1
";
        assert_eq!(write(&families, Format::Plain), plain);
        let open = "\
# TYPE m_shares counter
# HELP m_shares Shares.
m_shares_total{pool=\"a\\\"b\\\\c\\nd\"} 12
# TYPE m_age_seconds gauge
# UNIT m_age_seconds seconds
# HELP m_age_seconds Age.
m_age_seconds 0.0000000015
# TYPE m_build info
# HELP m_build Build.
m_build_info{version=\"1\",slot=\"A\"} 1
# EOF
";
        assert_eq!(write(&families, Format::Open), open);
    }

    #[test]
    fn odd_numbers_are_written_as_both_forms_want_them() {
        let words = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 3e14].map(number);
        assert_eq!(words, ["NaN", "+Inf", "-Inf", "300000000000000"]);
    }

    #[test]
    fn the_form_is_the_one_that_is_preferred_and_understood() {
        let prometheus = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                          application/openmetrics-text;version=0.0.1;q=0.5,\
                          text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
                          text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        for (accept, expected) in [
            (Some(prometheus), Format::Open),
            (
                Some("application/openmetrics-text; version=1.0.0"),
                Format::Open,
            ),
            (
                Some("text/plain;q=0.9, application/openmetrics-text;q=0.1"),
                Format::Plain,
            ),
            (Some("application/openmetrics-text;q=0, */*"), Format::Plain),
            (Some("application/openmetrics-text;q=x"), Format::Plain),
            (Some("text/html, */*;q=0.8"), Format::Plain),
            (Some(""), Format::Plain),
            (None, Format::Plain),
        ] {
            assert_eq!(Format::wanted(accept), expected, "{accept:?}");
        }
    }
}
