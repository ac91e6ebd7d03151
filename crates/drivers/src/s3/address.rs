//! Which bucket, as `STOA_STORAGE_URL` names it.

use std::fmt;

use stoa_platform::storage::ObjectKey;
use url::Url;

/// A bucket and where it is.
#[derive(Clone, PartialEq, Eq)]
pub struct S3Address {
    /// Its name.
    pub bucket: String,
    /// What all keys in it begin with.
    pub folder: Option<ObjectKey>,
    /// The server; AWS without one.
    pub endpoint: Option<String>,
    /// The same server as browsers reach it, for signed links.
    pub public_endpoint: Option<String>,
    /// The region it is in.
    pub region: Option<String>,
}

/// What is wrong with an address, to follow its name: "is …; give …".
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}; give s3://bucket/folder?endpoint=https://host&region=name")]
pub struct BadBucket(&'static str);

impl S3Address {
    /// Reads `s3://bucket[/folder][?endpoint=…&public_endpoint=…&region=…]`.
    pub fn parse(text: &str) -> Result<Self, BadBucket> {
        let url = Url::parse(text).map_err(|_| BadBucket("is not the address of a bucket"))?;
        if url.scheme() != "s3" {
            return Err(BadBucket("is not the address of a bucket"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(BadBucket("holds credentials, which have settings of their own"));
        }
        if url.port().is_some() || url.fragment().is_some() {
            return Err(BadBucket("has something behind the bucket that means nothing"));
        }
        let bucket = url.host_str().filter(|name| is_bucket(name)).ok_or(BadBucket("names no bucket"))?;
        let folder = match url.path().trim_matches('/') {
            "" => None,
            folder => {
                Some(ObjectKey::parse(folder).map_err(|_| BadBucket("has a folder that is no plain name"))?)
            }
        };
        let mut address =
            Self { bucket: bucket.to_owned(), folder, endpoint: None, public_endpoint: None, region: None };
        for (name, value) in url.query_pairs() {
            address.take(&name, &value)?;
        }
        Ok(address)
    }

    fn take(&mut self, name: &str, value: &str) -> Result<(), BadBucket> {
        let place = match name {
            "endpoint" => &mut self.endpoint,
            "public_endpoint" => &mut self.public_endpoint,
            "region" => &mut self.region,
            _ => return Err(BadBucket("has a query of which something is not known")),
        };
        if place.is_some() || value.is_empty() {
            return Err(BadBucket("says something twice in its query, or nothing"));
        }
        let value = if name == "region" { value.to_owned() } else { endpoint(value)? };
        *place = Some(value);
        Ok(())
    }
}

/// The names that every server of S3 takes.
fn is_bucket(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
    (3..=63).contains(&name.len()) && name.bytes().all(plain)
}

fn endpoint(text: &str) -> Result<String, BadBucket> {
    let flaw = || BadBucket("has an endpoint that is no address of the web");
    let url = Url::parse(text).map_err(|_| flaw())?;
    let bare = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    if matches!(url.scheme(), "http" | "https") && url.host().is_some() && bare {
        Ok(text.trim_end_matches('/').to_owned())
    } else {
        Err(flaw())
    }
}

impl fmt::Display for S3Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bucket {}", self.bucket)?;
        if let Some(folder) = &self.folder {
            write!(f, "/{folder}")?;
        }
        write!(f, " at {}", self.endpoint.as_deref().unwrap_or("AWS"))
    }
}

impl fmt::Debug for S3Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "S3Address({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_may_have_a_folder_and_a_server() {
        let address = S3Address::parse(
            "s3://shop-files/live/a?endpoint=http://127.0.0.1:9000/&region=eu-central-1&public_endpoint=https%3A%2F%2Ffiles.example.com",
        )
        .unwrap();
        assert_eq!(
            (address.bucket.as_str(), address.folder.as_ref().unwrap().as_str()),
            ("shop-files", "live/a")
        );
        assert_eq!(address.endpoint.as_deref(), Some("http://127.0.0.1:9000"));
        assert_eq!(address.public_endpoint.as_deref(), Some("https://files.example.com"));
        assert_eq!(address.region.as_deref(), Some("eu-central-1"));
        assert_eq!(address.to_string(), "bucket shop-files/live/a at http://127.0.0.1:9000");
        let plain = S3Address::parse("s3://shop-files").unwrap();
        assert_eq!((plain.folder, plain.endpoint, plain.region), (None, None, None));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_cure_and_without_secrets() {
        for (text, told) in [
            ("shop-files", "is not the address"),
            ("https://shop-files", "is not the address"),
            ("s3://", "names no bucket"),
            ("s3://a", "names no bucket"),
            ("s3://Shop_Files", "names no bucket"),
            ("s3://key:hush@shop-files", "settings of their own"),
            ("s3://shop-files:9000", "means nothing"),
            ("s3://shop-files/a%20b", "no plain name"),
            ("s3://shop-files?endpoint=minio:9000", "no address of the web"),
            ("s3://shop-files?endpoint=http://key:hush@minio", "no address of the web"),
            ("s3://shop-files?endpoint=", "or nothing"),
            ("s3://shop-files?region=a&region=b", "twice"),
            ("s3://shop-files?secret=hush", "not known"),
        ] {
            let flaw = S3Address::parse(text).unwrap_err().to_string();
            assert!(flaw.contains(told) && flaw.contains("give s3://"), "{text}: {flaw}");
            assert!(!flaw.contains("hush"), "{flaw}");
        }
    }
}
