//! Access tokens (JWT) and the opaque secrets of which only a hash is kept. A token is signed by the configured secret
//! (HS256) or by a key of [`signing_keys`](crate::signing_keys) (`EdDSA`).

use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use moka::sync::Cache;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use stoa_kernel::{Random, Refusal, RefusalKind, SessionId, Timestamp, UserId};

use crate::{account::User, error::AccountError, settings::SettingsError};

const AUDIENCE: &str = "stoa";
const LEAST_SECRET: usize = 32;
/// How many tokens are known to be genuine without looking again: some 5 MiB at most.
const MOST_GENUINE: u64 = 10_000;
const GENUINE_FOR: Duration = Duration::from_mins(5);

/// Signs access tokens and reads them; what the secret signs and verifies with is made once.
///
/// Decoding takes 6 to 8 µs and every request brings a token, mostly one that was seen a moment ago. So whole tokens that
/// were found genuine are remembered, which takes 0.4 µs. Only what never changes is: the time is asked each time.
pub(crate) struct AccessTokens {
    secret: Signer,
    verifying: DecodingKey,
    by_secret: Validation,
    by_key: Validation,
    issuer: String,
    genuine: Cache<Box<str>, Bearer>,
}

/// What signs a token, and what its header says of that.
pub(crate) struct Signer {
    header: Header,
    key: EncodingKey,
}

impl Signer {
    pub(crate) const fn new(header: Header, key: EncodingKey) -> Self {
        Self { header, key }
    }

    /// The name of the key, if it has one.
    #[cfg(test)]
    pub(crate) fn kid(&self) -> Option<&str> {
        self.header.kid.as_deref()
    }
}

#[derive(Serialize)]
struct Claims<'c> {
    sub: UserId,
    email: &'c str,
    role: &'c str,
    sid: SessionId,
    iat: i64,
    exp: i64,
    iss: &'c str,
    aud: &'static str,
}

/// What a genuine token says. Role and address are read from the database, not from here.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
pub(crate) struct Bearer {
    pub(crate) sub: UserId,
    pub(crate) sid: SessionId,
    exp: i64,
}

impl Bearer {
    /// Refuses a token that is out of date.
    pub(crate) fn require_life(&self, now: Timestamp) -> Result<(), Refusal> {
        if now.as_seconds() < self.exp {
            return Ok(());
        }
        Err(unauthenticated("TOKEN_EXPIRED", "The access token has expired."))
    }
}

impl AccessTokens {
    pub(crate) fn new(secret: &[u8], issuer: &str) -> Result<Self, SettingsError> {
        if secret.len() < LEAST_SECRET {
            return Err(SettingsError::ShortSecret(secret.len()));
        }
        let validation = |algorithm| {
            let mut validation = Validation::new(algorithm);
            validation.set_issuer(&[issuer]);
            validation.set_audience(&[AUDIENCE]);
            validation.set_required_spec_claims(&["iss", "aud", "sub"]);
            // `exp` is held against our own clock.
            validation.validate_exp = false;
            validation
        };
        Ok(Self {
            secret: Signer::new(Header::new(Algorithm::HS256), EncodingKey::from_secret(secret)),
            verifying: DecodingKey::from_secret(secret),
            by_secret: validation(Algorithm::HS256),
            by_key: validation(Algorithm::EdDSA),
            issuer: issuer.to_owned(),
            genuine: Cache::builder().max_capacity(MOST_GENUINE).time_to_live(GENUINE_FOR).build(),
        })
    }

    /// The configured secret, as what signs.
    pub(crate) const fn secret(&self) -> &Signer {
        &self.secret
    }

    /// A token for a session of `user`.
    pub(crate) fn sign(
        &self,
        signer: &Signer,
        user: &User,
        session: SessionId,
        now: Timestamp,
        lifetime: Duration,
    ) -> Result<String, AccountError> {
        let claims = Claims {
            sub: user.id,
            email: &user.email,
            role: &user.role,
            sid: session,
            iat: now.as_seconds(),
            exp: (now + lifetime).as_seconds(),
            iss: &self.issuer,
            aud: AUDIENCE,
        };
        encode(&signer.header, &claims, &signer.key).map_err(AccountError::Signing)
    }

