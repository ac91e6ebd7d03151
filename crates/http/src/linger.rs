//! Reading on for a while when a body is refused: a client whose connection is closed while it still sends never reads the
//! answer.

use std::time::Duration;

use axum::http::{HeaderMap, header};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};

/// How much of a refused body is read, and for how long.
const BYTES: usize = 32 * 1024 * 1024;
const TIME: Duration = Duration::from_secs(5);

/// Reads the rest of a refused body and forgets it, as far as is bearable.
pub async fn linger<E>(mut body: impl Stream<Item = Result<Bytes, E>> + Unpin) {
    let mut left = BYTES;
    let reading = async {
        while let Some(Ok(bytes)) = body.next().await {
            left = left.saturating_sub(bytes.len());
            if left == 0 {
                return;
            }
        }
    };
    // Whoever is slower than this has had a chance.
    let _ = tokio::time::timeout(TIME, reading).await;
}

/// Whether a client sends its body only when it is told to: then a refusal arrives without it.
pub fn waits_to_send(headers: &HeaderMap) -> bool {
    headers.contains_key(header::EXPECT)
}

/// How long a body says that it is.
pub fn declared_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
