//! Signing in: what it costs beside the password's hash, and whether the time of an answer tells who has an account.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use argon2::{Algorithm, Argon2, Params, Version};
use serde_json::{Value, json};

use crate::{
    Arguments,
    client::{Connection, request},
    failure::Failure,
    measure::{Cost, drive_each},
    scenarios::Report,
    server::Server,
};

const PASSWORD: &str = "Corr3ct-Horse-Battery";
/// Enough that nobody fails often enough to be locked.
const ACCOUNTS: usize = 100;
const ROUNDS: usize = 4;
const CONNECTIONS: usize = 8;
const HASHES: u32 = 20;

pub(crate) async fn sign_in(
    arguments: &Arguments,
    server: &Server,
    report: &mut Report,
) -> Result<(), Failure> {
    let mut connection = Connection::open(server.address).await?;
    for number in 0..ACCOUNTS {
        let body = json!({"email": known(number), "password": PASSWORD});
        connection.send(&request("POST", "/api/auth/register", None, Some(&body))).await?.expect(201)?;
    }
    let hash = one_hash()?;
    report.add("one argon2id hash at the same setting, alone", format!("{:.1} ms", millis(hash)), "");
    let logins = logins(arguments, server).await?;
    let over = logins.micros() / 1_000.0 / millis(hash);
    report.add(
        format!("logins, {CONNECTIONS} connections"),
        format!("{logins}, {over:.2} of the hash alone"),
        "",
    );
    let login =
        |email: String| ("/api/auth/login", json!({"email": email, "password": "Wr0ng-Horse-Battery"}));
    let forgot = |email: String| ("/api/auth/forgot-password", json!({"email": email}));
    medians("wrong password", server.address, 401, login, report).await?;
    medians("forgot-password", server.address, 202, forgot, report).await
}

fn known(number: usize) -> String {
    format!("known{number:03}@example.com")
}

fn unknown(number: usize) -> String {
    format!("nobody{number:02}@example.com")
}

/// CPU of one hash at OWASP's setting, which is the server's: 19 MiB, two passes.
fn one_hash() -> Result<Duration, Failure> {
    let params = Params::new(19_456, 2, 1, None).map_err(|error| Failure::new(error.to_string()))?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let mut out = [0; 32];
    let begun = Instant::now();
    for _ in 0..HASHES {
        let hashed = argon2.hash_password_into(PASSWORD.as_bytes(), b"a salt for a bench", &mut out);
        hashed.map_err(|error| Failure::new(error.to_string()))?;
    }
    Ok(begun.elapsed() / HASHES)
}

async fn logins(arguments: &Arguments, server: &Server) -> Result<Cost, Failure> {
    let requests = (0..CONNECTIONS).map(|number| {
        let body = json!({"email": known(number), "password": PASSWORD});
        Arc::new(request("POST", "/api/auth/login", None, Some(&body)))
    });
    drive_each(server, requests.collect(), Duration::from_secs(arguments.seconds), 200).await
}

/// The medians for addresses with and without an account, asked in turns so that both see the same machine.
async fn medians(
    what: &str,
    address: SocketAddr,
    status: u16,
    asked: impl Fn(String) -> (&'static str, Value),
    report: &mut Report,
) -> Result<(), Failure> {
    let mut connection = Connection::open(address).await?;
    let mut times = [Vec::new(), Vec::new()];
    for number in (0..ACCOUNTS).cycle().take(ACCOUNTS * ROUNDS) {
        for (times, email) in times.iter_mut().zip([known(number), unknown(number)]) {
            let (path, body) = asked(email);
            let request = request("POST", path, None, Some(&body));
            let begun = Instant::now();
            connection.send(&request).await?.expect(status)?;
            times.push(begun.elapsed());
        }
    }
    let [with, without] = times.map(median);
    report.add(
        format!("median answer to {what}, address with and without an account"),
        format!(
            "{:.2} ms, {:.2} ms, {:.3} to 1",
            millis(with),
            millis(without),
            with.as_secs_f64() / without.as_secs_f64()
        ),
        "the same",
    );
    Ok(())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