    /// What a token says that was found genuine a moment ago; it may be out of date.
    pub(crate) fn known(&self, token: &str) -> Option<Bearer> {
        self.genuine.get(token)
    }

    /// What a token says, if the secret signed it; it may be out of date.
    pub(crate) fn read_by_secret(&self, token: &str) -> Result<Bearer, Refusal> {
        self.read(token, &self.verifying, &self.by_secret)
    }

    /// What a token says, if the private part of this key signed it; it may be out of date.
    pub(crate) fn read_by_key(&self, token: &str, key: &DecodingKey) -> Result<Bearer, Refusal> {
        self.read(token, key, &self.by_key)
    }

    fn read(&self, token: &str, key: &DecodingKey, validation: &Validation) -> Result<Bearer, Refusal> {
        let read = decode::<Bearer>(token, key, validation).map_err(|_| invalid_token())?;
        self.genuine.insert(token.into(), read.claims);
        Ok(read.claims)
    }
}

/// 401 for what is not a token of ours.
pub(crate) fn invalid_token() -> Refusal {
    unauthenticated("INVALID_TOKEN", "The access token is not valid.")
}

/// 401 with a code of its own.
pub(crate) fn unauthenticated(code: &'static str, detail: &'static str) -> Refusal {
    Refusal::new(RefusalKind::Unauthenticated, code, detail)
}

/// The SHA-256 by which a secret is kept.
pub(crate) type SecretHash = [u8; 32];

/// An opaque token: refresh tokens, proofs of addresses. The token leaves by mail or answer, the hash stays.
pub(crate) struct Secret {
    pub(crate) token: String,
    pub(crate) hash: SecretHash,
}

impl Secret {
    pub(crate) fn new(random: &Random) -> Self {
        let token = random.secret();
        Self { hash: hash_of(&token), token }
    }
}

