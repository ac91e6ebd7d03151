//! Accounts through their public surface, on both engines; the files mirror the addresses.
#![cfg(test)]

mod admin;
mod auth;
mod cleanup;
mod nodes;
mod staying;
mod sync;
mod users;
mod v0;
mod well_known;

use jsonwebtoken::{Algorithm, EncodingKey, Header, dangerous::insecure_decode, encode};
use stoa_testing::{TestApp, Value, json};

/// A password that is neither common nor weak, and not everybody's.
const OTHER_PASSWORD: &str = "An0ther-Quiet-Trombone";

/// The claims of a token, unverified.
fn claims(token: &str) -> Value {
    insecure_decode::<Value>(token).expect("a token").claims
}

/// A token with these claims, signed with this secret.
fn signed(claims: &Value, algorithm: Algorithm, secret: &str) -> String {
    encode(&Header::new(algorithm), claims, &EncodingKey::from_secret(secret.as_bytes())).expect("a token")
}

/// What tests have as their signing secret.
const SECRET: &str = "a secret that is good for tests alone";

/// A session's part of the registration or login answer, as text.
fn text(session: &Value, field: &str) -> String {
    session[field].as_str().unwrap_or_else(|| panic!("no {field} in {session}")).to_owned()
}

/// The body that spends or ends with a session's refresh token.
fn refresh_token(session: &Value) -> Value {
    json!({"refreshToken": text(session, "refreshToken")})
}

/// The token in the link to `page` of the last mail to somebody that has one.
async fn mailed_token(app: &TestApp, email: &str, page: &str) -> String {
    let beginning = format!("{page}?token=");
    for mail in app.mails().await.iter().filter(|mail| mail.to.eq_ignore_ascii_case(email)) {
        let message = app.platform().mailer.read(&mail.id).await.unwrap().unwrap();
        let message = String::from_utf8(message).unwrap().replace("=\r\n", "").replace("=3D", "=");
        if let Some((_, rest)) = message.split_once(&beginning) {
            return rest
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
                .collect();
        }
    }
    panic!("no mail to {email} with a link to {page}");
}

/// The subjects of the mails to somebody, sorted; mail writes domains in lower case.
async fn subjects(app: &TestApp, email: &str) -> Vec<String> {
    let mails = app.mails().await;
    let mut subjects: Vec<_> = mails
        .into_iter()
        .filter(|mail| mail.to.eq_ignore_ascii_case(email))
        .map(|mail| mail.subject)
        .collect();
    subjects.sort();
    subjects
}
