//! The client of a bucket: which host, who asks, and how long.

use std::time::Duration;

use object_store::{
    BackoffConfig, ClientOptions, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder},
};

use super::{S3Credentials, S3Settings};

/// A line that does not come to be soon does not come to be.
const CONNECT: Duration = Duration::from_secs(5);
/// How often something is tried again, and how long is paused before.
const RETRIES: usize = 3;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Why a bucket cannot be asked.
#[derive(Debug, thiserror::Error)]
#[error("the bucket cannot be asked: {0}")]
pub struct SetupError(#[from] object_store::Error);

/// The bucket as this node reaches it, and as browsers do.
pub(super) fn open(settings: &S3Settings) -> Result<(AmazonS3, AmazonS3), SetupError> {
    let address = &settings.address;
    let bucket = builder(settings, address.endpoint.as_deref()).build()?;
    let public = address.public_endpoint.as_deref().or(address.endpoint.as_deref());
    Ok((bucket, builder(settings, public).build()?))
}

fn builder(settings: &S3Settings, endpoint: Option<&str>) -> AmazonS3Builder {
    let address = &settings.address;
    let builder = match &settings.credentials {
        Some(S3Credentials { key_id, secret, session_token }) => {
            let builder = AmazonS3Builder::new().with_access_key_id(key_id).with_secret_access_key(secret);
            match session_token {
                Some(token) => builder.with_token(token),
                None => builder,
            }
        }
        // Only there does it stand which role this is.
        None => AmazonS3Builder::from_env(),
    };
    let builder = match endpoint {
        // Not every server outside of AWS has a name for each bucket.
        Some(endpoint) => builder.with_endpoint(endpoint).with_virtual_hosted_style_request(false),
        // Certificates of AWS do not cover names with dots.
        None => builder.with_virtual_hosted_style_request(!address.bucket.contains('.')),
    };
    let builder = match &address.region {
        Some(region) => builder.with_region(region),
        None => builder,
    };
    builder
        .with_bucket_name(&address.bucket)
        .with_disable_bulk_delete(true)
        .with_retry(retries(settings.patience))
        .with_client_options(options(settings.patience, endpoint))
}

/// A whole transfer may take long, but no pause within one.
fn options(patience: Duration, endpoint: Option<&str>) -> ClientOptions {
    ClientOptions::new()
        .with_allow_http(endpoint.is_some_and(|endpoint| endpoint.starts_with("http:")))
        .with_connect_timeout(CONNECT.min(patience))
        .with_read_timeout(patience)
        .with_timeout_disabled()
}

fn retries(patience: Duration) -> RetryConfig {
    let backoff = BackoffConfig { init_backoff: FIRST_PAUSE, max_backoff: LONGEST_PAUSE, base: 2.0 };
    RetryConfig { backoff, max_retries: RETRIES, retry_timeout: patience }
}
