//! Pools quote the login in what they say of it. Who is paid, and with which password, is
//! nobody's business who reads a log or a page.

use super::Login;
use alloc::string::String;

/// Shorter ones, such as the usual `x`, are no secret and occur in every text.
const SHORTEST: usize = 4;
/// So much of the start is enough to know it by: pools cut what they quote.
const KNOWN_BY: usize = 8;

impl Login {
    /// The text without the account and the password, wherever they stand in it.
    pub(super) fn conceal(&self, text: &str) -> String {
        let names = self.user.split(['{', '}']);
        let names = names.filter(|part| *part != "worker" && *part != "farm");
        let names = names.map(|part| part.trim_matches(['.', '/', '_', ':', '+']));
        let account = names.map(|part| (part, "(account)"));
        let secrets = account.chain([(&*self.password, "(password)")]);
        secrets
            .filter(|(secret, _)| secret.len() >= SHORTEST)
            .fold(String::from(text), |text, (secret, word)| {
                without(&text, secret, word)
            })
    }
}

/// Capitals do not count: some pools write addresses in small letters.
fn without(text: &str, secret: &str, word: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let same = agreement(rest, secret);
        if same >= secret.len().min(KNOWN_BY) {
            out.push_str(word);
            rest = rest.get(same..).unwrap_or("");
        } else {
            out.push(first);
            rest = rest.get(first.len_utf8()..).unwrap_or("");
        }
    }
    out
}

/// Bytes at the start that both have, in whole characters.
fn agreement(text: &str, secret: &str) -> usize {
    let pairs = text.chars().zip(secret.chars());
    pairs
        .take_while(|(a, b)| a.eq_ignore_ascii_case(b))
        .map(|(a, _)| a.len_utf8())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(user: &str, password: &str) -> Login {
        Login {
            user: user.into(),
            password: password.into(),
            farm: "barn".into(),
            agent: "test/1".into(),
            per_worker: true,
            extensions: true,
        }
    }

    #[test]
    fn what_a_pool_quotes_of_the_login_is_left_out() {
        let login = login("bc1qAccountOfTheFarm.{worker}", "hunter2");
        let said = |text| login.conceal(text);
        assert_eq!(
            said("unknown user bc1qAccountOfTheFarm.rig1, password hunter2"),
            "unknown user (account).rig1, password (password)"
        );
        assert_eq!(said("bc1qaccountofthefarm"), "(account)");
        assert_eq!(
            said("user bc1qAccount... is banned"),
            "user (account)... is banned"
        );
        assert_eq!(said("bc1qAccoun"), "(account)");
        assert_eq!(
            said("bc1q is no prefix we know — é"),
            "bc1q is no prefix we know — é"
        );
    }

    #[test]
    fn a_password_that_everybody_has_hides_nothing() {
        let login = login("{farm}.{worker}", "x");
        assert_eq!(login.conceal("worker x of barn"), "worker x of barn");
    }
}
