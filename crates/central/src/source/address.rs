//! Addresses of questions.

use super::Settings;

/// `path` at the configured address, or at the public one.
pub fn url(settings: &Settings, public: &str, path: &str) -> String {
    let base = settings.url.as_deref().unwrap_or(public);
    format!("{}{path}", base.trim_end_matches('/'))
}

/// Safe as a value in a query.
pub fn escaped(text: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~,".contains(byte);
    text.bytes().fold(String::new(), |mut out, byte| {
        if plain(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_own_address_replaces_the_public_one() {
        let public = "https://example.org/v1";
        let mut settings = Settings::default();
        assert_eq!(url(&settings, public, "/a"), "https://example.org/v1/a");
        settings.url = Some("http://127.0.0.1:8080/".to_owned());
        assert_eq!(url(&settings, public, "/a"), "http://127.0.0.1:8080/a");
    }

    #[test]
    fn values_do_not_end_their_query() {
        assert_eq!(escaped("a-b,c&d=e f"), "a-b,c%26d%3De%20f");
    }
}
