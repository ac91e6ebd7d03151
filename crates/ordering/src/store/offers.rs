//! Offers and codes as carts and orders keep them: JSON, or NULL for none, so that who uses none pays nothing for them.

use serde::{Deserialize, Serialize};
use stoa_contracts::catalog::{AppliedOffer, OfferId};
use stoa_kernel::{Currency, Money};
use stoa_platform::database::DatabaseError;

#[derive(Serialize, Deserialize)]
struct KeptOffer {
    id: OfferId,
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    /// In minor units.
    discount: i64,
}

/// Offers on their way into a column.
pub(crate) fn offers_to_json(offers: &[AppliedOffer]) -> Result<Option<String>, DatabaseError> {
    let kept: Vec<KeptOffer> = offers
        .iter()
        .map(|offer| KeptOffer {
            id: offer.id,
            name: offer.name.clone(),
            code: offer.code.clone(),
            discount: offer.discount.minor(),
        })
        .collect();
    list_to_json(&kept)
}

/// Offers on their way out of a column.
pub(crate) fn offers_from_json(
    text: Option<&str>,
    currency: Currency,
) -> Result<Vec<AppliedOffer>, DatabaseError> {
    let kept: Vec<KeptOffer> = list_from_json(text)?;
    let offer = |kept: KeptOffer| AppliedOffer {
        id: kept.id,
        name: kept.name,
        code: kept.code,
        discount: Money::from_minor(kept.discount, currency),
    };
    Ok(kept.into_iter().map(offer).collect())
}

/// A list as a column keeps it: NULL when it is empty.
pub(crate) fn list_to_json<T: Serialize>(list: &[T]) -> Result<Option<String>, DatabaseError> {
    if list.is_empty() {
        return Ok(None);
    }
    let text = serde_json::to_string(list);
    text.map(Some).map_err(|error| DatabaseError::Defect(format!("a list cannot be written: {error}")))
}

/// A list out of its column.
pub(crate) fn list_from_json<T: for<'de> Deserialize<'de>>(
    text: Option<&str>,
) -> Result<Vec<T>, DatabaseError> {
    let Some(text) = text else { return Ok(Vec::new()) };
    serde_json::from_str(text).map_err(|error| DatabaseError::Decode(format!("a list: {error}")))
}

#[cfg(test)]
mod tests {
    use stoa_kernel::{Id, Random, Timestamp};

    use super::*;

    #[test]
    fn offers_come_back_as_they_were_kept() {
        let usd = Currency::parse("USD").unwrap();
        let offer = |code: Option<&str>| AppliedOffer {
            id: Id::new(Timestamp::from_seconds(1), &Random::system()),
            name: "Spring \"sale\"".into(),
            code: code.map(str::to_owned),
            discount: Money::from_minor(105, usd),
        };
        let offers = [offer(None), offer(Some("TEN"))];
        let text = offers_to_json(&offers).unwrap();
        assert_eq!(offers_from_json(text.as_deref(), usd).unwrap(), offers);
        assert_eq!(offers_to_json(&[]).unwrap(), None);
        assert_eq!(offers_from_json(None, usd).unwrap(), []);
        assert!(offers_from_json(Some("{}"), usd).is_err());
    }
}
