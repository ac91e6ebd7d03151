//! `Stripe-Signature`: `t=<seconds>,v1=<hex>,…`, where each `v1` is an HMAC-SHA256 over the time, a dot and the body, and
//! there are two while a secret is rolled.

use std::time::Duration;

use stoa_contracts::payments::NoticeError;
use stoa_kernel::Timestamp;
use subtle::ConstantTimeEq;

use crate::mac;

/// How far the time of a signature may be from ours, either way.
const TOLERANCE: Duration = Duration::from_mins(5);
/// Signatures looked at; Stripe sends two at most.
const MOST_SIGNATURES: usize = 8;
/// The longest header that is read.
const LONGEST: usize = 2_048;
/// Seconds until the year 10000.
const CLOCKS_SHOW: std::ops::Range<i64> = 0..253_402_300_800;

/// Checks that a body was signed with the secret, and lately.
pub(super) fn check(secret: &[u8], header: &str, body: &[u8], now: Timestamp) -> Result<(), NoticeError> {
    let (sent, signatures) = read(header).ok_or(NoticeError::Forged)?;
    let expected = sign(secret, &[sent.as_bytes(), b".", body]).ok_or(NoticeError::NotConfigured)?;
    // All are compared, whichever is the right one.
    let good = signatures
        .iter()
        .fold(0, |good, signature| good | signature.as_bytes().ct_eq(expected.as_bytes()).unwrap_u8());
    if good == 0 {
        return Err(NoticeError::Forged);
    }
    let seconds = sent.parse().map_err(|_| NoticeError::Forged)?;
    if !CLOCKS_SHOW.contains(&seconds) {
        return Err(NoticeError::Stale);
    }
    let sent = Timestamp::from_seconds(seconds);
    if sent < now - TOLERANCE || sent > now + TOLERANCE { Err(NoticeError::Stale) } else { Ok(()) }
}

/// The signature of these parts, in hex.
fn sign(secret: &[u8], parts: &[&[u8]]) -> Option<String> {
    mac::of(secret, parts).map(|code| mac::hex(&code))
}

fn read(header: &str) -> Option<(&str, Vec<&str>)> {
    if header.len() > LONGEST {
        return None;
    }
    let parts = || header.split(',').filter_map(|part| part.trim().split_once('='));
    let (_, sent) = parts().find(|(name, _)| *name == "t")?;
    let signatures = parts().filter(|(name, _)| *name == "v1").map(|(_, value)| value);
    Some((sent, signatures.take(MOST_SIGNATURES).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"whsec_test";
    const NOW: Timestamp = Timestamp::from_seconds(1_768_478_400);

    fn signed(secret: &[u8], seconds: i64, body: &[u8]) -> String {
        sign(secret, &[seconds.to_string().as_bytes(), b".", body]).unwrap()
    }

    fn header(seconds: i64, body: &[u8]) -> String {
        format!("t={seconds},v1={}", signed(SECRET, seconds, body))
    }

    #[test]
    fn only_what_was_signed_lately_with_the_secret_is_good() {
        let (now, body) = (1_768_478_400, b"{\"id\":\"evt_1\"}".as_slice());
        let good = header(now, body);
        assert_eq!(check(SECRET, &good, body, NOW), Ok(()));
        assert_eq!(check(SECRET, &good, b"{\"id\":\"evt_2\"}", NOW), Err(NoticeError::Forged));
        assert_eq!(check(b"another", &good, body, NOW), Err(NoticeError::Forged));
        for age in [-300, 300] {
            assert_eq!(check(SECRET, &header(now - age, body), body, NOW), Ok(()), "{age}");
        }
        for age in [-301, 301, 86_400] {
            assert_eq!(check(SECRET, &header(now - age, body), body, NOW), Err(NoticeError::Stale), "{age}");
        }
        // Another time than was signed.
        let moved = good.replace(&format!("t={now}"), &format!("t={}", now - 1));
        assert_eq!(check(SECRET, &moved, body, NOW), Err(NoticeError::Forged));
    }

    #[test]
    fn one_good_signature_of_several_is_enough() {
        let body = b"{}".as_slice();
        let (old, new) = (signed(b"old", 1_768_478_400, body), signed(SECRET, 1_768_478_400, body));
        let rolled = format!("t=1768478400,v1={old},v1={new},v0=ab");
        assert_eq!(check(SECRET, &rolled, body, NOW), Ok(()));
        let only_old = format!("t=1768478400,v1={old},v0={new}");
        assert_eq!(check(SECRET, &only_old, body, NOW), Err(NoticeError::Forged));
    }

    #[test]
    fn nonsense_is_forged() {
        let many = format!("t=1768478400{}", ",v1=00".repeat(10_000));
        for header in ["", "t=", "v1=", "t=1768478400", "t=now,v1=", "t=1768478400,v1=zz", &many] {
            assert_eq!(check(SECRET, header, b"{}", NOW), Err(NoticeError::Forged), "{header:.40}");
        }
        for seconds in [i64::MIN, -1, i64::MAX] {
            assert_eq!(check(SECRET, &header(seconds, b"{}"), b"{}", NOW), Err(NoticeError::Stale));
        }
    }
}
