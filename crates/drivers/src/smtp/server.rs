//! Which mail server, as `STOA_SMTP_URL` names it.

use std::fmt;

use percent_encoding::percent_decode_str;
use url::Url;

/// How the line to the server is kept secret.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Security {
    /// TLS from the first byte.
    Tls,
    /// STARTTLS, or nothing is sent.
    StartTls,
    /// STARTTLS when the server offers it; a password is never sent without.
    Opportunistic,
    /// In clear, also a password. For a server on the same machine.
    Clear,
}

/// A mail server and how to speak to it.
#[derive(Clone, PartialEq, Eq)]
pub struct SmtpServer {
    /// Its name, which its certificate must bear.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the line is kept secret.
    pub security: Security,
    /// User and password.
    pub credentials: Option<(String, String)>,
}

/// What is wrong with an address, to follow its name: "is …; give …".
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct BadServer(pub String);

/// The port for TLS from the first byte.
const SUBMISSIONS: u16 = 465;
/// The port for STARTTLS.
const SUBMISSION: u16 = 587;

impl SmtpServer {
    /// Reads `smtps://user:password@host:465` or `smtp://host:587?tls=required|opportunistic|none`.
    pub fn parse(text: &str) -> Result<Self, BadServer> {
        let shape = "give smtps://user:password@host:465 or smtp://user:password@host:587";
        let bad = |what: &str| BadServer(format!("{what}; {shape}"));
        let url = Url::parse(text).map_err(|_| bad("is not the address of a mail server"))?;
        let wrapped = match url.scheme() {
            "smtps" => true,
            "smtp" => false,
            _ => return Err(bad("is not the address of a mail server")),
        };
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(|| bad("names no host"))?;
        if url.port() == Some(0) {
            return Err(bad("has port 0"));
        }
        if !matches!(url.path(), "" | "/") || url.fragment().is_some() {
            return Err(bad("has something behind the host that means nothing"));
        }
        let credentials = credentials(&url)?;
        let security = match (wrapped, tls(&url)?.as_deref()) {
            (true, None | Some("required")) => Security::Tls,
            (true, Some(_)) => {
                let flaw =
                    "is smtps, which is TLS from the first byte, and asks for less by `tls`; leave `tls` out";
                return Err(BadServer(flaw.into()));
            }
            (false, Some("required")) => Security::StartTls,
            (false, Some("none")) => Security::Clear,
            (false, None) if credentials.is_some() => Security::StartTls,
            (false, None | Some("opportunistic")) => Security::Opportunistic,
            (false, Some(_)) => {
                let flaw = "has a `tls` that is not known; give ?tls=required, opportunistic or none";
                return Err(BadServer(flaw.into()));
            }
        };
        let port = url.port().unwrap_or(if wrapped { SUBMISSIONS } else { SUBMISSION });
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Self { host, port, security, credentials })
    }
}

fn credentials(url: &Url) -> Result<Option<(String, String)>, BadServer> {
    let decoded = |text: &str| {
        let text = percent_decode_str(text).decode_utf8();
        text.map(String::from).map_err(|_| {
            BadServer(
                "has a user or password that is not UTF-8 when decoded; write it percent-encoded".into(),
            )
        })
    };
    match (url.username(), url.password()) {
        ("", None) => Ok(None),
        ("", Some(_)) => Err(BadServer("has a password without a user; give both, or neither".into())),
        (_, None | Some("")) => Err(BadServer("has a user without a password; give both, or neither".into())),
        (user, Some(password)) => Ok(Some((decoded(user)?, decoded(password)?))),
    }
}

fn tls(url: &Url) -> Result<Option<String>, BadServer> {
    let mut asked = None;
    for (name, value) in url.query_pairs() {
        if name != "tls" || asked.is_some() {
            return Err(BadServer(
                "has a query of which only one `tls` is understood; leave the rest out".into(),
            ));
        }
        asked = Some(value.into_owned());
    }
    Ok(asked)
}

/// The password is not shown, nor whose it is.
impl fmt::Debug for SmtpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, security, credentials } = self;
        f.debug_struct("SmtpServer")
            .field("host", host)
            .field("port", port)
            .field("security", security)
            .field("has_credentials", &credentials.is_some())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> SmtpServer {
        SmtpServer::parse(text).unwrap()
    }

    fn refused(text: &str) -> String {
        SmtpServer::parse(text).unwrap_err().0
    }

    #[test]
    fn a_password_asks_for_tls_unless_told_otherwise() {
        assert_eq!(parsed("smtps://u:p@mail.example.com").security, Security::Tls);
        assert_eq!(parsed("smtps://u:p@mail.example.com?tls=required").security, Security::Tls);
        assert_eq!(parsed("smtp://u:p@mail.example.com").security, Security::StartTls);
        assert_eq!(parsed("smtp://mail.example.com").security, Security::Opportunistic);
        assert_eq!(parsed("smtp://mail.example.com?tls=required").security, Security::StartTls);
        assert_eq!(parsed("smtp://u:p@localhost?tls=none").security, Security::Clear);
        assert_eq!(parsed("smtp://u:p@localhost/?tls=opportunistic").security, Security::Opportunistic);
    }

    #[test]
    fn ports_have_their_usual_values_and_hosts_may_be_addresses() {
        assert_eq!(parsed("smtps://mail.example.com").port, 465);
        assert_eq!(parsed("smtp://mail.example.com").port, 587);
        let server = parsed("smtp://[::1]:2525");
        assert_eq!((server.host.as_str(), server.port), ("::1", 2525));
    }

    #[test]
    fn characters_of_a_password_are_decoded_and_never_shown() {
        let server = parsed("smtps://ann%40example.com:p%3A%2F%40%25w@mail.example.com");
        assert_eq!(server.credentials, Some(("ann@example.com".into(), "p:/@%w".into())));
        let shown = format!("{server:?}");
        assert!(!shown.contains("p:/@%w") && !shown.contains("ann"), "{shown}");
    }

    #[test]
    fn what_is_wrong_is_told_with_its_cure_and_without_the_password() {
        for (text, told) in [
            ("mail.example.com:25", "is not the address of a mail server; give smtps://"),
            ("http://u:hush@mail.example.com", "is not the address of a mail server; give smtps://"),
            ("smtp://", "give smtps://"),
            ("smtp://u:hush@mail.example.com:0", "has port 0"),
            ("smtp://u:hush@mail.example.com/relay", "behind the host"),
            ("smtp://u@mail.example.com", "a user without a password"),
            ("smtp://:hush@mail.example.com", "a password without a user"),
            ("smtp://u:%ff@mail.example.com", "not UTF-8"),
            ("smtps://u:hush@mail.example.com?tls=none", "leave `tls` out"),
            ("smtp://u:hush@mail.example.com?tls=maybe", "required, opportunistic or none"),
            ("smtp://u:hush@mail.example.com?timeout=3", "only one `tls`"),
            ("smtp://u:hush@mail.example.com?tls=none&tls=required", "only one `tls`"),
        ] {
            let flaw = refused(text);
            assert!(flaw.contains(told), "{text}: {flaw}");
            assert!(!flaw.contains("hush"), "{flaw}");
        }
    }
}