/// The hash under which a token would be kept.
pub(crate) fn hash_of(token: &str) -> SecretHash {
    Sha256::digest(token).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signing_keys::{KeptPair, Seal};

    const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
    const ISSUER: &str = "https://shop.example";
    const QUARTER: Duration = Duration::from_mins(15);

    fn tokens() -> AccessTokens {
        AccessTokens::new(SECRET, ISSUER).unwrap()
    }

    fn now() -> Timestamp {
        Timestamp::from_seconds(1_700_000_000)
    }

    fn claims(iss: &'static str, aud: &'static str) -> Claims<'static> {
        let random = Random::seeded(3);
        Claims {
            sub: UserId::new(now(), &random),
            email: "bob@example.com",
            role: "admin",
            sid: SessionId::new(now(), &random),
            iat: now().as_seconds(),
            exp: now().as_seconds() + 900,
            iss,
            aud,
        }
    }

    fn verified(tokens: &AccessTokens, token: &str, at: Timestamp) -> Result<Bearer, Refusal> {
        let bearer = tokens.known(token).map_or_else(|| tokens.read_by_secret(token), Ok)?;
        bearer.require_life(at)?;
        Ok(bearer)
    }

    fn code(token: &str, at: Timestamp) -> &'static str {
        verified(&tokens(), token, at).err().map_or("accepted", |refusal| refusal.code)
    }

    #[test]
    fn a_token_is_good_until_the_second_it_expires() {
        let random = Random::seeded(1);
        let user = crate::store::testing::user("bob", &random, now());
        let session = SessionId::new(now(), &random);
        let tokens = tokens();
        let token = tokens.sign(tokens.secret(), &user, session, now(), QUARTER).unwrap();
        let bearer = verified(&tokens, &token, now() + QUARTER - Duration::from_secs(1)).unwrap();
        assert_eq!((bearer.sub, bearer.sid), (user.id, session));
        assert_eq!(code(&token, now() + QUARTER), "TOKEN_EXPIRED");
    }

    #[test]
    fn a_known_token_expires_too_and_vouches_for_no_other() {
        let random = Random::seeded(1);
        let user = crate::store::testing::user("bob", &random, now());
        let tokens = tokens();
        let token =
            tokens.sign(tokens.secret(), &user, SessionId::new(now(), &random), now(), QUARTER).unwrap();
        let first = verified(&tokens, &token, now()).unwrap();
        assert_eq!(verified(&tokens, &token, now()).unwrap(), first);
        assert_eq!(verified(&tokens, &token, now() + QUARTER).unwrap_err().code, "TOKEN_EXPIRED");
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let altered = format!("{}.{signature}", signed.replacen("ey", "eY", 1));
        assert_eq!(verified(&tokens, &altered, now()).unwrap_err().code, "INVALID_TOKEN");
    }

    #[test]
    fn other_secrets_algorithms_issuers_and_audiences_are_refused() {
        let hs256 = Header::new(Algorithm::HS256);
        let ours = EncodingKey::from_secret(SECRET);
        let theirs = EncodingKey::from_secret(b"another secret, of thirty-two bytes too");
        let good = claims(ISSUER, AUDIENCE);
        assert_eq!(code(&encode(&hs256, &good, &ours).unwrap(), now()), "accepted");
        assert_eq!(code(&encode(&hs256, &good, &theirs).unwrap(), now()), "INVALID_TOKEN");
        let hs384 = Header::new(Algorithm::HS384);
        assert_eq!(code(&encode(&hs384, &good, &ours).unwrap(), now()), "INVALID_TOKEN");
        let foreign = claims("https://elsewhere.example", AUDIENCE);
        assert_eq!(code(&encode(&hs256, &foreign, &ours).unwrap(), now()), "INVALID_TOKEN");
        let other = claims(ISSUER, "another-service");
        assert_eq!(code(&encode(&hs256, &other, &ours).unwrap(), now()), "INVALID_TOKEN");
    }

    #[test]
    fn unsigned_and_altered_tokens_are_refused() {
        // {"alg":"none"}.{"sub":…} without signature, and a signed one whose payload was swapped.
        let good = encode(
            &Header::new(Algorithm::HS256),
            &claims(ISSUER, AUDIENCE),
            &EncodingKey::from_secret(SECRET),
        );
        let good = good.unwrap();
        let parts: Vec<&str> = good.split('.').collect();
        let none = "eyJhbGciOiJub25lIn0";
        for forged in [
            format!("{none}.{}.", parts[1]),
            format!("{none}.{}.{}", parts[1], parts[2]),
            format!("{}.{}.", parts[0], parts[1]),
            format!("{}.{}", parts[0], parts[1]),
            format!("{}.{}.{}", parts[0], parts[1].to_uppercase(), parts[2]),
            format!("{good}x"),
            String::new(),
            "...".into(),
            "nonsense".into(),
        ] {
            assert_eq!(code(&forged, now()), "INVALID_TOKEN", "{forged}");
        }
    }

    #[test]
    fn a_key_vouches_for_its_own_issuer_and_audience_and_for_no_other_algorithm() {
        let (seal, random) = (Seal::of(SECRET).unwrap(), Random::system());
        let pair = KeptPair::new(&seal, &random).unwrap();
        let (signer, verifier) = (pair.signer(&seal).unwrap(), pair.verifier().unwrap());
        let code = |token: &str| tokens().read_by_key(token, &verifier).err().map_or("accepted", |r| r.code);
        let token = |header: &Header, iss, aud| encode(header, &claims(iss, aud), &signer.key).unwrap();
        let good = token(&signer.header, ISSUER, AUDIENCE);
        assert_eq!(code(&good), "accepted");
        assert_eq!(code(&token(&signer.header, "https://elsewhere.example", AUDIENCE)), "INVALID_TOKEN");
        assert_eq!(code(&token(&signer.header, ISSUER, "another-service")), "INVALID_TOKEN");
        let by_secret = encode(
            &Header::new(Algorithm::HS256),
            &claims(ISSUER, AUDIENCE),
            &EncodingKey::from_secret(SECRET),
        );
        assert_eq!(code(&by_secret.unwrap()), "INVALID_TOKEN");
        assert_eq!(tokens().read_by_secret(&good).unwrap_err().code, "INVALID_TOKEN");
    }

    #[test]
    fn a_short_secret_stops_the_start() {
        assert!(matches!(AccessTokens::new(&SECRET[1..], ISSUER), Err(SettingsError::ShortSecret(31))));
    }

    #[test]
    fn a_secret_is_found_again_by_its_hash() {
        let secret = Secret::new(&Random::seeded(1));
        assert_eq!(hash_of(&secret.token), secret.hash);
        assert_ne!(Secret::new(&Random::seeded(2)).hash, secret.hash);
    }
}
